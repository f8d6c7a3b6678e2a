"""Times between failures and interrupts, and times to repair: from how many, and how sure they are."""

from __future__ import annotations

import pytest

from madsci.event_manager.analytics.marks import Thing
from madsci.event_manager.analytics.metrics.failures import failures_of
from madsci.event_manager.analytics.metrics.humans import interventions_of
from madsci.event_manager.analytics.metrics.reliability import all_reliability, node_reliability
from madsci.event_manager.analytics.metrics.states import node_states
from madsci.event_manager.analytics.runs import Run
from support.lab_life import CANCELLED, action, crashed, fault, lived, session, up, workflow


def reliable(runs, window=(0, 1000)):
    timelines = lived(runs, window)
    failures = failures_of(timelines)
    interventions = interventions_of(timelines, failures)
    each = node_reliability(timelines, node_states(timelines, window[1]), failures, interventions)
    return each, all_reliability(each, interventions)


def test_mtbf_is_productive_time_over_faults_and_crashes():
    runs = [
        crashed(0, 400, 450), up(450, 1000), fault(500, 510), fault(600, 620), action(0, 300),
        action(700, 900),
    ]  # fmt: skip
    one = reliable(runs)[0]["n"]
    assert (one.productive, one.faults, one.crashes, one.failures) == (500, 2, 1, 3)
    mean = one.between_failures
    assert (mean.n, mean.value, mean.is_at_least) == (3, 500 / 3, False)
    assert mean.bounds == pytest.approx((500 / 8.767273, 500 / 0.618672), rel=1e-5)


def test_without_a_failure_mtbf_is_at_least_its_lower_bound():
    mean = reliable([up(0, 1000), action(0, 300)])[0]["n"].between_failures
    assert (mean.n, mean.value, mean.is_at_least) == (0, None, True)
    assert mean.bounds == (pytest.approx(300 / 3.688879), None)


def test_without_productive_time_nothing_is_known_of_times_between_failures():
    mean = reliable([up(0, 1000), fault(3, 5)])[0]["n"].between_failures
    assert (mean.n, mean.value, mean.bounds, mean.is_at_least) == (1, None, None, False)


def test_mttr_is_downtime_of_the_faults_that_were_over():
    runs = [session(0, 1000), up(0, 1000), fault(-10, 10), fault(100, 130), fault(900, None)]
    one = reliable(runs)[0]["n"]
    assert one.repairs == (10, 30)
    assert (one.to_repair.n, one.to_repair.value) == (2, 20.0)
    assert one.faults == 2  # the first began before
    nothing = reliable([up(0, 1000)])[0]["n"].to_repair
    assert (nothing.n, nothing.value, nothing.bounds) == (0, None, None)


def test_interrupts_are_failures_and_what_humans_broke_off_while_the_node_worked_for_it():
    runs = [
        action(0, 100, "n", workflow="w"), action(100, 200, "m", experiment="x"),
        action(200, 300, "o", workflow="v"), action(300, 400, "p"),
        workflow(0, 500, "w", CANCELLED), workflow(0, 600, "v", experiment="x"),
        Run(Thing.EXPERIMENT, "x", 0, 700, outcome=CANCELLED, paused=[(50, 60)]),
        fault(450, 460),
    ]  # fmt: skip
    each, every = reliable(runs)
    assert {id_: one.assists for id_, one in each.items()} == {"n": 1, "m": 2, "o": 2, "p": 0}
    assert (each["n"].between_interrupts.n, each["n"].between_interrupts.value) == (2, 50)
    assert (every.assists, every.failures, every.between_interrupts.n) == (3, 1, 4)
    assert every.between_interrupts.value == 100
