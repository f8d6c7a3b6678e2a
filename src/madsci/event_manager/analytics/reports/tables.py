"""Reports as CSV: sections with a heading each, in one file, as people open it in a spreadsheet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from madsci.event_manager.export.csv_rows import csv_text, safe_cell

_Row = Sequence[Any]


def sessions_table(report: Mapping[str, Any]) -> str:
    """Return the report about sessions."""
    about, summary = report["report_metadata"], report["overall_summary"]
    rows: list[_Row] = [
        ["=== UTILIZATION REPORT ==="],
        *_pairs("Report Metadata", [
            ("Generated At", about["generated_at"]),
            ("Analysis Start", about["analysis_start"]),
            ("Analysis End", about["analysis_end"]),
            ("Total Sessions", about["total_sessions"]),
            ("Analysis Duration (hours)", about["analysis_duration_hours"]),
        ]),
        *_pairs("Overall Summary", [
            ("Total Sessions", summary["total_sessions"]),
            ("Total System Runtime (hours)", summary["total_system_runtime_hours"]),
            ("Total Active Time (hours)", summary["total_active_time_hours"]),
            ("Average System Utilization (%)", summary["average_system_utilization_percent"]),
            ("Total Experiments", summary["total_experiments"]),
            ("Nodes Tracked", summary["nodes_tracked"]),
        ]),
        *_section("=== SESSION DETAILS ===", _SESSION, report["session_details"]),
        *_section("=== NODE SUMMARY ===", _NODE_OF_SESSIONS, _with_ids(summary["node_summary"])),
        *_completeness({**about["coverage"], **about}, [
            ("Node Time Known (%)", about["coverage"]["node_time_known_percent"]),
            ("Unknown Node Time (hours)", about["coverage"]["unknown_node_hours"]),
            ("Unknown Experiment Time (hours)", about["coverage"]["unknown_experiment_hours"]),
        ]),
    ]  # fmt: skip
    return csv_text(rows)


def users_table(report: Mapping[str, Any]) -> str:
    """Return the report about people."""
    about, summary = report["report_metadata"], report["system_summary"]
    rows: list[_Row] = [
        ["=== DETAILED USER UTILIZATION REPORT ==="],
        *_pairs("Report Metadata", [
            ("Generated At", about["generated_at"]),
            ("Analysis Start", about["analysis_start"]),
            ("Analysis End", about["analysis_end"]),
            ("Total Users", about["total_users"]),
            ("Total Workflows", about["total_workflows"]),
        ]),
        *_pairs("System Summary", [
            ("Total Workflows", summary["total_workflows"]),
            ("Total Runtime (hours)", summary["total_runtime_hours"]),
            ("Average Workflow Duration (hours)", summary["average_workflow_duration_hours"]),
            ("Completion Rate (%)", summary["completion_rate_percent"]),
            ("Author Attribution Rate (%)", summary["author_attribution_rate_percent"]),
        ]),
        *_section("=== USER DETAILS ===", _USER, report["user_utilization"].values()),
        *_completeness(about),
    ]  # fmt: skip
    return csv_text(rows)


def periods_table(report: Mapping[str, Any]) -> str:
    """Return the report about periods."""
    about, metrics = report["summary_metadata"], report["key_metrics"]
    experiments, people = report["experiment_details"], report.get("user_utilization", {})
    rows: list[_Row] = [
        ["=== UTILIZATION PERIODS REPORT ==="],
        *_pairs("Metadata", [
            ("Analysis Type", about["analysis_type"]),
            ("Generated At", about["generated_at"]),
            ("Period Start", about["period_start"]),
            ("Period End", about["period_end"]),
            ("User Timezone", about["user_timezone"]),
            ("Total Periods", about["total_periods"]),
        ]),
        *_pairs("Key Metrics", [
            ("Average Utilization (%)", metrics["average_utilization"]),
            ("Peak Utilization (%)", metrics["peak_utilization"]),
            ("Peak Period", metrics["peak_period"]),
            ("Total Experiments", metrics["total_experiments"]),
            ("Total Runtime (hours)", metrics["total_runtime_hours"]),
            ("Total Active Time (hours)", metrics["total_active_time_hours"]),
            ("Active Periods", metrics["active_periods"]),
            ("Total Periods", metrics["total_periods"]),
        ]),
        *_section("=== TIME SERIES DATA ===", _SYSTEM, report["time_series"]["system"]),
        *(
            _section("=== NODE SUMMARY ===", _NODE, report["node_summary"].values())
            or [[], ["=== NODE SUMMARY ==="], ["No node data available"]]
        ),
        *_section("=== WORKCELL SUMMARY ===", _WORKCELL, report["workcell_summary"].values()),
        *_section("=== USER UTILIZATION ===", _TOP_USER, people.get("top_users", ())),
        *_section("=== EXPERIMENT DETAILS ===", _EXPERIMENT, experiments["experiments"]),
    ]  # fmt: skip
    more = experiments["total_experiments"] - len(experiments["experiments"])
    if more > 0:
        rows.append([f"... and {more} more experiments"])
    unknown = [("Total Unknown Time (seconds)", metrics["total_unknown_time_seconds"])]
    return csv_text([*rows, *_completeness(about, unknown)])


_Columns = Mapping[str, str]
"""Headings, and the members that stand under them."""
_SESSION: Final = {
    "Session Type": "session_type", "Session Name": "session_name", "Start Time": "start_time",
    "End Time": "end_time", "Duration (hours)": "duration_hours",
    "System Utilization (%)": "system_utilization_percent", "Total Experiments": "total_experiments",
    "Nodes Active": "nodes_active",
}  # fmt: skip
_NODE_OF_SESSIONS: Final = {
    "Node ID": "node_id", "Average Utilization (%)": "average_utilization_percent",
    "Total Busy Time (hours)": "total_busy_time_hours", "Sessions Active": "sessions_active",
}  # fmt: skip
_USER: Final = {
    "Author": "author", "Total Workflows": "total_workflows", "Completed": "completed_workflows",
    "Failed": "failed_workflows", "Cancelled": "cancelled_workflows",
    "Total Runtime (hours)": "total_runtime_hours",
    "Avg Duration (hours)": "average_workflow_duration_hours",
    "Completion Rate (%)": "completion_rate_percent", "Shortest (hours)": "shortest_workflow_hours",
    "Longest (hours)": "longest_workflow_hours",
}  # fmt: skip
_SYSTEM: Final = {
    "Period Number": "period_number", "Period Type": "period_type", "Period Display": "period_display",
    "Date": "date", "Start Time": "start_time", "Utilization (%)": "utilization",
    "Experiments": "experiments", "Runtime (hours)": "runtime_hours",
}  # fmt: skip
_NODE: Final = {
    "Node ID": "node_id", "Node Name": "node_name", "Display Name": "display_name",
    "Average Utilization (%)": "average_utilization", "Peak Utilization (%)": "peak_utilization",
    "Peak Period": "peak_period", "Total Busy (hours)": "total_busy_hours",
}  # fmt: skip
_WORKCELL: Final = {
    "Workcell ID": "workcell_id", "Workcell Name": "workcell_name", "Display Name": "display_name",
    "Average Utilization (%)": "average_utilization", "Peak Utilization (%)": "peak_utilization",
    "Peak Period": "peak_period", "Total Experiments": "total_experiments",
    "Total Runtime (hours)": "total_runtime_hours",
    "Total Active Time (hours)": "total_active_time_hours",
}  # fmt: skip
_TOP_USER: Final = {
    "Author": "author", "Total Workflows": "total_workflows",
    "Total Runtime (hours)": "total_runtime_hours", "Completion Rate (%)": "completion_rate_percent",
    "Average Workflow Duration (hours)": "average_workflow_duration_hours",
}  # fmt: skip
_EXPERIMENT: Final = {
    "Experiment ID": "experiment_id", "Experiment Name": "experiment_name", "Start Time": "start_time",
    "End Time": "end_time", "Status": "status", "Duration (hours)": "duration_hours",
    "Duration Display": "duration_display",
}  # fmt: skip


def _pairs(heading: str, rows: Iterable[_Row]) -> list[_Row]:
    return [[], [heading], *([name, safe_cell(value)] for name, value in rows)]


def _completeness(about: Mapping[str, Any], unknown: Iterable[_Row] = ()) -> list[_Row]:
    """Return how much is known, and up to where what was sent is in a report."""
    return _pairs("=== COMPLETENESS ===", [
        *unknown,
        ("Latest Event Received", about["latest_event_received"]),
        ("Complete Until", about["complete_until"]),
        ("Events Not Read Yet", about.get("events_not_read_yet")),
    ])  # fmt: skip


def _section(heading: str, columns: _Columns, items: Iterable[Mapping[str, Any]]) -> list[_Row]:
    """Return a heading with a table below it, nothing without rows."""
    rows = [[safe_cell(item[member]) for member in columns.values()] for item in items]
    return [[], [heading], list(columns), *rows] if rows else []


def _with_ids(nodes: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{"node_id": id_, **node} for id_, node in nodes.items()]
