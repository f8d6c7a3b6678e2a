"""Periods by wall clocks: what they are called, where clocks are set, and what is refused."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from madsci.common.clock import FIRST_US, LAST_US, iso, parse_instant
from madsci.common.errors import InvalidInputError
from madsci.event_manager.analytics.periods import Length, length_named, periods

CHICAGO = ZoneInfo("America/Chicago")
HOUR = 3_600_000_000


def begun(start: str, end: str, length: Length, zone: ZoneInfo = CHICAGO) -> list[str]:
    found = periods((parse_instant(start), parse_instant(end)), length, zone)
    return [f"{one.begins:%Y-%m-%d %H:%M%z} {(one.span[1] - one.span[0]) / HOUR:g}" for one in found]


@pytest.mark.parametrize(
    ("length", "expected"),
    [
        ("weekly", ["2026-03-02 00:00-0600 36", "2026-03-09 00:00-0500 24"]),
        ("monthly", ["2026-03-01 00:00-0600 60"]),
        ("daily", ["2026-03-07 00:00-0600 13", "2026-03-08 00:00-0600 23", "2026-03-09 00:00-0500 24"]),
    ],
)
def test_days_weeks_and_months_begin_by_the_clocks_of_the_zone(length, expected):
    """In the night of 8 March clocks in Chicago are set forward."""
    found = begun("2026-03-07T17:00:00Z", "2026-03-10T05:00:00Z", Length(length))
    assert found == expected


def test_an_hour_that_is_shown_twice_is_two_periods():
    assert begun("2026-11-01T05:30:00Z", "2026-11-01T08:30:00Z", Length.HOURLY) == [
        "2026-11-01 00:00-0500 0.5", "2026-11-01 01:00-0500 1", "2026-11-01 01:00-0600 1",
        "2026-11-01 02:00-0600 0.5",
    ]  # fmt: skip


def test_an_hour_amid_which_clocks_are_set_is_two_periods():
    zone = ZoneInfo("Australia/Lord_Howe")  # half an hour back at 2 on 5 April, forward on 4 October
    assert begun("2026-04-04T14:00:00Z", "2026-04-04T16:30:00Z", Length.HOURLY, zone) == [
        "2026-04-05 01:00+1100 1", "2026-04-05 01:30+1030 0.5", "2026-04-05 02:00+1030 1",
    ]  # fmt: skip
    assert begun("2026-10-03T14:30:00Z", "2026-10-03T17:00:00Z", Length.HOURLY, zone) == [
        "2026-10-04 01:00+1030 1", "2026-10-04 02:30+1100 0.5", "2026-10-04 03:00+1100 1",
    ]  # fmt: skip


def test_a_day_without_a_midnight_begins_when_clocks_are_set():
    zone = ZoneInfo("America/Sao_Paulo")
    assert begun("2017-10-14T12:00:00Z", "2017-10-16T02:00:00Z", Length.DAILY, zone) == [
        "2017-10-14 00:00-0300 15", "2017-10-15 01:00-0200 23",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "start", "length", "expected"),
    [
        ("America/St_Johns", "2010-11-07T02:45:00Z", "daily", "2010-11-07 00:00-0230 24.75"),
        ("America/Goose_Bay", "2010-11-07T03:30:00Z", "daily", "2010-11-07 00:00-0300 24.5"),
        ("Antarctica/Casey", "2010-03-04T15:30:00Z", "daily", "2010-03-05 00:00+1100 24.5"),
        ("America/St_Johns", "2009-11-01T02:45:00Z", "monthly", "2009-11-01 00:00-0230 720.75"),
        ("America/St_Johns", "2010-11-07T02:45:00Z", "weekly", "2010-11-01 00:00-0230 24.75"),
    ],
)
def test_a_day_that_clocks_show_again_after_the_next_one_began_is_over(name, start, length, expected):
    """They are set back a minute after midnight, or, in Casey, from two to eleven."""
    zone = ZoneInfo(name)
    window = parse_instant(start), parse_instant(start) + 32 * 24 * HOUR
    found = periods(window, Length(length), zone)
    assert begun(start, iso(found[0].span[1]), Length(length), zone) == [expected]
    edges = [edge for one in found for edge in one.span]
    assert [edges[0], edges[-1]] == [*window]
    assert edges[1:-1:2] == edges[2::2]
    assert all(first < last for _, (first, last) in found)


@pytest.mark.parametrize("window", [(FIRST_US, FIRST_US + HOUR), (LAST_US - 1, LAST_US)])
def test_the_years_that_some_clocks_do_not_show_have_no_periods(window):
    for zone in (CHICAGO, ZoneInfo("Asia/Tokyo")):
        assert [periods(window, length, zone) for length in Length] == [[]] * 4


def test_an_empty_window_has_no_periods_and_too_many_are_refused():
    assert periods((5, 5), Length.DAILY, CHICAGO) == []
    with pytest.raises(InvalidInputError, match="more than 20,000 hourly periods"):
        periods((0, 30_000 * HOUR), Length.HOURLY, CHICAGO)
    assert len(periods((FIRST_US, FIRST_US + 800 * 24 * HOUR), Length.MONTHLY, CHICAGO)) == 16
    assert len(periods((LAST_US - 800 * 24 * HOUR, LAST_US), Length.MONTHLY, CHICAGO)) == 15


def test_a_word_that_is_no_length_is_refused_with_the_nearest_one():
    assert length_named("weekly") is Length.WEEKLY
    with pytest.raises(InvalidInputError, match="Did you mean daily"):
        length_named("dayly")
    with pytest.raises(InvalidInputError, match="hourly, daily, weekly, monthly"):
        length_named("")
