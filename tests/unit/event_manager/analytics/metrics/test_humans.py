"""Times without humans: what counts as an intervention, and the stretches between them."""

from __future__ import annotations

import pytest

from madsci.event_manager.analytics.marks import Outcome, Phase, Thing
from madsci.event_manager.analytics.metrics.actions import ended_actions
from madsci.event_manager.analytics.metrics.failures import failures_of
from madsci.event_manager.analytics.metrics.humans import interventions_of, without_humans
from madsci.event_manager.analytics.runs import Run
from support.lab_life import (
    CANCELLED,
    FAILED,
    action,
    crashed,
    fault,
    lived,
    mark,
    session,
    told,
    up,
    workflow,
)
from support.lab_story import at, lines_of
from support.lab_story import told as event


def told_of(timelines):
    found = interventions_of(timelines, failures_of(timelines))
    return [(one.at, one.kind.value, one.id) for one in found]


def people(timelines, until=100):
    completions = ended_actions(timelines).completions
    return without_humans(timelines, failures_of(timelines), completions, until)


def experiment(begin, end, outcome=Outcome.COMPLETED, **more):
    return Run(Thing.EXPERIMENT, "x", begin, end, outcome=outcome, **more)


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        ([experiment(0, 50)], []),
        ([experiment(0, 50, FAILED)], []),
        ([experiment(0, 50, CANCELLED)], [(50, "experiment_cancelled", "x")]),
        (
            [experiment(0, 50, paused=[(10, 20), (30, 50)], is_paused=True)],
            [
                (10, "experiment_paused", "x"), (20, "experiment_continued", "x"),
                (30, "experiment_paused", "x"),
            ],
        ),
        (
            [experiment(0, None, None, last=20, paused=[(10, 20)], is_paused=True)],
            [(10, "experiment_paused", "x")],
        ),
        (
            [experiment(0, None, None, last=20, paused=[(10, 20)])],
            [(10, "experiment_paused", "x"), (20, "experiment_continued", "x")],
        ),
        (
            [experiment(0, None, None, last=9, before=20, paused=[(8, 20)], is_paused=True)],
            [(8, "experiment_paused", "x")],
        ),
        ([workflow(0, 50)], []),
        ([workflow(0, 50, outcome=FAILED)], []),
        ([workflow(0, 50, outcome=CANCELLED)], [(50, "workflow_aborted", "w")]),
        ([up(0, 90), fault(10, 20)], [(20, "fault_cleared", "n")]),
        ([up(0, 90), fault(10, None)], []),
        ([crashed(0, 10, 20), up(20, 90)], [(20, "node_restarted", "n")]),
        ([crashed(0, 10, 20), up(20, 90), fault(5, 20)], [(20, "fault_cleared", "n")]),
        ([workflow(-9, 0, outcome=CANCELLED), workflow(0, 101, "v", CANCELLED)], []),
    ],
)  # fmt: skip
def test_what_counts_as_a_human_intervention(runs, expected):
    assert told_of(lived(runs)) == expected


def test_pauses_that_are_told_are_interventions():
    marks = [
        mark(at, Thing.EXPERIMENT, phase, "x", experiment="x")
        for at, phase in ((1, Phase.BEGIN), (3, Phase.PAUSE), (5, Phase.RESUME), (7, Phase.PAUSE))
    ]
    later = mark(9, Thing.ACTION, Phase.BEGIN, "a", experiment="x")
    assert [kind for _, kind, _ in told_of(told([*marks, later]))] == [
        "experiment_paused", "experiment_continued", "experiment_paused",
    ]  # fmt: skip


LAST_WORDS = {
    "none": [],
    "its end in the same instant": [event("10:30", "experiment_complete", experiment_id="x")],
    "its end": [event("10:40", "experiment_complete", experiment_id="x")],
    "an action of it": [event("10:30", "action_start", {"action_id": "a"}, experiment_id="x")],
}


@pytest.mark.parametrize("last_words", LAST_WORDS)
@pytest.mark.parametrize("is_continued", [True, False])
def test_a_continue_counts_whatever_the_last_word_is(last_words, is_continued):
    events = [
        event("09:00", "experiment_start", experiment_id="x"),
        event("10:00", "experiment_pause", experiment_id="x"),
        *LAST_WORDS[last_words],
    ]
    expected = [(at("10:00"), "experiment_paused", "x")]
    if is_continued:
        events.append(event("10:30", "experiment_continued", experiment_id="x"))
        expected.append((at("10:30"), "experiment_continued", "x"))
    assert told_of(lines_of(events, now="2025-01-08T00:00:00")) == expected
    assert told_of(lines_of(events, now="2025-03-08T00:00:00")) == expected


def test_stretches_are_of_sessions_and_end_where_somebody_intervened():
    runs = [
        session(0, 40), session(50, None), workflow(0, 10, "w", CANCELLED),
        workflow(0, 45, "v", CANCELLED), workflow(0, 70, "u", CANCELLED),
        action(1, 5), action(6, 10), action(12, 30), action(41, 44), action(60, 65),
        action(80, 99, outcome=FAILED),
    ]  # fmt: skip
    found = people(lived(runs))
    assert found.stretches == [
        ((0, 10), 2), ((10, 40), 1), ((50, 70), 1), ((70, 100), 0),
    ]  # fmt: skip
    assert (found.longest, found.most_commands) == (((10, 40), 1), 2)
    assert found.current == ((70, 100), 0)
    assert (found.median_length, found.median_commands) == (25, 1)


def test_while_the_lab_is_off_no_stretch_is_the_current_one():
    assert people(lived([session(0, 40)])).current is None
    nothing = people(lived([session(0, 40)]), until=0)
    assert (nothing.longest, nothing.current, nothing.most_commands) == (None, None, None)
    assert (nothing.median_length, nothing.median_commands) == (None, None)


def test_the_current_stretch_ends_where_the_known_does():
    assert people(lived([session(0, None)]), until=60).current == ((0, 60), 0)
