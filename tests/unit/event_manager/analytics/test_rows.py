"""Runs of many documents side by side."""

from __future__ import annotations

from madsci.event_manager.analytics.coded_runs import PLACES, columns
from madsci.event_manager.analytics.marks import Thing
from madsci.event_manager.analytics.rows import Rows
from support.lab_life import COMPLETED, FAILED, action


def documents(*of_each):
    return [part for runs in of_each for part in columns(runs)]


def told(rows: Rows):
    return [
        (rows.texts[node], rows.texts[name], begin, end, outcome)
        for node, name, begin, end, outcome in zip(
            rows.node, rows.name, rows.begin, rows.end, rows.outcome, strict=True
        )
    ]


def test_runs_of_several_documents_have_the_same_numbers_for_the_same_texts():
    parts = documents(
        [action(3, 4, "b", name="heat"), action(0, 1, "a", name="mix")],
        [action(5, 6, "a", FAILED, name="heat"), action(7, 8, "c")],
    )
    done, failed = PLACES[COMPLETED], PLACES[FAILED]
    rows = Rows.of(parts)
    assert sorted(told(rows)) == [
        ("a", "heat", 5, 6, failed), ("a", "mix", 0, 1, done), ("b", "heat", 3, 4, done),
        ("c", "", 7, 8, done),
    ]  # fmt: skip


def test_those_of_a_node_are_side_by_side_and_those_of_a_name_can_be():
    parts = documents(
        [action(0, 1, "a", name="mix"), action(2, 3, "b", name="mix")],
        [action(4, 5, "a", name="heat"), action(6, 7, "a", name="mix")],
    )
    of_nodes = {node: list(rows.begin) for node, rows in Rows.of(parts).by("node")}
    assert of_nodes == {"a": [0, 4, 6], "b": [2]}
    of_names = {name: sorted(rows.begin) for name, rows in Rows.of(parts).by("name")}
    assert of_names == {"mix": [0, 2, 6], "heat": [4]}


def test_each_run_is_its_owners():
    parts = documents(
        [action(0, 1, workflow="w1"), action(2, 3)], [action(4, 5, workflow="w2", workcell="c")]
    )
    rows = Rows.of(parts)
    whose = [rows.texts[number] for number in rows.whose("workflow")]
    assert list(zip(rows.begin, whose, strict=True)) == [(0, "w1"), (2, ""), (4, "w2")]
    assert [rows.texts[number] for number in rows.whose("workcell")] == ["", "", "c"]


def test_of_nothing_there_are_none():
    only_begun = documents([action(0, None)])
    for rows in (Rows.of([]), Rows.of(only_begun)):
        assert len(rows) == 0
        assert list(rows.by("node")) == []
        assert list(rows.whose("workflow")) == []
    assert [run.begin for part in only_begun for run in part.others] == [0]
    assert all(part.thing is Thing.ACTION for part in only_begun)
