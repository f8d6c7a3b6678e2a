"""Instants count in one window each, and spans are cut where something happened."""

from __future__ import annotations

from madsci.event_manager.analytics.metrics.counting import (
    begins_in,
    cut_at,
    ended_within,
    ends_in,
    hours,
    minutes,
    percent,
    seconds,
)


def test_each_instant_counts_in_one_of_windows_that_meet():
    windows = [(0, 5), (5, 9)]
    for at in range(1, 9):
        assert sum(begins_in(window, at) for window in windows) == 1
        assert sum(ends_in(window, at) for window in windows) == 1
    assert begins_in((5, 9), 5)
    assert ends_in((0, 5), 5)
    assert ended_within([0, 2, 5, 5, 7], (0, 5)) == 3


def test_spans_are_cut_at_instants_in_them_and_not_at_their_edges():
    assert cut_at([(0, 5), (7, 9)], [0, 3, 3, 5, 6, 7, 9]) == [(0, 3), (3, 5), (7, 9)]
    assert cut_at([(0, 5)], []) == [(0, 5)]


def test_lengths_have_the_units_that_their_functions_are_called_after():
    assert (hours(5_400_000_000), minutes(90_000_000), seconds(1_500_000)) == (1.5, 1.5, 1.5)
    assert percent(0.125) == 12.5
