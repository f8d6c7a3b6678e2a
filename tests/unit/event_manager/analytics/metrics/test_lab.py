"""The document of all figures: complete, of JSON, with units in its names, and of an empty lab, too."""

from __future__ import annotations

import json
import re

import pytest

from madsci.event_manager.analytics.marks import Thing
from madsci.event_manager.analytics.metrics import shown
from madsci.event_manager.analytics.metrics.definitions import DEFINITIONS
from madsci.event_manager.analytics.metrics.lab import lab_metrics
from madsci.event_manager.analytics.runs import Run
from madsci.event_manager.analytics.spans import HOUR
from support.lab_life import CANCELLED, FAILED, action, fault, lived, session, up, workflow

MINUTE = HOUR // 60
BARE = {
    "n", "failures", "faults", "crashes", "assists", "completed", "failed", "other", "cancelled",
    "unknown", "interventions", "stretches", "sessions", "nodes", "timeline_spans", "most",
    "in_longest", "current", "median", "best_hour_completed", "confidence_percent",
    "completed_per_hour",
}  # fmt: skip
"""Counts, which have no unit."""


def of_a_day():
    """A session of eight hours with two nodes, of which one fails."""
    hour = HOUR
    runs = [
        session(8 * hour, 16 * hour), up(8 * hour, 16 * hour, "arm"), up(8 * hour, 16 * hour, "oven"),
        Run(Thing.EXPERIMENT, "x", 8 * hour, 15 * hour, about={"user": "ann", "campaign": "c"}),
        workflow(9 * hour, 12 * hour, "w", experiment="x", name="Bake"),
        workflow(12 * hour, 13 * hour, "v", CANCELLED, experiment="x", name="Bake"),
        action(9 * hour, 10 * hour, "arm", workflow="w", name="move"),
        action(10 * hour, 12 * hour, "oven", workflow="w", name="heat"),
        action(12 * hour, 12 * hour + 30 * MINUTE, "oven", FAILED, workflow="v", name="heat"),
        fault(13 * hour, 14 * hour, "oven"),
        action(15 * hour, 15 * hour + 15 * MINUTE, "arm", name="move"),
    ]  # fmt: skip
    return lived(runs, (0, 24 * hour))


@pytest.fixture
def document():
    return lab_metrics(of_a_day(), 24 * HOUR, {"start_time": "1970-01-01", "format": "json"})


def test_the_document_has_all_members_and_is_json(document):
    assert list(document) == [
        "generated_at", "query", "window", "coverage", "definitions", "all_nodes", "nodes",
        "reliability", "autonomy", "throughput", "actions", "workflows", "attribution", "pareto",
    ]  # fmt: skip
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert document["query"] == {"start_time": "1970-01-01", "format": "json"}
    assert document["generated_at"] == "1970-01-02T00:00:00.000000Z"


def test_it_says_what_nodes_did(document):
    arm, oven = document["nodes"]
    assert (arm["node"], arm["productive_hours"], arm["standby_hours"]) == ("arm", 1.25, 6.75)
    assert oven["unscheduled_down_hours"] == 1
    assert oven["non_scheduled_hours"] == 16
    assert oven["operational_utilization"] == {
        "value_percent": 31.25, "low_percent": 31.25, "high_percent": 31.25,
    }  # fmt: skip
    assert oven["timeline"][0] == {
        "state": "NST", "start": "1970-01-01T00:00:00.000000Z", "end": "1970-01-01T08:00:00.000000Z",
    }  # fmt: skip
    assert oven["timeline_spans"] == len(oven["timeline"]) == 7
    assert document["all_nodes"]["total_hours"] == 48
    assert document["coverage"]["coverage_percent"] == 100


def test_it_says_how_the_lab_went(document):
    assert document["window"]["session_hours"] == 8
    mtbf = document["reliability"]["all_nodes"]["mtbf"]
    assert (mtbf["relation"], mtbf["value_hours"], mtbf["n"]) == ("=", 3.75, 1)
    arm = document["reliability"]["nodes"][0]["mtbf"]
    assert (arm["relation"], arm["value_hours"], arm["high_hours"]) == (">=", None, None)
    assert document["autonomy"]["time_without_humans"]["longest"] == {
        "length_hours": 5, "start": "1970-01-01T08:00:00.000000Z", "end": "1970-01-01T13:00:00.000000Z",
    }  # fmt: skip
    assert document["autonomy"]["commands_completed_without_humans"]["most"] == 2
    assert document["throughput"]["actions"]["completed_per_hour"] == 0.375
    assert document["throughput"]["workflows"]["completed"] == 1
    assert document["throughput"]["demonstrated_unassisted_lifetime"]["length_hours"] == 5
    assert document["throughput"]["demonstrated_assisted_lifetime"]["length_hours"] == 8


def test_it_says_how_work_went_and_whose_it_was(document):
    assert [(one["node"], one["action"], one["n"]) for one in document["actions"]] == [
        ("arm", "move", 2), ("oven", "heat", 2),
    ]  # fmt: skip
    assert document["actions"][1]["duration"]["p50_seconds"] == 7_200
    assert document["workflows"]["all"]["makespan"]["p95_seconds"] == 10_800
    assert document["workflows"]["by_name"][0]["workflow"] == "Bake"
    assert document["attribution"]["all_nodes"]["users"] == [
        {"user": "ann", "busy_hours": 3.5, "share_percent": 93.3333},
        {"user": None, "busy_hours": 0.25, "share_percent": 6.6667},
    ]
    lost = [(one["kind"], one["lost_minutes"], one["cumulative_percent"]) for one in document["pareto"]]
    assert lost == [("fault", 60, 66.6667), ("failed_action", 30, 100)]


def test_numbers_have_their_units_in_their_names(document):
    def names_of_numbers(value, name=""):
        if isinstance(value, dict):
            for key, inner in value.items():
                yield from names_of_numbers(inner, key)
        elif isinstance(value, list):
            for inner in value:
                yield from names_of_numbers(inner, name)
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            yield name

    parts = {
        name: value
        for name, value in document.items()
        if name != "autonomy"  # its kinds of interventions are counts
    }
    without = {
        name
        for name in names_of_numbers(parts)
        if not re.search("_(hours|minutes|seconds|percent)$", name)
    }
    assert without <= BARE


def test_each_figure_has_a_definition_with_a_formula_and_a_source(document):
    assert [one["name"] for one in document["definitions"]] == [one.name for one in DEFINITIONS]
    assert len({one.name for one in DEFINITIONS}) == len(DEFINITIONS)
    assert all(one.formula and one.source for one in DEFINITIONS)


@pytest.mark.parametrize("window", [(0, HOUR), (5, 5)])
def test_of_a_lab_without_events_nothing_is_known(window):
    document = lab_metrics(lived([], window), 0, {})
    json.dumps(document, allow_nan=False)
    assert document["coverage"]["coverage_percent"] is None
    assert document["reliability"]["all_nodes"]["mtbf"]["relation"] is None
    assert (document["nodes"], document["actions"], document["pareto"]) == ([], [], [])
    assert not document["coverage"]["are_sessions_known"]


def test_a_timeline_of_very_many_spans_is_left_out_and_said_to_be(monkeypatch):
    monkeypatch.setattr(shown, "MOST_OF_TIMELINE", 3)
    nodes = lab_metrics(of_a_day(), 24 * HOUR, {})["nodes"]
    assert [(one["timeline_spans"], one["timeline"]) for one in nodes] == [(7, []), (7, [])]
