"""Figures as sentences: with what they were made of, and without a figure where nothing is known."""

from __future__ import annotations

from madsci.event_manager.analytics.metrics import methods
from madsci.event_manager.analytics.metrics.lab import lab_metrics
from madsci.event_manager.analytics.metrics.methods import methods_text
from madsci.event_manager.analytics.spans import HOUR
from support.lab_life import action, fault, lived, session, up


def text(runs, query=None, window=(0, 10 * HOUR)):
    return methods_text(lab_metrics(lived(runs, window), window[1], query or {}))


def test_figures_are_stated_with_their_number_interval_coverage_window_and_query():
    runs = [
        session(0, 8 * HOUR), up(0, 8 * HOUR), action(HOUR, 3 * HOUR, name="mix"),
        fault(4 * HOUR, 5 * HOUR),
    ]  # fmt: skip
    found = text(runs, {"start_time": "1970-01-01", "format": "methods"})
    for part in (
        "from 1970-01-01T00:00:00.000000Z to 1970-01-01T10:00:00.000000Z (10 h), with 1 node.",
        "1 session took 8 h.",
        "Events tell of 100 % of the 10 h of all nodes (coverage)",
        "Operational utilization (productive time over operations time) was 25 % (25 % to 25 %)",
        "1 failure (1 fault, 0 crashes) and 0 further interruptions by humans were counted.",
        "(MTBF) was 2 h (n = 1, 95 % interval 0.359 h to 79 h).",
        "(TWH) was 5 h (from 1970-01-01T00:00:00.000000Z); the median of n = 2 such times was 4 h.",
        "Action mix on n took 7200 s in the median",
        "(n = 1) and failed in 0 % of n = 1 cases (95 % interval 0 % to 79.35 %).",
        "parameters of the query: start_time=1970-01-01, format=methods.",
        "Nature Communications 15, 1378",
    ):
        assert part in found
    assert found.endswith("\n")
    assert "None" not in found


def test_numbers_are_written_out_however_large_they_are():
    found = text([action(HOUR, 20_000 * HOUR, name="mix")], window=(0, 20_000 * HOUR))
    assert "19999 h productive" in found
    assert "Action mix on n took 71996400 s in the median" in found
    assert "e+" not in found


def test_without_a_failure_there_is_a_lower_bound():
    assert "(MTBF) was at least 0.5422 h (>=, n = 0, lower bound" in text([action(HOUR, 3 * HOUR)])


def test_what_is_not_known_is_said_to_be_unknown():
    found = text([])
    assert "No session is known" in found
    assert "Events tell of no node" in found
    assert "(MTBF) was unknown (n = 0)." in found
    assert "None" not in found


def test_names_break_no_line_and_rare_actions_are_left_to_the_table(monkeypatch):
    monkeypatch.setattr(methods, "_MOST_ACTIONS", 1)
    found = text([action(0, 5, name="a\nb"), action(5, 9, name="a\nb"), action(9, 12, name="c")])
    assert "Action a b on n" in found
    assert "The table of the figures has 1 less frequent action more." in found
    assert "Action c" not in found
