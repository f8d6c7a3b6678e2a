"""The states of SEMI E10 of nodes: what is known, what sessions decide, and what nobody can tell."""

from __future__ import annotations

import pytest

from madsci.event_manager.analytics.marks import Outcome, Phase, Thing
from madsci.event_manager.analytics.metrics.states import (
    State,
    Sums,
    all_sums,
    node_states,
    session_times,
)
from madsci.event_manager.analytics.runs import Run
from support.lab_life import action, crashed, fault, lived, mark, session, told, up


def spelled(timelines, until=None, node="n"):
    """The states of a node: ``SBY 0-5`` and so on."""
    states = node_states(timelines, timelines.window[1] if until is None else until)[node]
    return ", ".join(f"{state.value} {begin}-{end}" for (begin, end), state in states.timeline())


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        (
            [session(10, 90), up(20, 80), action(30, 40)],
            "NST 0-10, SDT 10-20, SBY 20-30, PRD 30-40, SBY 40-80, SDT 80-90, NST 90-100",
        ),
        (
            [session(10, 90), action(95, 98), up(95, 99)],
            "NST 0-10, SDT 10-90, NST 90-95, PRD 95-98, SBY 98-99, NST 99-100",
        ),
        ([session(0, 100), up(0, 100), fault(20, 30)], "SBY 0-20, UDT 20-30, SBY 30-100"),
        ([session(0, 100), up(0, 100), fault(20, 40), action(25, 30)],
            "SBY 0-20, UDT 20-25, PRD 25-30, UDT 30-40, SBY 40-100"),
        ([up(-50, 30)], "SBY 0-30, SDT 30-100"),
    ],
)  # fmt: skip
def test_nodes_are_in_the_state_that_they_tell_of_and_else_in_that_of_their_sessions(runs, expected):
    assert spelled(lived(runs)) == expected


def test_a_fault_is_unscheduled_downtime_also_outside_sessions():
    runs = [session(0, 50), session(70, 100), up(0, 30), fault(20, 80), up(80, 100)]
    assert spelled(lived(runs)) == "SBY 0-20, UDT 20-80, SBY 80-100"
    runs = [session(0, 30), up(0, 30), fault(40, 60)]
    assert spelled(lived(runs)) == "SBY 0-30, NST 30-40, UDT 40-60, NST 60-100"


def test_downtime_after_a_fault_is_unscheduled_until_the_node_is_up_but_not_outside_sessions():
    runs = [session(0, 50), session(70, 100), up(0, 30), fault(20, 40), up(80, 100)]
    assert spelled(lived(runs)) == "SBY 0-20, UDT 20-50, NST 50-70, UDT 70-80, SBY 80-100"


def test_downtime_is_unscheduled_also_where_the_fault_was_cleared_while_the_node_was_down():
    runs = [session(0, 100), up(0, 30), fault(20, 40), up(80, 100)]
    assert spelled(lived(runs)) == "SBY 0-20, UDT 20-80, SBY 80-100"


def test_an_orderly_stop_after_a_fault_was_cleared_is_scheduled():
    runs = [session(0, 100), up(0, 30), fault(10, 20), up(80, 100)]
    assert spelled(lived(runs)) == "SBY 0-10, UDT 10-20, SBY 20-30, SDT 30-80, SBY 80-100"


def test_nobody_can_tell_between_the_last_sign_of_a_node_and_its_next_start():
    runs = [session(0, 100), crashed(0, 30, 60), up(60, 100)]
    assert spelled(lived(runs)) == "SBY 0-30, unknown 30-60, SBY 60-100"


def test_a_fault_is_known_though_it_is_not_known_whether_the_node_was_up():
    runs = [session(0, 50), crashed(0, 30, 60), up(60, 100), fault(20, 60)]
    assert spelled(lived(runs)) == "SBY 0-20, UDT 20-60, SBY 60-100"


def test_an_action_that_may_have_gone_on_makes_the_time_of_its_node_unknown_also_where_it_was_down():
    runs = [
        session(0, 100), up(0, 60),
        Run(Thing.ACTION, "a", 10, None, before=70, last=20, about={"node": "n"}),
    ]  # fmt: skip
    assert spelled(lived(runs)) == "SBY 0-10, PRD 10-20, unknown 20-70, SDT 70-100"


def test_a_node_that_never_tells_when_it_starts_counts_as_up_throughout_sessions():
    timelines = lived([session(10, 90), action(20, 30), action(95, 97)])
    assert (
        spelled(timelines)
        == "NST 0-10, SBY 10-20, PRD 20-30, SBY 30-90, NST 90-95, PRD 95-97, NST 97-100"
    )
    assert not node_states(timelines, 100)["n"].node.says_when_up


