"""Reports as CSV: the sections of the reference, in its order and with its headings."""

from __future__ import annotations

import csv
import io
from zoneinfo import ZoneInfo

import pytest

from madsci.event_manager.analytics.periods import Length
from madsci.event_manager.analytics.reports.periods import periods_report
from madsci.event_manager.analytics.reports.sessions import sessions_report
from madsci.event_manager.analytics.reports.tables import periods_table, sessions_table, users_table
from madsci.event_manager.analytics.reports.users import users_report
from support.lab_story import action, experiment, lines_of, node_up, session, told, workflow

FORMULA = "=cmd|' /C calc'!A0"
GENERATED = "1970-01-01T00:00:00+00:00"


def a_day() -> list:
    return [
        *session("14:00", "18:00", name="Cell"),
        *experiment("15:00", "16:00"),
        *node_up("14:05", "18:00"),
        *action("15:10", "15:40"),
        *workflow("14:10", "14:59", "wf1", "Ann", status="completed"),
    ]


def all_rows_of(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


def rows_of(text: str) -> list[list[str]]:
    """The sections of the reference, which has none about what is not known."""
    rows = all_rows_of(text)
    return rows[: rows.index(["=== COMPLETENESS ==="]) - 1]


def sessions(events, **window):
    return sessions_table(sessions_report(lines_of(events, **window), 0))


def users(events, **window):
    return users_table(users_report(lines_of(events, **window), 0))


def periods(events, *, include_users=True, **window):
    lines = lines_of(events, **window)
    return periods_table(
        periods_report(lines, Length.DAILY, ZoneInfo("UTC"), 0, include_users=include_users)
    )


LATEST = [
    ["Latest Event Received", "2025-01-06T18:00:00"],
    ["Complete Until", ""],
    ["Events Not Read Yet", ""],
]


@pytest.mark.parametrize(
    ("table", "unknown"),
    [
        (
            sessions,
            [
                ["Node Time Known (%)", "75.0"],
                ["Unknown Node Time (hours)", "1.0"],
                ["Unknown Experiment Time (hours)", "0.5"],
            ],
        ),
        (periods, [["Total Unknown Time (seconds)", "1800.0"]]),
        (users, []),
    ],
)
def test_a_table_ends_with_how_much_is_known(table, unknown):
    lost = [told("17:00", "action_start", {"action_id": "lost"}, node_id="n")]
    open_end = [told("17:30", "experiment_start", {}, experiment_id="y")]
    rows = all_rows_of(table([*a_day(), *lost, *open_end]))
    assert rows[rows.index(["=== COMPLETENESS ==="]) + 1 :] == [*unknown, *LATEST]


def test_sessions_have_the_sections_of_the_reference():
    assert rows_of(sessions(a_day())) == [
        ["=== UTILIZATION REPORT ==="],
        [],
        ["Report Metadata"],
        ["Generated At", GENERATED],
        ["Analysis Start", "2025-01-06T00:00:00"],
        ["Analysis End", "2025-01-07T00:00:00"],
        ["Total Sessions", "1"],
        ["Analysis Duration (hours)", "24.0"],
        [],
        ["Overall Summary"],
        ["Total Sessions", "1"],
        ["Total System Runtime (hours)", "4.0"],
        ["Total Active Time (hours)", "1.0"],
        ["Average System Utilization (%)", "25.0"],
        ["Total Experiments", "1"],
        ["Nodes Tracked", "1"],
        [],
        ["=== SESSION DETAILS ==="],
        [
            "Session Type", "Session Name", "Start Time", "End Time", "Duration (hours)",
            "System Utilization (%)", "Total Experiments", "Nodes Active",
        ],
        ["workcell", "Cell", "2025-01-06T14:00:00", "2025-01-06T18:00:00", "4.0", "25.0", "1", "1"],
        [],
        ["=== NODE SUMMARY ==="],
        ["Node ID", "Average Utilization (%)", "Total Busy Time (hours)", "Sessions Active"],
        ["n", "12.8", "0.5", "1"],
    ]  # fmt: skip


def test_people_have_the_sections_of_the_reference():
    assert rows_of(users(a_day())) == [
        ["=== DETAILED USER UTILIZATION REPORT ==="],
        [],
        ["Report Metadata"],
        ["Generated At", GENERATED],
        ["Analysis Start", "2025-01-06T00:00:00"],
        ["Analysis End", "2025-01-07T00:00:00"],
        ["Total Users", "1"],
        ["Total Workflows", "1"],
        [],
        ["System Summary"],
        ["Total Workflows", "1"],
        ["Total Runtime (hours)", "0.82"],
        ["Average Workflow Duration (hours)", "0.817"],
        ["Completion Rate (%)", "100.0"],
        ["Author Attribution Rate (%)", "100.0"],
        [],
        ["=== USER DETAILS ==="],
        [
            "Author", "Total Workflows", "Completed", "Failed", "Cancelled", "Total Runtime (hours)",
            "Avg Duration (hours)", "Completion Rate (%)", "Shortest (hours)", "Longest (hours)",
        ],
        ["Ann", "1", "1", "0", "0", "0.82", "0.817", "100.0", "0.817", "0.817"],
    ]  # fmt: skip


def test_periods_have_the_sections_of_the_reference():
    assert rows_of(periods(a_day())) == [
        ["=== UTILIZATION PERIODS REPORT ==="],
        [],
        ["Metadata"],
        ["Analysis Type", "daily"],
        ["Generated At", GENERATED],
        ["Period Start", "2025-01-06T00:00:00"],
        ["Period End", "2025-01-07T00:00:00"],
        ["User Timezone", "UTC"],
        ["Total Periods", "1"],
        [],
        ["Key Metrics"],
        ["Average Utilization (%)", "25.0"],
        ["Peak Utilization (%)", "25.0"],
        ["Peak Period", "2025-01-06"],
        ["Total Experiments", "1"],
        ["Total Runtime (hours)", "4.0"],
        ["Total Active Time (hours)", "1.0"],
        ["Active Periods", "1"],
        ["Total Periods", "1"],
        [],
        ["=== TIME SERIES DATA ==="],
        [
            "Period Number", "Period Type", "Period Display", "Date", "Start Time", "Utilization (%)",
            "Experiments", "Runtime (hours)",
        ],
        ["1", "day", "2025-01-06", "2025-01-06", "2025-01-06T00:00:00", "25.0", "1", "4.0"],
        [],
        ["=== NODE SUMMARY ==="],
        [
            "Node ID", "Node Name", "Display Name", "Average Utilization (%)", "Peak Utilization (%)",
            "Peak Period", "Total Busy (hours)",
        ],
        ["n", "", "Node n", "12.8", "12.8", "2025-01-06", "0.5"],
        [],
        ["=== WORKCELL SUMMARY ==="],
        [
            "Workcell ID", "Workcell Name", "Display Name", "Average Utilization (%)",
            "Peak Utilization (%)", "Peak Period", "Total Experiments", "Total Runtime (hours)",
            "Total Active Time (hours)",
        ],
        ["W", "Cell", "Cell", "25.0", "25.0", "2025-01-06", "1", "4.0", "1.0"],
        [],
        ["=== USER UTILIZATION ==="],
        [
            "Author", "Total Workflows", "Total Runtime (hours)", "Completion Rate (%)",
            "Average Workflow Duration (hours)",
        ],
        ["Ann", "1", "0.82", "100.0", "0.817"],
        [],
        ["=== EXPERIMENT DETAILS ==="],
        [
            "Experiment ID", "Experiment Name", "Start Time", "End Time", "Status", "Duration (hours)",
            "Duration Display",
        ],
        [
            "x", "Experiment x", "2025-01-06T15:00:00", "2025-01-06T16:00:00", "completed", "1.0",
            "1.0 hours",
        ],
    ]  # fmt: skip


def test_sections_without_rows_are_left_out():
    assert "=== NODE SUMMARY ===" not in sessions([])
    assert "=== USER DETAILS ===" not in users([])
    empty = periods([])
    for name in ("WORKCELL SUMMARY", "USER UTILIZATION", "EXPERIMENT DETAILS"):
        assert f"=== {name} ===" not in empty
    assert rows_of(empty)[-2:] == [["=== NODE SUMMARY ==="], ["No node data available"]]


def test_without_people_their_section_is_left_out():
    assert "=== USER UTILIZATION ===" not in periods(a_day(), include_users=False)


def test_more_than_fifty_experiments_are_said_in_a_last_row():
    events = [one for n in range(53) for one in experiment(f"06:{n:02d}", "09:00", f"x{n}")]
    assert rows_of(periods(events))[-1] == ["... and 3 more experiments"]
    assert "more experiments" not in periods(events[:100])


@pytest.mark.parametrize("table", [sessions, users, periods])
def test_every_line_ends_with_cr_lf(table):
    text = table(a_day())
    assert text.endswith("\r\n")
    assert text.count("\n") == text.count("\r\n") > 15


@pytest.mark.parametrize("begins", ["=", "+", "-", "@"])
def test_no_cell_begins_like_a_formula(begins):
    name = begins + FORMULA[1:]
    source = {"experiment_id": name, "node_id": name}
    events = [
        *session("06:00", "10:00", name, name=name),
        *workflow("06:00", "07:00", name, name, name=name),
        told("06:00", "node_start", {"node_name": name}, **source),
        told("06:00", "experiment_start", {"name": name}, **source),
        told("09:00", "experiment_complete", **source),
        told("09:00", "node_stop", **source),
    ]
    for text in (sessions(events), users(events), periods(events)):
        cells = [cell for row in rows_of(text) for cell in row if not cell.startswith("===")]
        assert f"'{name}" in cells
        assert [cell for cell in cells if cell[:1] in ("=", "+", "-", "@")] == []


def test_commas_quotes_and_line_breaks_stay_in_their_cell():
    author = 'Ann "the\nchemist", PhD'
    assert author in [row[0] for row in rows_of(users(workflow("06:00", "07:00", "f", author))) if row]


def test_what_is_not_known_is_an_empty_cell():
    rows = rows_of(users(workflow("06:00", None, "f", "Ann")))
    assert rows[-1] == ["Ann", "1", "0", "0", "0", "0.0", "0.0", "0.0", "", ""]
    row = rows_of(periods(experiment("06:00", None)))[-1]
    assert row == ["x", "Experiment x", "2025-01-06T06:00:00", "", "in_progress", "", "Ongoing"]
