"""Durations and failures of actions: which count, and which quantile is which."""

from __future__ import annotations

import time

from msgspec.structs import replace

from madsci.event_manager.analytics.coded_runs import PLACES, Columns, Whose
from madsci.event_manager.analytics.marks import Thing
from madsci.event_manager.analytics.metrics.actions import ended_actions
from madsci.event_manager.analytics.metrics.durations import Lengths, action_figures
from madsci.event_manager.analytics.picture import Picture
from madsci.event_manager.analytics.timelines import Timelines
from support.lab_life import CANCELLED, COMPLETED, FAILED, action, lived


def figures(runs, window=(0, 100)):
    return list(action_figures(ended_actions(lived(runs, window))))


def test_actions_are_told_apart_by_node_and_name():
    found = figures([
        action(0, 4, "b", name="mix"), action(0, 3, "a", name="mix"), action(0, 5, "a", name="heat"),
        action(0, 6, "a"),
    ])  # fmt: skip
    assert [(one.node, one.action, one.lengths.ordered) for one in found] == [
        ("a", None, (6,)), ("a", "heat", (5,)), ("a", "mix", (3,)), ("b", "mix", (4,)),
    ]  # fmt: skip


def test_those_count_that_ended_in_the_window_with_all_of_their_duration():
    found = figures([
        action(-50, 0), action(-40, 10), action(50, 100), action(90, 101), action(None, 20),
        action(30, None),
    ])  # fmt: skip
    (one,) = found
    assert (one.n, one.lengths.ordered) == (3, (50, 50))


def test_the_failure_rate_is_of_what_was_completed_or_failed():
    runs = [action(0, 1), action(0, 2), action(0, 3, outcome=FAILED), action(0, 4, outcome=CANCELLED)]
    (one,) = figures(runs)
    assert (one.n, one.failure_rate, one.ended.other, one.lengths.n) == (3, 1 / 3, 1, 2)
    low, high = one.failure_bounds
    assert 0 < low < 1 / 3 < high < 1
    (cancelled,) = figures([action(0, 4, outcome=CANCELLED)])
    assert (cancelled.n, cancelled.failure_rate, cancelled.failure_bounds) == (0, None, None)


def test_how_an_action_ended_that_was_broken_off_counts_where_it_was_over_and_has_no_duration():
    broken = replace(action(10, None), before=30, outcome=FAILED)
    other = replace(action(12, None), before=30, outcome=COMPLETED)
    (one,) = figures([broken, other, replace(action(13, None), before=30)], (20, 30))
    assert (one.n, one.ended.completed, one.failure_rate, one.lengths.n) == (2, 1, 1 / 2, 0)
    assert figures([broken], (0, 29)) == figures([broken], (30, 40)) == []


def test_failed_actions_that_end_later_count_there():
    (one,) = figures([action(-40, 10, outcome=FAILED), action(90, 120, outcome=FAILED)])
    assert (one.ended.failed, one.n) == (1, 1)
    assert figures([action(90, 120, outcome=FAILED)]) == []


def test_lengths_know_their_mean_and_quantiles_and_none_of_nothing():
    of = Lengths(tuple(range(1, 101)))
    assert (of.n, of.mean, of.quantile(50), of.quantile(99)) == (100, 50.5, 50, 99)
    assert (Lengths(()).mean, Lengths(()).quantile(50)) == (None, None)


def test_half_a_million_actions_take_well_below_a_second():
    count = 500_000
    begin = list(range(count))
    part = Columns(
        Thing.ACTION, ["", "n", "m", "mix", "heat"],
        nodes=[(1, count // 2), (2, count // 2)],
        begin=begin,
        end=[number + number * 7 % 1_000 for number in begin],
        outcome=[PLACES[FAILED] if number % 50 == 0 else 1 for number in begin],
        name=[3] * (count // 2) + [4] * (count // 2), whose=[0] * count, owners=[Whose()],
    )  # fmt: skip
    timelines = Timelines(Picture((0, 2 * count), {Thing.ACTION: [part]}, None))
    begun = time.process_time()
    found = list(action_figures(ended_actions(timelines)))
    assert sum(one.lengths.quantile(99) > 0 for one in found) == 2
    assert time.process_time() - begun < 2  # 0.3 s where nothing else runs
