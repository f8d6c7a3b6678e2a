"""Who is told when: nights, weekends, summer time, maintenance."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from madsci.common.clock import parse_instant
from madsci.common.errors import SettingsError
from madsci.common.types.alert_times import DAYS, AlertRoute, AlertTimes, Maintenance, QuietHours
from madsci.event_manager.alerts.calendar import Calendar, ends, holds

BERLIN = ZoneInfo("Europe/Berlin")
NIGHT = AlertTimes.model_validate({"from": "22:00", "to": "06:00", "zone": "Europe/Berlin"})


class People:
    def __init__(self, name: str, *recipients: str) -> None:
        self.name, self.recipients = name, recipients

    def send(self, message, recipient) -> None: ...


EMAIL, CHAT = People("email", "anna@lab.org", "oncall@lab.org"), People("chat", "")


def at(text: str) -> int:
    return parse_instant(text, BERLIN)


@pytest.mark.parametrize(
    ("moment", "is_night"),
    [
        ("2026-11-27 21:59:59", False), ("2026-11-27 22:00", True), ("2026-11-28 00:00", True),
        ("2026-11-28 05:59:59", True), ("2026-11-28 06:00", False), ("2026-11-28 12:00", False),
    ],
)  # fmt: skip
def test_a_night_passes_midnight(moment, is_night):
    assert holds(NIGHT, at(moment)) is is_night


def test_a_night_belongs_to_the_day_on_which_it_begins():
    friday = AlertTimes.model_validate({"days": ["Friday"], "from": "22:00", "to": "6:00"})
    assert holds(friday, at("2026-11-28 05:00"), BERLIN)
    assert not holds(friday, at("2026-11-27 05:00"), BERLIN)


@pytest.mark.parametrize(
    ("moment", "end"),
    [
        ("2026-03-28 23:00", "2026-03-29T04:00:00Z"),  # an hour less
        ("2026-10-24 23:00", "2026-10-25T05:00:00Z"),  # an hour more
        ("2026-11-27 23:00", "2026-11-28T05:00:00Z"),
    ],
)
def test_a_night_ends_in_the_morning_whatever_summer_time_does(moment, end):
    assert ends(NIGHT, at(moment)) == parse_instant(end)


ZONES = st.sampled_from(
    ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "Pacific/Apia"]
)
TIMES = st.builds(
    lambda days, start, end, zone: AlertTimes.model_validate(
        {"days": sorted(days), "from": start, "to": end, "zone": zone}
    ),
    st.sets(st.sampled_from(DAYS), min_size=1),
    st.times(),
    st.times(),
    ZONES,
)


@given(TIMES, st.integers(1_500_000_000_000_000, 2_000_000_000_000_000))
def test_a_time_holds_until_just_before_it_ends(times, moment):
    end = ends(times, moment)
    assert holds(times, moment) == (end > moment)
    if end > moment:
        assert holds(times, end - 1)
        assert end - moment <= 25 * 3_600_000_000


def test_without_routes_everybody_is_told():
    calendar = Calendar([EMAIL, CHAT])
    everybody = [("email", "anna@lab.org"), ("email", "oncall@lab.org"), ("chat", "")]
    assert calendar.recipients(20, "r", 0) == everybody


def test_errors_of_the_night_go_to_whoever_is_on_call():
    night = {"from": "22:00", "to": "06:00", "zone": "Europe/Berlin"}
    routes = [
        AlertRoute.model_validate({"channels": ["chat"]}),
        AlertRoute.model_validate(
            {"channels": ["email:oncall@lab.org"], "at_least": "ERROR", "during": night}
        ),
        AlertRoute.model_validate({"channels": ["email:anna@lab.org", "chat"], "rules": ["plate*"]}),
    ]
    calendar = Calendar([EMAIL, CHAT], routes)
    midnight, noon = at("2026-11-28 00:00"), at("2026-11-28 12:00")
    assert calendar.recipients(40, "r", midnight) == [("chat", ""), ("email", "oncall@lab.org")]
    assert calendar.recipients(40, "r", noon) == [("chat", "")]
    assert calendar.recipients(30, "r", midnight) == [("chat", "")]
    assert calendar.recipients(30, "plates", noon) == [("chat", ""), ("email", "anna@lab.org")]


@pytest.mark.parametrize(
    ("route", "sentence"),
    [
        ("emial", "the channel 'emial', which there is not. Did you mean email?"),
        ("email:ben@lab.org", "'ben@lab.org', who is no recipient of the channel 'email'"),
    ],
)
def test_a_route_to_nobody_is_said(route, sentence):
    with pytest.raises(SettingsError) as caught:
        Calendar([EMAIL], [AlertRoute(channels=[route])])
    assert sentence in caught.value.message


def test_what_is_not_grave_waits_for_the_end_of_all_quiet_times_that_follow_one_another():
    morning = AlertTimes.model_validate({"from": "06:00", "to": "08:00", "zone": "Europe/Berlin"})
    calendar = Calendar([EMAIL], quiet=[QuietHours(during=NIGHT), QuietHours(during=morning)])
    moment = at("2026-11-27 23:00")
    assert calendar.not_before(40, moment) == at("2026-11-28 08:00")
    assert calendar.not_before(50, moment) == moment
    assert calendar.not_before(40, at("2026-11-28 12:00")) == at("2026-11-28 12:00")


def test_a_time_that_is_quiet_for_ever_ends_some_day():
    always = QuietHours(during=AlertTimes())
    assert Calendar([EMAIL], quiet=[always]).not_before(40, at("2026-11-27 23:00")) < at("2027-04-01")


def test_in_maintenance_those_are_silenced_that_it_names():
    window = Maintenance.model_validate(
        {"from": "2026-11-27 08:00", "to": "2026-11-27 10:00", "nodes": ["n1"], "rules": ["err*"]}
    )
    calendar = Calendar([EMAIL], maintenance=[window], default_zone=BERLIN)
    assert calendar.is_silenced("errors", {"node": "n1"}, at("2026-11-27 09:00"))
    assert not calendar.is_silenced("errors", {"node": "n2"}, at("2026-11-27 09:00"))
    assert not calendar.is_silenced("other", {"node": "n1"}, at("2026-11-27 09:00"))
    assert not calendar.is_silenced("errors", {"node": "n1"}, at("2026-11-27 10:00"))


@pytest.mark.parametrize(
    ("members", "sentence"),
    [
        ({"days": ["mittwoch"]}, "one of mon, tue, wed, thu, fri, sat, sun"),
        ({"from": "25:00"}, "a time of the day such as 22:00"),
        ({"zone": "Europe/Berlni"}, "no time zone 'Europe/Berlni'"),
        ({"form": "22:00"}, "Extra inputs are not permitted"),
    ],
)
def test_what_is_wrong_with_a_time_is_said(members, sentence):
    with pytest.raises(ValidationError) as caught:
        AlertTimes.model_validate(members)
    assert sentence in str(caught.value)


def test_a_time_of_the_day_is_read_as_yaml_hands_it_over():
    assert AlertTimes.model_validate({"from": 1_320}).start.isoformat() == "22:00:00"