def test_where_no_session_is_known_all_of_the_window_is_one():
    assert spelled(lived([action(20, 30)])) == "SBY 0-20, PRD 20-30, SBY 30-100"


def test_only_sessions_of_its_workcell_and_of_the_lab_count_for_a_node():
    cells = [session(0, 40, "workcell", workcell="w"), session(40, 80, "workcell", workcell="v")]
    runs = [*cells, up(10, 20, workcell="w")]
    assert spelled(lived(runs)) == "SDT 0-10, SBY 10-20, SDT 20-40, NST 40-100"
    runs = [*cells, up(10, 20)]
    assert spelled(lived(runs)) == "SDT 0-10, SBY 10-20, SDT 20-80, NST 80-100"


def test_a_node_of_a_workcell_without_sessions_belongs_to_all():
    cells = [session(0, 40, "workcell", workcell="w"), session(60, 80, "workcell", workcell="v")]
    assert (
        spelled(lived([*cells, action(10, 20, workcell="u")]))
        == "SBY 0-10, PRD 10-20, SBY 20-40, NST 40-60, SBY 60-80, NST 80-100"
    )
    runs = [*cells, up(10, 70, workcell="u")]
    assert spelled(lived(runs)) == "SDT 0-10, SBY 10-70, SDT 70-80, NST 80-100"


def test_where_sessions_were_told_and_none_of_the_window_nothing_was_scheduled():
    timelines = lived([session(-50, -20), action(20, 30), up(0, 50, "m")])
    assert spelled(timelines) == "NST 0-20, PRD 20-30, NST 30-100"
    assert spelled(timelines, node="m") == "SBY 0-50, NST 50-100"
    assert session_times(timelines, 100).spans == ()


def test_what_is_still_ahead_or_was_left_out_is_unknown():
    runs = [session(10, None), up(10, None)]
    assert spelled(lived(runs), until=50) == "NST 0-10, unknown 10-100"
    runs = [session(10, 90), up(10, 90), fault(40, None), action(60, 62)]
    assert (
        spelled(lived(runs), until=50)
        == "NST 0-10, SBY 10-40, UDT 40-50, unknown 50-60, PRD 60-62, unknown 62-100"
    )
    assert lived(known_until=70).known_until(80) == 70
    assert lived(known_until=None).known_until(80) == 80
    assert lived().known_until() == lived().known_until(500) == 100
    assert lived().known_until(-500) == 0
    assert session_times(lived(runs), 50).spans == ((10, 50),)


def test_states_follow_from_marks():
    marks = [
        mark(5, Thing.SESSION, Phase.BEGIN, "lab", kind="lab"),
        mark(10, Thing.NODE, Phase.BEGIN, "n"),
        mark(20, Thing.ACTION, Phase.BEGIN, "a", node="n"),
        mark(30, Thing.ACTION, Phase.END, "a", Outcome.FAILED, node="n"),
        mark(30, Thing.NODE, Phase.FAULT, "n"),
        mark(40, Thing.NODE, Phase.CLEAR, "n"),
        mark(80, Thing.NODE, Phase.END, "n"),
        mark(90, Thing.SESSION, Phase.END, "lab", kind="lab"),
    ]
    assert spelled(told(marks)) == (
        "NST 0-5, SDT 5-10, SBY 10-20, PRD 20-30, UDT 30-40, SBY 40-80, SDT 80-90, NST 90-100"
    )


def sums(**times: int) -> Sums:
    return Sums({state: times.get(state.value, 0) for state in State})


def test_times_of_e10_are_sums_of_states():
    of = sums(PRD=30, SBY=10, SDT=6, UDT=4, NST=40, unknown=10)
    assert (of.total, of.known, of.operations) == (100, 90, 50)
    assert (of.manufacturing, of.uptime, of.downtime) == (40, 40, 10)


def test_utilization_is_of_what_is_known_between_what_the_unknown_allows():
    of = sums(PRD=30, SBY=20, NST=40, unknown=10)
    assert of.operational_utilization == (0.6, 0.5, 40 / 60)
    assert of.total_utilization == (30 / 90, 0.3, 0.4)


def test_of_nothing_there_is_no_utilization_and_of_the_unknown_none_that_is_known():
    assert sums().total_utilization is None
    assert sums(NST=5).operational_utilization is None
    assert sums(NST=5).total_utilization == (0, 0, 0)
    assert sums(unknown=5).operational_utilization == (None, 0, 1)


def test_all_nodes_together_have_the_hours_of_each():
    timelines = lived([up(0, 50, "a"), up(0, 100, "b"), action(10, 20, "b")])
    of = all_sums(node_states(timelines, 100))
    assert (of.total, of.times[State.PRODUCTIVE], of.times[State.STANDBY]) == (200, 10, 140)
