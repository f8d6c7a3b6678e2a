"""Sets of time do what sets of instants do, and periods cut any window into what clocks show."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from madsci.common.clock import from_us, parse_instant
from madsci.event_manager.analytics.intervals import Intervals, column
from madsci.event_manager.analytics.periods import Length, periods

HOUR = 3_600_000_000
ZONES = [
    "UTC", "America/Chicago", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kathmandu",
    "America/Sao_Paulo", "America/Havana", "Pacific/Apia", "Africa/Casablanca",
]  # fmt: skip
"""Of half hours and quarters, where midnight is skipped or comes twice, where a day was left out."""
CHANGES = [
    "2026-03-08", "2026-03-29", "2026-04-05", "2026-10-04", "2026-10-25", "2026-11-01", "2017-10-15",
    "2011-12-30", "2026-02-18",
]  # fmt: skip

spans = st.tuples(st.integers(0, 40), st.integers(0, 40))
some = st.lists(spans, max_size=8)


def instants(intervals):
    return {instant for start, end in intervals for instant in range(start, end)}


def is_canonical(intervals):
    return all(start < end for start, end in intervals) and all(
        one[1] < other[0] for one, other in pairwise(intervals.spans)
    )


@given(some, some, spans)
def test_intervals_are_sets_of_instants(these, those, span):
    one, other = Intervals.of(these), Intervals.of(those)
    assert instants(one) == instants(these)
    for made, meant in (
        (one | other, instants(one) | instants(other)),
        (one & other, instants(one) & instants(other)),
        (one - other, instants(one) - instants(other)),
        (one.within(span), instants(one) & set(range(*span))),
        (one.gaps(span), set(range(*span)) - instants(one)),
    ):
        assert is_canonical(made)
        assert instants(made) == meant
        assert made.total == len(meant)
        assert bool(made) == bool(meant)
        assert made.holds(column(range(-1, 42))).tolist() == [at in meant for at in range(-1, 42)]


many = st.lists(st.tuples(st.integers(0, 400), st.integers(1, 9)), max_size=60).map(
    lambda found: [(start, start + length) for start, length in found]
)
"""So many spans that whole columns are gone through, not span by span."""


@given(many, many, st.integers(0, 3))
def test_so_are_large_ones_beside_small_ones(these, those, few):
    for one in (Intervals.of(these[:few]), Intervals.of(these)):
        other = Intervals.of(those)
        assert is_canonical(one & other)
        assert is_canonical(one - other)
        assert instants(one & other) == instants(other & one) == instants(one) & instants(other)
        assert instants(one - other) == instants(one) - instants(other)
        assert instants(other - one) == instants(other) - instants(one)


@given(some, some, some)
def test_a_union_of_several_sets_is_that_of_their_instants(these, those, others):
    several = [Intervals.of(one) for one in (these, those, others)]
    assert Intervals.union(several) == Intervals.of([*these, *those, *others])


@given(some)
def test_columns_of_starts_and_ends_are_spans(these):
    starts, ends = column([start for start, _ in these]), column([end for _, end in these])
    assert Intervals.between(starts, ends) == Intervals.of(these)
    assert hash(Intervals.between(starts, ends)) == hash(Intervals.of(these[::-1]))


@given(some, st.lists(spans, max_size=6))
def test_totals_of_parts_are_numbers_of_instants(these, parts):
    parts = [tuple(sorted(part)) for part in parts]
    starts, ends = column([start for start, _ in parts]), column([end for _, end in parts])
    found = Intervals.of(these).totals(starts, ends)
    assert found.tolist() == [len(instants(these) & set(range(*part))) for part in parts]


@given(some, st.permutations(range(8)))
def test_the_order_of_spans_does_not_matter(these, order):
    shuffled = [these[place] for place in order if place < len(these)]
    assert Intervals.of(shuffled) == Intervals.of(these)


@given(some, st.lists(st.integers(0, 40), max_size=6).map(sorted))
def test_what_is_cut_into_parts_adds_up_to_the_whole(these, cuts):
    whole = Intervals.of(these)
    edges = [0, *cuts, 40]
    assert sum(whole.within(part).total for part in pairwise(edges)) == whole.total


@given(
    zone=st.sampled_from(ZONES).map(ZoneInfo),
    day=st.sampled_from(CHANGES),
    into=st.integers(-4 * 24 * HOUR, 4 * 24 * HOUR),
    long=st.integers(1, 100 * 24 * HOUR),
    length=st.sampled_from(Length),
)
def test_periods_are_all_of_a_window_and_begin_where_clocks_say(zone, day, into, long, length):
    start = parse_instant(f"{day}T00:00:00Z") + into
    window = (start, start + (long if length is not Length.HOURLY else min(long, 200 * HOUR)))
    found = periods(window, length, zone)
    assert found[0].span[0] == window[0]
    assert found[-1].span[1] == window[1]
    assert all(one.span[1] == other.span[0] for one, other in pairwise(found))
    assert all(one.span[0] < one.span[1] for one in found)
    for one in found:
        first, last = (from_us(at).astimezone(zone) for at in (one.span[0], one.span[1] - 1))
        assert name_of(first, length) == name_of(last, length) == name_of(one.begins, length)
        assert one.begins <= first
    for one in found[1:]:
        before = (one.begins.astimezone(ZoneInfo("UTC")) - timedelta(microseconds=1)).astimezone(zone)
        was_set = before.utcoffset() != one.begins.utcoffset()
        assert name_of(before, length) != name_of(one.begins, length) or (
            was_set and length is Length.HOURLY
        )


def name_of(moment, length):
    """What is the same at all moments of a period, and at no other ones."""
    day = moment.date()
    return {
        Length.HOURLY: (day, moment.hour),
        Length.DAILY: day,
        Length.WEEKLY: day.isocalendar()[:2],
        Length.MONTHLY: (day.year, day.month),
    }[length]
