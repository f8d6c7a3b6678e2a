"""The spans of a histogram."""

from __future__ import annotations

import pytest

from madsci.common.clock import FIRST_US, LAST_US, iso, parse_instant
from madsci.common.errors import InvalidInputError
from madsci.event_manager.model.tally import MAX_BUCKETS, Count
from madsci.event_manager.search.histogram import answer, buckets_between, parse_interval

SECOND = 1_000_000
HOUR = 3_600 * SECOND


@pytest.mark.parametrize(
    ("text", "microseconds"),
    [("30s", 30 * SECOND), ("5 M", 300 * SECOND), ("1h", HOUR), ("1d", 24 * HOUR), ("1w", 168 * HOUR),
     ("90", 90 * SECOND), ("250ms", SECOND // 4)],
)  # fmt: skip
def test_intervals_are_a_number_and_a_unit(text, microseconds):
    assert parse_interval(text) == microseconds


@pytest.mark.parametrize("text", ["", "h", "1y", "-1h", "1.5h", "0s", "1h1m", "9" * 12 + "w"])
def test_what_is_no_interval_is_refused(text):
    with pytest.raises(InvalidInputError, match="is not an interval such as"):
        parse_interval(text)


def test_spans_begin_at_multiples_of_their_width():
    first, last = parse_instant("2026-01-01T00:59:59Z"), parse_instant("2026-01-01T02:00:00Z")
    buckets = buckets_between(first, last, HOUR)
    assert [iso(start)[11:16] for start in buckets.starts()] == ["00:00", "01:00", "02:00"]


def test_weeks_begin_on_mondays():
    friday = parse_instant("2026-11-27T12:00:00Z")
    buckets = buckets_between(friday, friday, 168 * HOUR)
    assert iso(buckets.start) == "2026-11-23T00:00:00.000000Z"


@pytest.mark.parametrize(
    ("seconds", "width"), [(0, 0.001), (60, 1), (3_600, 60), (86_400, 1_800), (86_400 * 365, 604_800)]
)
def test_an_open_interval_is_round_and_makes_about_a_hundred_spans(seconds, width):
    buckets = buckets_between(0, seconds * SECOND, None)
    assert buckets.width == width * SECOND
    assert buckets.number <= 102


def test_times_before_1970_and_the_whole_calendar_have_spans():
    buckets = buckets_between(-1, 0, HOUR)
    assert list(buckets.starts()) == [-HOUR, 0]
    whole = buckets_between(FIRST_US, LAST_US, None)
    told = answer(whole, None, [Count(1, None, whole.start)])
    assert told["start"] == iso(FIRST_US)
    assert told["end"] == iso(LAST_US)


def test_too_many_spans_are_refused_with_their_number():
    buckets_between(0, (MAX_BUCKETS - 1) * SECOND, SECOND)
    with pytest.raises(InvalidInputError, match=f"{MAX_BUCKETS + 1:,} intervals"):
        buckets_between(0, MAX_BUCKETS * SECOND, SECOND)


def test_events_without_a_value_are_in_the_count_only():
    buckets = buckets_between(0, HOUR, HOUR)
    told = answer(buckets, "node", [Count(2, "n1", 0), Count(3, None, 0)])
    assert told["buckets"] == [
        {"start": iso(0), "count": 5, "counts": {"n1": 2}},
        {"start": iso(HOUR), "count": 0, "counts": {}},
    ]
    assert told["total"] == 5
