"""Figures as a table: a row for each, which no spreadsheet runs."""

from __future__ import annotations

from madsci.event_manager.analytics.metrics.lab import lab_metrics
from madsci.event_manager.analytics.metrics.table import lab_csv
from madsci.event_manager.analytics.spans import HOUR
from support.lab_life import FAILED, action, fault, lived, session, up, workflow
from support.spreadsheets import read_csv

RUNS = [
    session(0, 8 * HOUR), up(0, 8 * HOUR), fault(4 * HOUR, 5 * HOUR), workflow(0, HOUR, name="Bake"),
    action(HOUR, 3 * HOUR, name="mix", user="=ann()"), action(6 * HOUR, 7 * HOUR, "m", FAILED),
]  # fmt: skip


def table(runs, query=None):
    return lab_csv(lab_metrics(lived(runs, (0, 10 * HOUR)), 10 * HOUR, query or {}))


def rows(runs, query=None):
    header, *found = read_csv(table(runs, query))
    return [dict(zip(header, cells, strict=True)) for cells in found]


def one(found, metric, **cells):
    (row,) = (
        row
        for row in found
        if row["metric"] == metric and all(row[name] == text for name, text in cells.items())
    )
    return row


def test_each_figure_is_a_row_with_its_unit_number_and_bounds():
    found = rows(RUNS)
    assert list(found[0]) == ["metric", "node", "action", "who", "value", "unit", "n", "low", "high"]
    assert one(found, "productive_time", node="n")["value"] == "2.0"
    mtbf = one(found, "mtbf", node="n")
    assert (mtbf["value"], mtbf["unit"], mtbf["n"]) == ("2.0", "hours", "1")
    assert float(mtbf["low"]) < 2 < float(mtbf["high"])
    assert one(found, "action_duration_p99", node="n", action="mix")["value"] == "7200.0"
    assert one(found, "workflow_makespan_p50", action="Bake")["unit"] == "seconds"
    assert one(found, "lost_by_fault", node="n")["value"] == "60.0"
    assert one(found, "lost_by_failed_action", node="m")["value"] == "60.0"
    assert one(found, "operational_utilization", node="")["unit"] == "percent"


def test_lines_end_as_csv_says_and_what_is_not_known_is_an_empty_cell():
    text = table(RUNS)
    assert text.count("\r\n") == text.count("\n") == len(text.splitlines())
    assert one(rows(RUNS), "mtbf", node="m")["value"] == ""


def test_no_cell_is_run_by_a_spreadsheet():
    found = rows(RUNS, {"@q": "+1\x00"})
    assert one(found, "busy_time_by_user", node="n")["who"] == "'=ann()"
    query = one(found, "query")
    assert (query["who"], query["value"]) == ("'@q", "'+1\x00")


def test_no_row_is_there_twice():
    found = rows(RUNS)
    keys = [(row["metric"], row["node"], row["action"], row["who"]) for row in found]
    assert len(set(keys)) == len(keys)


def test_a_lab_without_events_has_a_table():
    assert one(rows([]), "window")["value"] == "10.0"
