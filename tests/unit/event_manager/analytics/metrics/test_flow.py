"""Workflows on their way, what is completed in an hour, and how long a lab has shown to go on."""

from __future__ import annotations

from madsci.common.clock import FIRST_US
from madsci.event_manager.analytics.marks import Outcome, Thing
from madsci.event_manager.analytics.metrics.flow import (
    assisted_lifetime,
    throughput,
    unassisted_lifetime,
    workflow_figures,
)
from madsci.event_manager.analytics.runs import Run
from madsci.event_manager.analytics.spans import HOUR
from support.lab_life import CANCELLED, FAILED, action, fault, lived, session, workflow


def every(runs, window=(0, 100)):
    return workflow_figures(lived(runs, window))[0]


def test_workflows_count_where_they_end_with_their_whole_makespan():
    found = every([
        workflow(-50, 0, "a"), workflow(-40, 10, "b"), workflow(5, 100, "c", FAILED),
        workflow(90, 101, "d"), workflow(None, 30, "e", CANCELLED), workflow(20, None, "f", None),
    ])  # fmt: skip
    assert found.n == 3
    assert found.outcomes == {Outcome.COMPLETED: 1, Outcome.FAILED: 1, Outcome.CANCELLED: 1}
    assert found.lengths()["makespan"].ordered == (50, 95)


def test_the_queue_is_from_being_queued_to_the_beginning():
    runs = [
        Run(Thing.WORKFLOW, "a", 10, 20, queued=4), Run(Thing.WORKFLOW, "b", 10, 20),
        Run(Thing.WORKFLOW, "c", 10, 20, queued=12), Run(Thing.WORKFLOW, "d", None, 20, queued=12),
    ]  # fmt: skip
    assert every(runs).queues == [6, 0]


def test_the_wait_is_what_of_the_makespan_no_step_or_action_took():
    runs = [
        workflow(10, 60), action(5, 20, workflow="w"), action(15, 30, workflow="w"),
        Run(Thing.STEP, "s", 25, 40, about={"workflow": "w"}), action(40, 50, workflow="v"),
        action(-9, -5, workflow="w"),
    ]  # fmt: skip
    assert every(runs).waits == [20]


def test_nobody_can_tell_the_wait_where_steps_are_not_known():
    assert every([workflow(10, 60)]).waits == []
    assert every([workflow(10, 60), action(20, None, workflow="w")]).waits == []
    assert every([workflow(10, 60), action(None, 20, workflow="w")]).waits == []
    assert every([workflow(-10, 60), action(20, 30, workflow="w")]).waits == []
    assert every(
        [workflow(10, 60), action(70, None, workflow="w"), action(20, 30, workflow="w")]
    ).waits == [40]


def test_workflows_are_told_apart_by_name():
    runs = [workflow(0, 4, "a", name="Z"), workflow(0, 6, "b", name="A"), workflow(0, 8, "c", name="A")]
    found = workflow_figures(lived(runs))
    assert [(one.name, one.makespans) for one in found] == [
        (None, [4, 6, 8]), ("A", [6, 8]), ("Z", [4]),
    ]  # fmt: skip


def test_throughput_is_of_session_time_and_the_best_hour_is_any_sixty_minutes():
    minute = HOUR // 60
    ends = [10 * minute, 50 * minute, 69 * minute, 110 * minute, 111 * minute]
    found = throughput(ends, 2 * HOUR)
    assert (found.completed, found.per_hour, found.best) == (5, 2.5, 3)
    assert found.best_begins == 9 * minute
    nothing = throughput([], 0)
    assert (nothing.per_hour, nothing.best, nothing.best_begins) == (None, 0, None)


def test_the_best_hour_begins_with_the_calendar_at_the_earliest():
    assert throughput([FIRST_US + 5], HOUR).best_begins == FIRST_US


def test_an_instant_that_is_nought_is_one_as_others_are():
    runs = [workflow(-20, 0, "a"), workflow(0, 30, "b"), workflow(-90, 0, "c", FAILED)]
    assert unassisted_lifetime(lived(runs, (-50, 100)), []) == (-50, 30)
    assert [run.id for run in lived(runs, (1, 100)).workflows] == ["b"]
    assert [run.id for run in lived(runs, (-50, 100)).workflows] == ["c", "a", "b"]


def test_the_unassisted_lifetime_is_activity_without_an_intervention():
    runs = [
        Run(Thing.EXPERIMENT, "x", 10, 60), workflow(50, 70, "w"), action(70, 75), action(80, 90),
        fault(20, 25),
    ]  # fmt: skip
    timelines = lived(runs)
    assert unassisted_lifetime(timelines, []) == (10, 75)
    assert unassisted_lifetime(timelines, [40, 25]) == (40, 75)
    assert unassisted_lifetime(lived(), []) is None


def test_the_assisted_lifetime_is_the_longest_session_or_experiment_in_the_window():
    runs = [session(0, 30), Run(Thing.EXPERIMENT, "x", 20, 90, paused=[(30, 80)])]
    assert assisted_lifetime(lived(runs), 100) == (20, 90)
    assert assisted_lifetime(lived(runs), 40) == (0, 30)
    assert assisted_lifetime(lived([session(-9, None)]), 60) == (0, 60)
    assert assisted_lifetime(lived(), 100) is None
