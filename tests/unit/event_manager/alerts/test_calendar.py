"""Who is told when, in zones that set their clocks, over midnight and by whole days, too."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from madsci.common.clock import FIRST_US, LAST_US, from_us, to_us
from madsci.common.errors import SettingsError
from madsci.common.types.alert_times import (
    WEEKDAYS,
    AlertRoute,
    AlertTimes,
    Maintenance,
    QuietHours,
)
from madsci.event_manager.alerts.calendar import Calendar, ends, holds

UTC = timezone.utc
BERLIN = ZoneInfo("Europe/Berlin")  # forward on 2026-03-29 at 02:00, back on 2026-10-25 at 03:00
SECOND, HOUR = 1_000_000, 3_600_000_000
MINUTE = timedelta(minutes=1)
DAY = 24 * HOUR

SETTINGS_OF_CLOCKS = [
    ("Europe/Berlin", "2026-03-29T01:00"),
    ("Europe/Berlin", "2026-10-25T01:00"),
    ("America/Havana", "2026-03-08T05:00"),  # forward at midnight
    ("America/Havana", "2026-11-01T05:00"),
    ("America/St_Johns", "2008-11-02T02:31"),  # back from 00:01 to the day before
    ("America/Asuncion", "2022-10-02T04:00"),
    ("Australia/Lord_Howe", "2026-04-04T15:00"),  # by half an hour
    ("Antarctica/Troll", "2026-03-29T01:00"),  # by two hours
    ("Pacific/Apia", "2011-12-30T10:00"),  # a day left out
    ("Pacific/Kwajalein", "1993-08-21T12:00"),
    ("America/Juneau", "1983-10-30T10:00"),  # back by two hours
    ("Asia/Kathmandu", "1985-12-31T18:30"),
]


def us(text: str) -> int:
    return to_us(datetime.fromisoformat(text).replace(tzinfo=UTC))


def times(begin: str = "00:00", to: str = "24:00", *days: str, zone: str | None = None) -> AlertTimes:
    return AlertTimes(**{"from": begin, "to": to, "days": days or WEEKDAYS, "zone": zone})


def wall(at: int, zone) -> datetime:
    return from_us(at).astimezone(zone).replace(tzinfo=None, fold=0)


@st.composite
def places(draw):
    """A zone and an instant, mostly near one at which its clocks are set."""
    if draw(st.booleans()):
        name, text = draw(st.sampled_from(SETTINGS_OF_CLOCKS))
        return name, us(text) + draw(st.integers(-3 * DAY, 3 * DAY))
    name = draw(st.timezone_keys(allow_prefix=False))
    return name, draw(st.integers(us("1970-01-10"), us("2037-12-01")))


walls = st.integers(0, 24 * 60 - 1).map(lambda minutes: f"{minutes // 60:02}:{minutes % 60:02}")
days_of = st.lists(st.sampled_from(WEEKDAYS), min_size=1, max_size=7, unique=True)


@given(places(), walls, walls, days_of, st.integers(0, 10**6))
def test_a_period_holds_until_just_before_its_end(place, begin, to, days, part):
    zone, at = place
    asked = times(begin, to, *days, zone=zone)
    if not holds(asked, at):
        assert ends(asked, at) == at
        return
    end = ends(asked, at)
    assert at < end <= at + 26 * HOUR
    for within in (at, at + (end - 1 - at) * part // 10**6, end - 1):
        assert holds(asked, within)
        assert ends(asked, within) == end
    if holds(asked, end):  # the next one begins there; what is between may be left out by the clock
        assert ends(asked, end) > end
        assert begin == to or wall(end, ZoneInfo(zone)) - wall(end - 1, ZoneInfo(zone)) > MINUTE


@given(places(), walls, walls, days_of)
def test_where_clocks_run_evenly_it_holds_when_the_wall_says_so(place, begin, to, days):
    name, at = place
    zone = ZoneInfo(name)
    offsets = {from_us(at + n * HOUR).astimezone(zone).utcoffset() for n in range(-72, 73)}
    if len(offsets) > 1:
        return
    shown = wall(at, zone)
    hour, day = f"{shown:%H:%M}", WEEKDAYS[shown.weekday()]
    before = WEEKDAYS[shown.weekday() - 1]
    if begin < to:
        said = day in days and begin <= hour < to
    else:
        said = (day in days and begin <= hour) or (before in days and hour < to)
    assert holds(times(begin, to, *days, zone=name), at) is said


@given(places(), walls)
def test_periods_that_meet_on_the_wall_meet_in_time(place, middle):
    zone, at = place
    one, other = times("00:00", middle, zone=zone), times(middle, "24:00", zone=zone)
    if middle == "00:00":
        assert holds(one, at)
        return
    assert holds(one, at) is not holds(other, at)


@given(places(), walls)
def test_it_begins_when_the_clock_first_shows_its_time_or_a_later_one(place, to):
    name, at = place
    zone = ZoneInfo(name)
    asked = times("00:00", to, zone=name)
    if holds(asked, at) and to != "00:00":
        end = ends(asked, at)
        assert wall(end, zone) > wall(end - 1, zone)
        assert f"{wall(end, zone):%H:%M}" >= to or wall(end, zone).date() > wall(end - 1, zone).date()


def test_a_night_belongs_to_the_day_on_which_it_begins():
    friday = times("22:00", "06:00", "fri", zone="UTC")
    assert not holds(friday, us("2026-11-27T05:00"))  # the morning of Friday
    assert holds(friday, us("2026-11-27T22:00"))
    assert holds(friday, us("2026-11-28T05:59:59"))
    assert not holds(friday, us("2026-11-28T06:00"))
    assert not holds(friday, us("2026-11-28T23:00"))
    assert ends(friday, us("2026-11-27T23:00")) == us("2026-11-28T06:00")


def test_without_times_it_is_whole_days():
    weekend = times("00:00", "24:00", "sat", "sun", zone="UTC")
    assert holds(weekend, us("2026-11-28T00:00"))
    assert ends(weekend, us("2026-11-28T12:00")) == us("2026-11-29T00:00")
    assert holds(weekend, us("2026-11-29T23:59:59"))
    assert not holds(weekend, us("2026-11-30T00:00"))


def test_a_night_in_which_clocks_are_set_is_an_hour_shorter_or_longer():
    night = times("22:00", "06:00", zone="Europe/Berlin")
    assert ends(night, us("2026-03-28T21:00")) == us("2026-03-29T04:00")
    assert ends(night, us("2026-10-24T20:00")) == us("2026-10-25T05:00")


def test_a_time_that_the_clock_leaves_out_is_when_it_is_put_forward():
    asked = times("02:30", "06:00", zone="Europe/Berlin")
    assert not holds(asked, us("2026-03-29T00:59:59"))
    assert holds(asked, us("2026-03-29T01:00"))
    assert ends(times("22:00", "02:30", zone="Europe/Berlin"), us("2026-03-29T00:00")) == us(
        "2026-03-29T01:00"
    )
    assert not holds(times("02:10", "02:50", zone="Europe/Berlin"), us("2026-03-29T01:00"))


def test_a_time_that_comes_twice_counts_the_first_time():
    assert holds(times("02:30", "06:00", zone="Europe/Berlin"), us("2026-10-25T00:30"))
    assert holds(times("02:30", "06:00", zone="Europe/Berlin"), us("2026-10-25T01:10"))
    assert ends(times("22:00", "02:30", zone="Europe/Berlin"), us("2026-10-25T00:00")) == us(
        "2026-10-25T00:30"
    )


def test_without_a_zone_it_is_that_of_the_server():
    assert holds(times("08:00", "09:00"), us("2026-01-10T07:30"), BERLIN)
    assert not holds(times("08:00", "09:00"), us("2026-01-10T08:30"), BERLIN)


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="the zone of the machine cannot be set")
@pytest.mark.parametrize(("zone", "text"), SETTINGS_OF_CLOCKS)
def test_the_zone_of_the_machine_is_one_like_others(monkeypatch, zone, text):
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        for hours in range(-30, 31):
            at = us(text) + hours * HOUR // 2
            for begin, to in [("23:30", "00:30"), ("02:30", "02:00"), ("00:00", "02:15")]:
                here, there = times(begin, to), times(begin, to, zone=zone)
                assert (holds(here, at), ends(here, at)) == (holds(there, at), ends(there, at))
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("at", [FIRST_US, LAST_US])
def test_the_ends_of_the_calendar_are_no_trouble(at):
    assert holds(times(zone="Pacific/Apia"), at)
    assert not holds(times("05:00", "05:01", zone="UTC"), at)


@dataclass
class Way:
    name: str
    recipients: list[str] = field(default_factory=list)


CHANNELS = [Way("mail", ["anna@x.org", "bob@x.org"]), Way("chat", [""]), Way("a:b", ["c"])]
ALL = [("mail", "anna@x.org"), ("mail", "bob@x.org"), ("chat", ""), ("a:b", "c")]
NOW = us("2026-11-27T12:00")


def routed(*routes: dict) -> Calendar:
    names = [one.name for one in CHANNELS]
    return Calendar([AlertRoute(**one) for one in routes], (), (), UTC, names)


def test_without_routes_everybody_is_told():
    assert routed().recipients(20, "errors", NOW, CHANNELS) == ALL


def test_routes_choose_by_severity_rule_and_time():
    calendar = routed(
        {"channels": ["mail"], "at_least": "ERROR", "rules": ["errors", "disk*"]},
        {"channels": ["chat"], "during": {"from": "08:00", "to": "18:00", "zone": "UTC"}},
    )
    mail = ALL[:2]
    night = us("2026-11-27T20:00")
    assert calendar.recipients(40, "errors", NOW, CHANNELS) == [*mail, ("chat", "")]
    assert calendar.recipients(40, "disk_full", night, CHANNELS) == mail
    assert calendar.recipients(30, "errors", night, CHANNELS) == []
    assert calendar.recipients(50, "others", NOW, CHANNELS) == [("chat", "")]


def test_nobody_is_told_twice_and_the_order_is_that_of_the_routes():
    calendar = routed({"channels": ["chat", "mail:bob@x.org"]}, {"channels": ["mail", "a:b", "a:b:d"]})
    assert calendar.recipients(0, "r", NOW, CHANNELS) == [
        ("chat", ""), ("mail", "bob@x.org"), ("mail", "anna@x.org"), ("a:b", "c"), ("a:b", "d"),
    ]  # fmt: skip


def test_a_recipient_may_be_one_whom_only_a_route_names():
    calendar = routed({"channels": ["mail:night@x.org"]})
    assert calendar.recipients(0, "r", NOW, CHANNELS) == [("mail", "night@x.org")]


def test_a_route_that_names_no_channel_is_refused_with_the_one_that_is_meant():
    with pytest.raises(SettingsError, match=r"Route 2 .* 'mial'.* Did you mean mail\?"):
        routed({"channels": ["chat"]}, {"channels": ["mial:anna@x.org"]})
    with pytest.raises(SettingsError, match=r"'pager', which there is not. There are a:b, chat, mail"):
        routed({"channels": ["pager"]})
    with pytest.raises(SettingsError, match="There is none"):
        Calendar([AlertRoute(channels=["mail"])], channel_names=())


def quiet(*during: AlertTimes, below: str = "CRITICAL") -> Calendar:
    return Calendar(quiet=[QuietHours(during=one, below=below) for one in during], default_zone=UTC)


def test_quiet_hours_let_wait_what_is_below_their_level():
    calendar = quiet(times("22:00", "06:00"))
    night = us("2026-11-27T23:00")
    assert calendar.not_before(40, night) == us("2026-11-28T06:00")
    assert calendar.not_before(50, night) == night
    assert calendar.not_before(40, NOW) == NOW


def test_quiet_hours_that_meet_or_overlap_are_one():
    calendar = quiet(
        times("18:00", "24:00", "fri"), times("00:00", "24:00", "sat", "sun"), times("23:00", "07:00")
    )
    assert calendar.not_before(40, us("2026-11-27T19:00")) == us("2026-11-30T07:00")


def test_quiet_hours_that_never_end_are_refused():
    with pytest.raises(SettingsError, match="Quiet hours never end for what is below CRITICAL"):
        quiet(times())
    with pytest.raises(SettingsError, match="below ERROR"):
        quiet(times("06:00", "18:00"), times("18:00", "06:00"), below="ERROR")


@given(places(), st.lists(st.tuples(walls, walls, days_of), max_size=4))
def test_nobody_is_told_in_quiet_hours_nor_later_than_need_be(place, parts):
    name, at = place
    listed = [times(begin, to, *days, zone=name) for begin, to, days in parts]
    try:
        until = quiet(*listed).not_before(40, at)
    except SettingsError:
        return
    assert until >= at
    if until < at + 15 * DAY:
        assert not any(holds(one, until) for one in listed)
    if until > at:
        assert any(holds(one, until - 1) for one in listed)
        assert any(holds(one, at + (until - at) // 2) for one in listed)


def test_work_silences_what_happens_in_it():
    calendar = Calendar(
        maintenance=[
            Maintenance(start="2026-11-27 10:00", end="2026-11-27 14:00"),
            Maintenance(start="2026-12-01", end="2026-12-02", nodes=["arm*"], rules=["errors"]),
        ],
        default_zone=BERLIN,
    )
    assert calendar.is_silenced("any", {}, us("2026-11-27T09:00"))
    assert not calendar.is_silenced("any", {}, us("2026-11-27T08:59"))
    assert not calendar.is_silenced("any", {}, us("2026-11-27T13:00"))
    arm, oven = {"source.node_id": "arm-2"}, {"source.node_id": "oven"}
    last = us("2026-12-02T22:59:59")  # the whole day
    assert calendar.is_silenced("errors", arm, last)
    assert not calendar.is_silenced("errors", arm, last + SECOND)
    assert not calendar.is_silenced("others", arm, last)
    assert not calendar.is_silenced("errors", oven, last)
    assert not calendar.is_silenced("errors", {"source.node_id": None, "event_type": "arm"}, last)


def test_the_end_of_a_period_does_not_rest_on_where_it_is_asked():
    asked = times("22:00", "06:00", zone="Europe/Berlin")
    begin = us("2026-10-24T20:00")
    found = {ends(asked, begin + minutes * 60 * SECOND) for minutes in range(9 * 60)}
    assert found == {us("2026-10-25T05:00")}
    assert timedelta(microseconds=found.pop() - begin) == timedelta(hours=9)
