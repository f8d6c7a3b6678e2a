"""What is read of the life of a lab: all that lies in a window, also at its very end."""

from __future__ import annotations

import pytest

from madsci.event_manager.analytics.metrics.lab import lab_metrics
from support.lab_story import action, at, experiment, lines_of, told, workflow

INSTANTS = [
    *action("12:00", "12:00"),
    *action(None, "12:00", id_="alone"),
    *workflow(None, "12:00", "f", "Ann", status="completed"),
    *workflow("12:00", "12:00", "g", "Ann", status="completed"),
    told("09:00", "node_start", node_id="m"),
    told("12:00", "node_start", node_id="m"),
    told("12:30", "node_stop", node_id="m"),
    *experiment(None, "12:00", "y"),
]


def figures(begin: str, end: str, events=INSTANTS) -> dict:
    return lab_metrics(lines_of(events, begin, end, "2025-01-08T00:00:00"), at("13:00"), {})


@pytest.mark.parametrize("edges", [("11:00", "12:00", "13:00"), ("11:30", "12:00", "24:00")])
def test_what_ends_at_a_full_hour_counts_in_the_window_that_ends_then(edges):
    first, middle, last = edges
    for begin, end, n in ((first, middle, 1), (middle, last, 0), (first, last, 1)):
        found = figures(begin, end)
        assert found["throughput"]["actions"]["completed"] == 2 * n
        assert found["workflows"]["all"]["n"] == 2 * n
        assert found["reliability"]["all_nodes"]["crashes"] == n
        assert found["autonomy"]["interventions"] == n


def test_a_workflow_of_which_only_the_end_is_known_was_under_way_before_that():
    counts = [
        [run.id for run in lines_of(INSTANTS, *window).workflows]
        for window in (("11:00", "12:00"), ("12:00", "13:00"), ("11:00", "13:00"))
    ]
    assert counts == [["f"], ["g"], ["f", "g"]]


def test_an_experiment_of_which_only_the_end_is_known_was_under_way_before_that():
    counts = [
        [one.id for one in lines_of(INSTANTS, *window).experiments]
        for window in (("11:00", "12:00"), ("12:00", "13:00"))
    ]
    assert counts == [["y"], []]


@pytest.mark.parametrize("middle", ["12:00", "12:30"])
@pytest.mark.parametrize("is_up", [True, False])
def test_a_fault_that_is_cleared_in_its_own_instant_counts_once(middle, is_up):
    events = [
        told(middle, "node_error", node_id="n"),
        told(middle, "node_status_update", {"status": "idle"}, node_id="n"),
        *([told("09:00", "node_start", node_id="n")] if is_up else []),
    ]
    counted = [
        (
            (found := figures(*window, events))["reliability"]["all_nodes"]["faults"],
            found["autonomy"]["interventions_by_kind"]["fault_cleared"],
            sum(one["n"] for one in found["pareto"]),
        )
        for window in (("11:30", middle), (middle, "13:00"), ("11:30", "13:00"))
    ]
    assert counted == [(0, 1, 0), (1, 0, 1), (1, 1, 1)]
