"""What failures cost: minutes lost, the most first."""

from __future__ import annotations

from madsci.event_manager.analytics.metrics.actions import ended_actions
from madsci.event_manager.analytics.metrics.failures import failures_of
from madsci.event_manager.analytics.metrics.pareto import losses
from madsci.event_manager.analytics.metrics.states import node_states
from support.lab_life import FAILED, action, crashed, fault, lived, session, up


def lost(runs):
    timelines = lived(runs)
    return losses(failures_of(timelines), node_states(timelines, 100), ended_actions(timelines))


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


def test_what_a_crash_cost_is_unknown():
    (one,) = lost([crashed(-30, -10, 40), up(40, 100)])
    assert (one.subject.kind, one.n, one.lost, one.unknown) == ("crash", 1, 0, 40)


def test_time_outside_sessions_is_not_lost():
    (one,) = lost([session(0, 50), up(0, 30), fault(20, 80), up(80, 100)])
    assert one.lost == 30


def test_where_nothing_failed_nothing_is_lost():
    assert lost([up(0, 100), action(0, 10)]) == []
