"""The settings about when people are told: what may be written, and what is said of the rest."""

from __future__ import annotations

from datetime import date, datetime, timezone
from typing import ClassVar

import pytest
import yaml
from pydantic import Field

from madsci.common.clock import parse_instant
from madsci.common.errors import SettingsError
from madsci.common.settings import MadsciSettings, SettingsSources
from madsci.common.types.alert_times import (
    AlertRoute,
    AlertTimes,
    Maintenance,
    QuietHours,
    is_among,
)

UTC = timezone.utc


class Bell(MadsciSettings):
    sources: ClassVar[SettingsSources] = SettingsSources("BELL_", (), ())

    routes: list[AlertRoute] = Field(default_factory=list)
    quiet: list[QuietHours] = Field(default_factory=list)
    work: list[Maintenance] = Field(default_factory=list)


def refusal(**given) -> str:
    with pytest.raises(SettingsError) as raised:
        Bell(**given)
    return str(raised.value)


def of_times(**members) -> str:
    return refusal(quiet=[{"during": members}])


@pytest.mark.parametrize(
    ("written", "minutes"),
    [
        ("{from: '22:00', to: '06:00'}", (1320, 1800)),
        ("{from: 22:00, to: 06:00}", (1320, 1800)),  # YAML reads 22:00 as a number
        ("{from: 6:30, to: 24:00}", (390, 1440)),
        ("{from: '06:00', to: '06:00'}", (360, 1800)),
        ("{}", (0, 1440)),
    ],
)
def test_times_are_read_as_people_write_them(written, minutes):
    assert AlertTimes(**yaml.safe_load(written)).minutes == minutes


def test_days_are_read_by_their_short_and_whole_names():
    assert AlertTimes(days=["Mon", "FRIDAY", " sun "]).days == ["mon", "fri", "sun"]


def test_a_wrong_day_gets_the_nearest_one():
    assert "quiet.0.during.days.1" in of_times(days=["mon", "wednsday"])
    assert "it should be a day of the week. Did you mean wednesday?" in of_times(days=["wednsday"])
    assert "Days are mon, tue, wed, thu, fri, sat, sun." in of_times(days=["x"])


@pytest.mark.parametrize("wrong", ["25:00", "24:01", "12:60", "noon", -1, 1441, True, None, 6.5, "22"])
def test_a_wrong_time_gets_an_example(wrong):
    assert "it should be a time of a clock on the wall" in of_times(to=wrong)


def test_nothing_begins_at_the_end_of_a_day():
    assert "from should be before 24:00" in of_times(**{"from": "24:00"})


def test_a_wrong_zone_or_member_is_named():
    assert "There is no time zone 'Berlin'" in of_times(zone="Berlin")
    assert "it has no member 'form'. Did you mean from?" in of_times(form="22:00")
    assert "Its members are start, end, zone, rules, nodes" in refusal(work=[{"x": 1}])


def test_what_is_shown_can_be_read_again():
    given = {
        "routes": [{"channels": ["mail"], "during": {"from": "22:00", "to": "06:00"}}],
        "quiet": [{"during": {"days": ["sat"]}, "below": "ERROR"}],
        "work": [{"start": "2026-12-01 08:00", "end": date(2026, 12, 2), "zone": "Europe/Berlin"}],
    }
    settings = Bell(**given)
    shown = settings.masked()
    assert shown["routes"][0]["during"]["from"] == "22:00"
    assert Bell(**shown) == settings
    assert Bell(**shown).masked() == shown


def test_times_can_be_made_by_programs():
    assert AlertTimes(from_="22:00", to="06:00").minutes == (1320, 1800)


@pytest.mark.parametrize("wrong", ["", "*a", "a*b", "  "])
def test_a_wildcard_stands_at_the_end(wrong):
    assert "with a * at its end" in refusal(routes=[{"channels": ["mail"], "rules": [wrong]}])


@pytest.mark.parametrize("wrong", ["", ":anna@x.org", "mail:"])
def test_a_channel_has_a_name(wrong):
    assert "the name of a channel, or channel:recipient" in refusal(routes=[{"channels": [wrong]}])


def test_levels_are_names_or_numbers():
    assert AlertRoute(channels=["mail"], at_least=30).at_least == 30
    assert "perhaps ERROR" in refusal(routes=[{"channels": ["mail"], "at_least": "EROR"}])


def test_patterns_stand_for_names():
    assert is_among("disk_full", ["errors", "disk*"])
    assert is_among("errors", ["errors"])
    assert not is_among("errors2", ["errors"])
    assert not is_among("errors", [])
    assert is_among("anything", ["*"])


def test_work_is_read_in_any_form_of_times():
    said = [
        ("2026-12-01T08:00:00+01:00", "2026-12-01T09:00:00+01:00"),
        (datetime(2026, 12, 1, 7, tzinfo=UTC), datetime(2026, 12, 1, 8, tzinfo=UTC)),
        (1_796_108_400, 1_796_112_000.0),
        ("1796108400", "2026-12-01T09:00[Europe/Berlin]"),
    ]
    found = {Maintenance(start=start, end=end).between(UTC) for start, end in said}
    assert found == {tuple(map(parse_instant, said[0]))}


def test_work_without_an_offset_is_in_its_zone_or_that_of_the_server():
    one = Maintenance(start=datetime(2026, 12, 1, 8), end="2026-12-01 09:00")  # noqa: DTZ001
    other = Maintenance(start="2026-12-01 08:00", end="2026-12-01 09:00", zone="Europe/Berlin")
    assert one.between(UTC)[0] - other.between(UTC)[0] == 3_600_000_000


def test_a_day_at_the_end_of_work_is_part_of_it():
    one = Maintenance(start="2026-12-01", end=date(2026, 12, 1))
    assert one.between(UTC) == (parse_instant("2026-12-01Z"), parse_instant("2026-12-02Z"))


@pytest.mark.parametrize(
    ("start", "end", "reason"),
    [
        ("2026-12-01", "2026-11-30", "end after it begins"),
        ("2026-12-01 08:00", "2026-12-01 08:00", "end after it begins"),
        ("soon", "2026-12-01", "should be a time: 'soon' is not a time"),
        ("-1h", "2026-12-01", "not one relative to now"),
        ("today", "2026-12-01", "not one relative to now"),
        (None, "2026-12-01", "should be a time"),
    ],
)
def test_work_that_cannot_be_is_refused(start, end, reason):
    assert reason in refusal(work=[{"start": start, "end": end}])
