"""What failures cost: minutes lost, the most first."""

from __future__ import annotations

from madsci.event_manager.analytics.metrics.actions import ended_actions
from madsci.event_manager.analytics.metrics.failures import failures_of
from madsci.event_manager.analytics.metrics.pareto import losses
from madsci.event_manager.analytics.metrics.states import node_states
from madsci.event_manager.analytics.runs import EXPIRY
from support.lab_life import FAILED, action, crashed, fault, lived, session, up


def lost(runs, window=(0, 100)):
    timelines = lived(runs, window)
    return losses(failures_of(timelines), node_states(timelines, window[1]), ended_actions(timelines))


def test_faults_and_failed_actions_are_in_the_order_of_what_they_cost():
    runs = [
        session(0, 100), up(0, 100), up(0, 100, "m"), fault(10, 15), fault(20, 30),
        fault(50, 58, "m", kind="jam"),
        action(60, 80, "m", FAILED, name="mix"), action(85, 86, "m", name="mix"),
    ]  # fmt: skip
    found = lost(runs)
    assert [
        (one.subject.kind, one.subject.node, one.subject.action, one.subject.error, one.n, one.lost)
        for one in found
    ] == [
        ("failed_action", "m", "mix", None, 1, 20),
        ("fault", "n", None, None, 2, 15),
        ("fault", "m", None, "jam", 1, 8),
    ]
    assert [one.cumulative for one in found] == [20, 35, 43]


def test_the_time_of_failed_actions_is_lost_in_each_window_in_which_they_ran():
    runs = [
        action(-40, 10, outcome=FAILED), action(40, 90, outcome=FAILED), action(50, 50, outcome=FAILED),
        action(None, 50, outcome=FAILED), action(90, 120, outcome=FAILED), action(60, 99),
    ]  # fmt: skip
    found = [lost(runs, window) for window in ((0, 50), (50, 100), (0, 100), (-40, 200))]
    assert [(one.n, one.lost) for (one,) in found] == [(4, 20), (2, 50), (5, 70), (5, 130)]
    assert lost(runs, (10, 40)) == []


def test_what_nobody_knows_of_a_crash_is_so_in_each_window_up_to_the_next_start():
    runs = [crashed(-90, -10, 140), up(140, 300)]
    found = [lost(runs, window) for window in ((-50, 50), (50, 140), (0, 100), (-50, 200))]
    assert [(one.n, one.unknown) for (one,) in found] == [(1, 60), (1, 90), (1, 100), (1, 150)]
    assert lost([crashed(-90, -10, EXPIRY - 10)]) == []  # nothing more was heard of it


def test_what_a_crash_cost_is_unknown():
    (one,) = lost([crashed(-30, -10, 40), up(40, 100)])
    assert (one.subject.kind, one.n, one.lost, one.unknown) == ("crash", 1, 0, 40)


def test_time_outside_sessions_is_lost_as_long_as_the_fault_lasts():
    (one,) = lost([session(0, 50), up(0, 30), fault(20, 70), up(80, 100)])
    assert one.lost == 50


def test_where_nothing_failed_nothing_is_lost():
    assert lost([up(0, 100), action(0, 10)]) == []
