"""Failures of nodes: what counts as one, when, and how much downtime is whose."""

from __future__ import annotations

from madsci.event_manager.analytics.metrics.failures import Cause, downtimes, failures_of
from madsci.event_manager.analytics.metrics.states import State, node_states
from support.lab_life import crashed, fault, lived, session, up


def found(timelines):
    return [(one.node, one.cause.value, one.begin, one.over) for one in failures_of(timelines)]


def test_faults_and_starts_without_a_stop_are_failures():
    runs = [up(0, 10), crashed(20, 30, 40), up(40, None), fault(50, 60), fault(70, None)]
    assert found(lived(runs)) == [
        ("n", "crash", 30, 40), ("n", "fault", 50, 60), ("n", "fault", 70, None),
    ]  # fmt: skip


def test_a_node_that_is_not_stopped_yet_did_not_crash():
    assert found(lived([up(0, None)])) == []


def test_a_start_after_a_fault_is_no_further_failure():
    runs = [crashed(0, 20, 40), up(40, 100), fault(10, 40)]
    assert found(lived(runs)) == [("n", "fault", 10, 40)]


def test_failures_of_other_times_are_left_out():
    runs = [up(0, 100), fault(-20, -10), fault(-9, 0), fault(100, 110), crashed(-9, -8, -7)]
    assert found(lived(runs)) == []


def test_faults_count_where_they_begin_and_crashes_where_they_are_noticed():
    runs = [crashed(-30, -20, 10), up(10, 100), fault(-5, 5), fault(90, 120)]
    counted = [one.cause for one in failures_of(lived(runs)) if one.counts_in((0, 100))]
    assert counted == [Cause.CRASH, Cause.FAULT]
    over = [one.begin for one in failures_of(lived(runs)) if one.is_over_in((0, 100))]
    assert over == [-20, -5]


def test_downtimes_of_faults_are_all_of_the_unscheduled_downtime():
    runs = [
        session(0, 100), up(0, 30), fault(10, 15), fault(20, 35), up(50, 80), fault(60, 70),
        crashed(81, 85, 90), up(90, 100),
    ]  # fmt: skip
    timelines = lived(runs)
    nodes = node_states(timelines, 100)
    down = downtimes(failures_of(timelines), nodes)
    assert [(one.begin, times.spans) for one, times in down.items()] == [
        (10, ((10, 15),)), (20, ((20, 50),)), (60, ((60, 70),)),
    ]  # fmt: skip
    total = nodes["n"].times[State.UNSCHEDULED_DOWN].total
    assert sum(times.total for times in down.values()) == total
