"""What marks tell of when something was under way: late, repeated and missing ones, too."""

from __future__ import annotations

import random

import msgspec
import pytest

from madsci.event_manager.analytics.fold import HOUR, Fold, Run, State, in_order
from madsci.event_manager.analytics.marks import Mark, Outcome, Phase, Thing
from madsci.event_manager.analytics.signs import minute_of

PHASES = {
    "q": Phase.QUEUED, "b": Phase.BEGIN, "e": Phase.END, "p": Phase.PAUSE, "r": Phase.RESUME,
    "f": Phase.FAULT,
}  # fmt: skip


def runs_of(marks: list[Mark], seen: dict[str, int] | None = None, end: int = HOUR) -> list[Run]:
    """What marks of the first hour tell, and what is still under way then."""
    fold = Fold(State(), 0, seen or {})
    for mark in in_order(marks):
        fold.take(mark)
    state = fold.ended(end)
    return [*fold.runs, *state.unfinished()]


def told(text: str, thing: Thing = Thing.ACTION, seed: int = 0) -> list[tuple[int | None, int | None]]:
    """What marks such as ``b3 e5`` tell, in whatever order they come."""
    marks = [Mark(int(one[1:]), thing, PHASES[one[0]], "x", {}) for one in text.split()]
    random.Random(seed).shuffle(marks)
    return [(run.begin, run.end) for run in runs_of(marks)]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("marks", "expected"),
    [
        ("", []),
        ("b3 e5", [(3, 5)]),
        ("b3 b4 e5 e6", [(3, 5)]),  # told twice
        ("b3 b3 e5 e5", [(3, 5)]),
        ("b3 e3", [(3, 3)]),
        ("b3", [(3, None)]),
        ("e5", [(None, 5)]),
        ("e5 e6", [(None, 5)]),
        ("e2 b3 e5", [(None, 2)]),  # an action does not begin after its end
        ("b3 e5 b7 e9", [(3, 5)]),
        ("q1 b3 e5", [(3, 5)]),
        ("q1", [(None, None)]),
        ("f4", []),
    ],
)
def test_actions_run_from_their_first_beginning_to_their_first_end(marks, expected, seed):
    assert told(marks, seed=seed) == expected


@pytest.mark.parametrize("thing", [Thing.SESSION, Thing.NODE])
def test_what_is_started_again_without_an_end_ran_twice(thing):
    runs = runs_of([Mark(at, thing, Phase.BEGIN, "x", {"name": str(at)}) for at in (3, 7)])
    assert [(run.begin, run.end, run.before) for run in runs] == [(3, None, 7), (7, None, None)]
    assert [run.about["name"] for run in runs] == ["3", "7"]


def test_pauses_last_until_it_goes_on_or_ends():
    marks = [
        Mark(at, Thing.EXPERIMENT, phase, "x", {})
        for at, phase in enumerate(
            [
                Phase.PAUSE, Phase.BEGIN, Phase.RESUME, Phase.PAUSE, Phase.PAUSE, Phase.RESUME,
                Phase.RESUME, Phase.PAUSE, Phase.END, Phase.RESUME,
            ]
        )
    ]  # fmt: skip
    (run,) = runs_of(marks)
    assert (run.begin, run.end) == (1, 8)
    assert run.paused == [(3, 5), (7, 8)]


def test_what_is_known_of_it_is_gathered_and_what_was_told_first_holds():
    marks = [
        Mark(1, Thing.WORKFLOW, Phase.QUEUED, "x", {"author": "Ann"}),
        Mark(2, Thing.WORKFLOW, Phase.BEGIN, "x", {"name": "Flow"}),
        Mark(5, Thing.WORKFLOW, Phase.END, "x", {"name": "Other"}, Outcome.FAILED, 2.5),
        Mark(6, Thing.WORKFLOW, Phase.END, "x", {}, Outcome.COMPLETED, 3.5),
    ]
    (run,) = runs_of(marks)
    assert run.about == {"author": "Ann", "name": "Flow"}
    assert (run.queued, run.outcome, run.seconds) == (1, Outcome.FAILED, 2.5)


@pytest.mark.parametrize("thing", [Thing.WORKFLOW, Thing.EXPERIMENT])
def test_what_is_no_action_may_be_tried_again(thing):
    assert told("b3 e5 b7 e9", thing) == [(3, 5), (7, 9)]


def test_an_end_says_when_it_began_if_it_says_how_long_it_took():
    end = Mark(9_000_000, Thing.ACTION, Phase.END, "x", {}, Outcome.COMPLETED, 2.5)
    (run,) = runs_of([end])
    assert (run.begin, run.end) == (6_500_000, 9_000_000)


