"""What marks tell of when something was under way: late, repeated and missing ones, too."""

from __future__ import annotations

import random

import msgspec
import pytest

from madsci.event_manager.analytics.fold import Fold, in_order
from madsci.event_manager.analytics.marks import Mark, Outcome, Phase, Thing, id_of_word
from madsci.event_manager.analytics.runs import Run, State
from madsci.event_manager.analytics.signs import minute_of
from madsci.event_manager.analytics.spans import HOUR

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


def action(
    at: int, phase: Phase, outcome: Outcome | None = None, *, id_: str = "a", **about: str
) -> Mark:
    return Mark(at, Thing.ACTION, phase, id_, about, outcome)


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


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("marks", "expected"),
    [
        ("b1 e5 b5 e9", [(1, 5), (5, 9)]),  # stopped and started in one instant
        ("b1 b5 b5 e9", [(1, None), (5, 9)]),  # told twice
        ("b1 b1 e9", [(1, 9)]),
        ("b5 e5", [(5, 5)]),
        ("b1 e5 b5 e5 b5", [(1, 5), (5, None)]),
    ],
)
@pytest.mark.parametrize("thing", [Thing.SESSION, Thing.NODE])
def test_what_stops_and_starts_in_one_instant_was_stopped_before(thing, marks, expected, seed):
    assert told(marks, thing, seed) == expected


def session(at: int, phase: Phase, id_: str, manager: str | None = None) -> Mark:
    return Mark(at, Thing.SESSION, phase, id_, {} if manager is None else {"manager": manager})


@pytest.mark.parametrize(
    ("marks", "expected"),
    [
        (  # a stop that is told twice
            [session(4, Phase.END, "b", "m"), session(5, Phase.END, "b", "m")],
            {"a": 9, "b": 4},
        ),
        ([session(4, Phase.END, "c", "m")], {"a": 9, "b": None}),  # one of another workcell
        ([session(4, Phase.END, "m", "m")], {"a": 9, "b": 4}),  # of the manager: started last
        ([session(4, Phase.END, "m")], {"a": 9, "b": 4}),
    ],
)
def test_a_stop_ends_the_session_that_it_names_and_no_other(marks, expected):
    first = [session(1, Phase.BEGIN, "a", "m"), session(2, Phase.BEGIN, "b", "m")]
    runs = runs_of([*first, *marks, session(9, Phase.END, "a", "m")])
    assert {run.id: run.end for run in runs if run.begin is not None} == expected


def test_a_stop_that_names_the_workcell_ends_what_its_manager_began():
    (run,) = runs_of([session(1, Phase.BEGIN, "m", "m"), session(4, Phase.END, "w", "m")])
    assert (run.id, run.begin, run.end) == ("m", 1, 4)


@pytest.mark.parametrize(
    "again",
    [
        [action(4, Phase.END, Outcome.COMPLETED, node="n"), action(6, Phase.BEGIN, node="n")],
        [action(at, Phase.END, Outcome.COMPLETED, node="n") for at in (4, 6)],
        [action(6, Phase.BEGIN, node="n"), action(7, Phase.END, Outcome.FAILED, node="n")],
    ],
)
def test_what_is_told_twice_of_an_action_shows_no_node_to_be_well(again):
    fault = [Mark(5, Thing.NODE, Phase.FAULT, "n", {}), Mark(9, Thing.NODE, Phase.CLEAR, "n", {})]
    runs = runs_of([action(3, Phase.BEGIN, node="n"), *again, *fault])
    assert [(run.begin, run.end) for run in runs if run.thing is Thing.FAULT] == [(5, 9)]


def test_how_an_action_ended_that_its_node_broke_off_is_taken_a_day_later_and_gives_no_time():
    begin, restart = action(3, Phase.BEGIN, node="n"), Mark(8, Thing.NODE, Phase.BEGIN, "n", {})
    marks = in_order([begin, restart])
    fold = Fold(State(), 0, {})
    for mark in marks:
        fold.take(mark)
    fold = Fold(fold.ended(HOUR), 20 * HOUR, {})
    fold.take(action(20 * HOUR, Phase.END, Outcome.FAILED, node="n"))
    (run,) = fold.runs
    assert (run.begin, run.before, run.end, run.outcome) == (3, 8, None, Outcome.FAILED)


def test_an_action_that_its_node_broke_off_and_that_begins_again_is_another_one():
    restart = Mark(8, Thing.NODE, Phase.BEGIN, "n", {})
    marks = [action(3, Phase.BEGIN, node="n"), restart, action(9, Phase.BEGIN, node="n")]
    found = [one for one in runs_of([*marks, action(12, Phase.END)]) if one.thing is Thing.ACTION]
    assert [(run.begin, run.before, run.end) for run in found] == [(3, 8, None), (9, None, 12)]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([Mark(2, Thing.NODE, Phase.BEGIN, "n", {})], 2),
        ([Mark(2, Thing.NODE, Phase.BEGIN, "n", {}), Mark(4, Thing.NODE, Phase.END, "n", {})], 4),
        ([action(3, Phase.BEGIN, id_="b", node="n"), action(6, Phase.END, id_="b", node="n")], 6),
        ([action(3, Phase.BEGIN, id_="b", node="o"), action(6, Phase.END, id_="b", node="o")], None),
    ],
)
def test_an_end_without_a_beginning_is_of_what_began_since_the_node_was_known_to_rest(before, after):
    runs = runs_of([*before, action(9, Phase.END, node="n")])
    (run,) = [one for one in runs if one.id == "a" and one.thing is Thing.ACTION]
    month = 9 - 30 * 24 * HOUR
    assert (run.begin, run.end, run.after) == (None, 9, month if after is None else after)


def test_an_end_says_when_what_was_queued_began_but_not_before_that():
    queued = Mark(3 * 1_000_000, Thing.WORKFLOW, Phase.QUEUED, "w", {})
    for seconds, begin in ((2.0, 7_000_000), (30.0, 3_000_000)):
        end = Mark(9_000_000, Thing.WORKFLOW, Phase.END, "w", {}, Outcome.COMPLETED, seconds)
        (run,) = runs_of([queued, end])
        assert (run.queued, run.begin, run.end) == (3_000_000, begin, 9_000_000)


def test_actions_that_are_named_by_a_word_come_one_after_the_other_on_each_node():
    def word(at: int, phase: Phase, node: str) -> Mark:
        return action(at, phase, id_=id_of_word("transfer", node), node=node)

    times = {"n": (1, 4, 6, 9), "o": (2, 5)}
    marks = [
        word(at, (Phase.BEGIN, Phase.END)[place % 2], node)
        for node, some in times.items()
        for place, at in enumerate(some)
    ]
    found = {(run.about["node"], run.begin, run.end) for run in runs_of(marks)}
    assert found == {("n", 1, 4), ("n", 6, 9), ("o", 2, 5)}
