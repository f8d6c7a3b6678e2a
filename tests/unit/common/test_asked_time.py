"""Times of questions: instants, whole days, and times relative to now."""

from __future__ import annotations

from datetime import datetime, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from madsci.common.asked_time import Span, is_relative, read_asked_time
from madsci.common.clock import FIRST_US, LAST_US, iso, parse_instant

BERLIN = ZoneInfo("Europe/Berlin")
NOW = parse_instant("2026-11-26T08:30:00Z")
HOUR = 3_600_000_000


def asked(text: object) -> tuple[str, str]:
    first, last = read_asked_time(text, BERLIN, NOW)
    return iso(first)[:19], iso(last)[:19]


@pytest.mark.parametrize(
    ("text", "hours"),
    [
        ("now", 0), ("-1h", -1), ("+2h", 2), ("-90m", -1.5), ("-1h30m", -1.5), ("-1.5h", -1.5),
        ("now-2d", -48), (" NOW - 2 d ", -48), ("-1w", -168), ("-36000s", -10), ("-3600000ms", -1),
        ("\N{MINUS SIGN}1h", -1), ("today+8h", -1.5), ("yesterday+23h", -10.5),
    ],
)  # fmt: skip
def test_a_relative_time_is_an_instant_before_or_after_now(text, hours):
    moment = NOW + int(hours * HOUR)
    assert read_asked_time(text, BERLIN, NOW) == Span(moment, moment)
    assert is_relative(text)


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("today", "2026-11-25T23:00:00", "2026-11-26T22:59:59"),
        ("Yesterday", "2026-11-24T23:00:00", "2026-11-25T22:59:59"),
        ("tomorrow", "2026-11-26T23:00:00", "2026-11-27T22:59:59"),
        ("2026-11-23", "2026-11-22T23:00:00", "2026-11-23T22:59:59"),
        ("20261123", "2026-11-22T23:00:00", "2026-11-23T22:59:59"),
        ("2026-327", "2026-11-22T23:00:00", "2026-11-23T22:59:59"),
        ("2026-11-23Z", "2026-11-23T00:00:00", "2026-11-23T23:59:59"),
        ("2026-11-23[Asia/Tokyo]", "2026-11-22T15:00:00", "2026-11-23T14:59:59"),
        ("2026-W48", "2026-11-22T23:00:00", "2026-11-29T22:59:59"),
        ("2026-W48-1", "2026-11-22T23:00:00", "2026-11-23T22:59:59"),
        ("2026-03-29", "2026-03-28T23:00:00", "2026-03-29T21:59:59"),  # a day of 23 hours
        ("9999-12-31Z", "9999-12-31T00:00:00", "9999-12-31T23:59:59"),
    ],
)
def test_a_day_is_all_of_it_where_the_lab_is(text, first, last):
    assert asked(text) == (first, last)


def test_today_begins_at_midnight_of_the_zone_also_shortly_before_that_of_utc():
    late = parse_instant("2026-11-25T23:30:00Z")  # already the 26th in Berlin
    assert iso(read_asked_time("today", BERLIN, late).first) == "2026-11-25T23:00:00.000000Z"
    assert iso(read_asked_time("today", timezone.utc, late).first) == "2026-11-25T00:00:00.000000Z"


@pytest.mark.parametrize(
    "value",
    [
        "2026-11-23T10:00",
        1700000000,
        "1700000000",
        "20261123101500",
        datetime(2026, 1, 1, tzinfo=BERLIN),
    ],
)
def test_a_time_of_day_is_one_instant_as_everywhere(value):
    instant = parse_instant(value, BERLIN)
    assert read_asked_time(value, BERLIN, NOW) == Span(instant, instant)
    assert not is_relative(value)


@pytest.mark.parametrize(
    "value",
    ["1h", "", " ", "-1x", "-h", "now now", "today1h", "an hour ago", "--1h", "-1", True, None, []],
)
def test_what_is_no_time_is_refused_and_relative_ones_are_named(value):
    with pytest.raises(ValueError, match=r"is not a time.* or a relative one: -1h, now, today"):
        read_asked_time(value, BERLIN, NOW)


@pytest.mark.parametrize(("operator", "bound"), [("$gte", 1), ("$lt", 1), ("$lte", 2), ("$gt", 2)])
def test_a_bound_at_a_day_takes_the_whole_day_or_leaves_it(operator, bound):
    assert Span(1, 2).bound(operator) == bound


@given(st.text(max_size=20) | st.integers() | st.floats() | st.none())
def test_anything_is_read_or_refused(value):
    try:
        first, last = read_asked_time(value, BERLIN, NOW)
    except ValueError:
        return
    assert FIRST_US <= first <= last <= LAST_US


@given(st.from_regex(r"\A(now|today)?[-+][0-9]{1,9}(ms|s|m|h|d|w)\Z"))
def test_no_length_leads_out_of_the_calendar(text):
    first, last = read_asked_time(text, BERLIN, NOW)
    assert FIRST_US <= first == last <= LAST_US