def action(at: int, phase: Phase, **about: str) -> Mark:
    return Mark(at, Thing.ACTION, phase, "a", about)


def only_action(marks: list[Mark], end: int = HOUR) -> Run:
    (run,) = (one for one in runs_of(marks, end=end) if one.thing is Thing.ACTION)
    return run


@pytest.mark.parametrize(
    ("whole", "name", "phase"),
    [
        (Thing.WORKFLOW, "workflow", Phase.END),
        (Thing.EXPERIMENT, "experiment", Phase.END),
        (Thing.NODE, "node", Phase.END),
        (Thing.NODE, "node", Phase.BEGIN),
    ],
)
def test_an_action_without_an_end_is_over_when_what_it_belongs_to_is(whole, name, phase):
    run = only_action([action(3, Phase.BEGIN, **{name: "w"}), Mark(8, whole, phase, "w", {})])
    assert (run.begin, run.last, run.end, run.before) == (3, 3, None, 8)


def test_an_end_that_comes_a_little_after_that_of_the_whole_is_believed():
    begin = action(3, Phase.BEGIN, workflow="w")
    over = Mark(8, Thing.WORKFLOW, Phase.END, "w", {})
    assert only_action([begin, over, action(9, Phase.END)]).end == 9


def test_no_action_goes_on_beyond_a_restart_of_its_node():
    begin = action(3, Phase.BEGIN, node="n")
    run = only_action([begin, Mark(8, Thing.NODE, Phase.BEGIN, "n", {}), action(9, Phase.END)])
    assert (run.end, run.before) == (None, 8)


def test_what_is_said_again_while_it_runs_shows_that_it_does():
    run = only_action([action(3, Phase.BEGIN), action(7, Phase.BEGIN)])
    assert (run.begin, run.last, run.before) == (3, 7, None)


def test_a_node_that_begins_anew_without_a_stop_was_up_until_it_was_last_seen():
    minute = 60_000_000
    marks = [
        Mark(at * minute + 5, Thing.NODE, Phase.BEGIN, "n", {"node": "n"}) for at in (1, 30)
    ]  # fmt: skip
    first, second = runs_of(marks, {"n": minute_of(20 * minute) | minute_of(30 * minute)}, HOUR)
    assert (first.begin, first.last, first.before) == (minute + 5, 20 * minute, 30 * minute + 5)
    assert (second.begin, second.last, second.before) == (30 * minute + 5, 30 * minute + 5, None)


@pytest.mark.parametrize(
    "clears",
    [
        Mark(8, Thing.NODE, Phase.CLEAR, "n", {}),
        Mark(8, Thing.NODE, Phase.BEGIN, "n", {}),
        Mark(8, Thing.ACTION, Phase.BEGIN, "a", {"node": "n"}),
        Mark(8, Thing.ACTION, Phase.END, "a", {"node": "n"}, Outcome.COMPLETED),
    ],
)
def test_a_fault_lasts_until_the_node_shows_that_it_is_well(clears):
    marks = [
        Mark(3, Thing.NODE, Phase.FAULT, "n", {"node": "n"}),
        Mark(4, Thing.NODE, Phase.FAULT, "n", {"node": "n"}),
        Mark(5, Thing.ACTION, Phase.END, "b", {"node": "n"}, Outcome.FAILED),
        clears,
    ]
    faults = [(run.begin, run.end) for run in runs_of(marks) if run.thing is Thing.FAULT]
    assert faults == [(3, 8)]


def test_what_nobody_speaks_of_for_thirty_days_is_over_then():
    thirty_days = 30 * 24 * HOUR
    fold = Fold(State(), 0, {})
    fold.take(action(3, Phase.BEGIN))
    later = Fold(fold.ended(HOUR), thirty_days, {})
    later.ended(thirty_days + HOUR)
    (run,) = later.runs
    assert (run.begin, run.end, run.before) == (3, None, thirty_days + 3)


def test_a_state_stays_small_whatever_is_begun_and_never_ends():
    fold = Fold(State(), 0, {})
    for number in range(6_000):
        fold.take(Mark(number, Thing.ACTION, Phase.BEGIN, f"{number}{chr(1) * 150}", {}))
    state = fold.ended(HOUR)
    assert len(msgspec.json.encode(state)) < 1_000_000
    assert len(fold.runs) + len(state.open) == 6_000
    assert min(one.begin or 0 for one in state.open) > max(run.begin or 0 for run in fold.runs)
