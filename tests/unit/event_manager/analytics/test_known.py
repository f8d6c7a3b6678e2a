"""What is known of nodes and sessions is the same whenever it came, and whatever a report is about."""

from __future__ import annotations

import random

import pytest

from madsci.event_manager.analytics.known import Told, learned, nodes_in, sessions_in, with_sessions
from madsci.event_manager.analytics.marks import Mark, Phase, Thing


def node(at: int, phase: Phase = Phase.BEGIN, id_: str = "n", **about: str) -> Mark:
    return Mark(at, Thing.NODE, phase, id_, about)


def action(at: int, node: str = "n", **about: str) -> Mark:
    return Mark(at, Thing.ACTION, Phase.BEGIN, f"a{at}", {"node": node, **about})


MARKS = [
    action(1, workcell="w1"),
    node(2, name="First", workcell="w2"),
    node(4, Phase.END, name="Second"),
    action(5, name="fetch"),
    node(6, name="Third", workcell="w1"),
    node(3, Phase.FAULT, "o", workcell="w1"),
    action(7, "o", workcell="w2"),
    Mark(1, Thing.STEP, Phase.BEGIN, "s", {"node": "p"}),
]


@pytest.mark.parametrize("seed", range(8))
def test_what_was_told_first_holds_in_whatever_order_it_comes(seed):
    marks = MARKS[:]
    random.Random(seed).shuffle(marks)
    text = None
    while marks:
        some = [marks.pop() for _ in range(min(len(marks), 3))]
        text = learned(text, some) or text
    known = nodes_in(text)
    assert sorted(known) == ["n", "o"]
    assert (known["n"].name, known["n"].workcell) == (Told(2, "First"), Told(1, "w1"))
    assert (known["o"].name, known["o"].workcell) == (None, Told(3, "w1"))
    assert text == learned(None, MARKS)


@pytest.mark.parametrize(
    ("phase", "tells"),
    [(Phase.BEGIN, True), (Phase.END, True), (Phase.FAULT, False), (Phase.CLEAR, False)],
)
def test_a_node_tells_when_it_is_up_if_it_says_that_it_began_or_stopped(phase, tells):
    text = learned(None, [node(5, phase, name="N"), node(3, phase, name="N")])
    told_by = {at: nodes_in(text, at)["n"].tells is not None for at in (2, 3, 9)}
    assert told_by == {2: False, 3: tells, 9: tells}


def test_what_is_known_already_changes_nothing():
    assert learned(learned(None, MARKS), MARKS) is None
    assert learned(None, []) is None


def test_no_more_is_kept_than_a_document_holds():
    text = learned(None, [node(at, id_=f"{at}", name="\x01" * 200) for at in range(500)])
    assert learned(text, [node(at, id_=f"x{at}", name="\x01" * 200) for at in range(500)]) is None
    assert len(nodes_in(text)) == 500


def session(at: int, phase: Phase, id_: str, **about: str) -> Mark:
    return Mark(at, Thing.SESSION, phase, id_, about)


def test_sessions_that_ever_began_are_known_with_the_workcell_that_they_are_of():
    marks = [
        session(1, Phase.BEGIN, "w", kind="workcell", workcell="w"),
        session(2, Phase.BEGIN, "m", kind="workcell", workcell="v", manager="m"),
        session(3, Phase.BEGIN, "lab", kind="lab", workcell="x"),
        session(4, Phase.END, "never began", kind="workcell"),
        session(5, Phase.BEGIN, "w", kind="workcell", workcell="w"),
    ]
    known = {"w": (1, "w"), "m": (2, "v"), "lab": (3, None)}
    text = with_sessions(None, marks)
    assert sessions_in(text) == known
    assert with_sessions(with_sessions(None, marks[2:]), marks[:2]) == text
    assert with_sessions(text, marks) is None
    assert sessions_in(None) == {}
    assert sessions_in(text, 1) == {"w": (1, "w")}
