"""How fast a store grows, told from its sizes over a day."""

from __future__ import annotations

import pytest

from madsci.event_manager.health.growth import DAY, Growth, days_left

HOUR = 3600.0


def after(growth: Growth, hours: float, size_at) -> int | None:
    """Note sizes every five minutes; return what is told in the end."""
    moments = [number * 300.0 for number in range(round(hours * 12) + 1)]
    for moment in moments:
        growth.note(moment, size_at(moment))
    return growth.bytes_per_day(moments[-1], size_at(moments[-1]))


def test_nothing_is_told_of_the_first_minutes():
    assert Growth().bytes_per_day(0, 5) is None
    assert after(Growth(), 0.1, lambda _: 5) is None


@pytest.mark.parametrize("hours", [0.25, 1, 24, 100])
def test_steady_growth_is_told_as_it_is(hours):
    assert after(Growth(), hours, lambda moment: int(moment * 10)) == 10 * DAY


def test_a_store_from_which_as_much_goes_as_comes_does_not_grow():
    size = after(Growth(), 72, lambda moment: int(moment % (6 * HOUR)))
    assert size is not None
    assert abs(size) <= 6 * HOUR


def test_what_is_longer_ago_than_a_day_is_forgotten():
    growth = Growth()
    assert after(growth, 60, lambda moment: int(min(moment, 24 * HOUR) * 1000)) == 0
    assert len(growth._sizes) <= DAY / 600 + 1


@pytest.mark.parametrize(
    ("free", "growth", "days"),
    [(100, 10, 10.0), (0, 10, 0.0), (100, None, None), (100, 0, None), (100, -5, None), (5, 10, 0.5)],
)
def test_days_are_left_where_a_store_grows(free, growth, days):
    assert days_left(free, growth) == days
