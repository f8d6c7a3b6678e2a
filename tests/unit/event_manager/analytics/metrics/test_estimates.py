"""Quantiles and intervals, against tables of statistics and against their own definitions."""

from __future__ import annotations

from math import exp, factorial

import pytest

from madsci.event_manager.analytics.metrics.estimates import (
    count_bounds,
    mean_bounds,
    nearest_rank,
    share_bounds,
    time_between_bounds,
)


@pytest.mark.parametrize(
    ("count", "low", "high"),
    [
        (0, 0.0, 3.688879), (1, 0.025318, 5.571643), (2, 0.242209, 7.224688), (5, 1.623486, 11.668332),
        (10, 4.795389, 18.390356), (100, 81.363996, 121.627),
    ],
)  # fmt: skip
def test_bounds_of_counts_are_those_of_the_tables(count, low, high):
    found = count_bounds(count)
    assert found == pytest.approx((low, high), rel=1e-5)


@pytest.mark.parametrize("count", [1, 3, 17, 60])
def test_as_many_or_more_and_as_many_or_fewer_come_with_a_probability_of_one_in_forty(count):
    low, high = count_bounds(count)
    fewer = sum(exp(-low) * low**k / factorial(k) for k in range(count))
    assert 1 - fewer == pytest.approx(0.025, rel=1e-6)
    assert sum(exp(-high) * high**k / factorial(k) for k in range(count + 1)) == pytest.approx(0.025)


def test_bounds_of_large_counts_come_close_to_those_of_the_normal_distribution():
    low, high = count_bounds(1_000_000)
    assert low == pytest.approx(1_000_000 - 1_960, abs=5)
    assert high == pytest.approx(1_000_000 + 1_960, abs=5)


def test_without_an_event_the_time_between_events_has_a_lower_bound_only():
    assert time_between_bounds(100.0, 0) == (pytest.approx(100 / 3.688879), None)
    low, high = time_between_bounds(100.0, 2)
    assert (low, high) == pytest.approx((100 / 7.224688, 100 / 0.242209), rel=1e-5)


def test_bounds_of_a_mean_are_those_of_the_gamma_distribution():
    assert mean_bounds(0.0, 0) is None
    assert mean_bounds(10.0, 1) == pytest.approx((10 / 3.688879, 10 / 0.025318), rel=1e-4)


def test_bounds_of_shares_stay_within_what_a_share_can_be():
    assert share_bounds(0, 0) is None
    assert share_bounds(0, 10) == pytest.approx((0, 0.277533), abs=1e-5)
    assert share_bounds(10, 10) == pytest.approx((0.722467, 1), abs=1e-5)
    assert share_bounds(5, 50) == pytest.approx((0.043476, 0.213602), abs=1e-5)


def test_quantiles_are_values_that_there_were():
    ordered = list(range(1, 11))
    assert [nearest_rank(ordered, one) for one in (0, 1, 50, 51, 95, 100)] == [1, 1, 5, 6, 10, 10]
    assert nearest_rank([7], 99) == 7
