"""Reports have all the members of the reference's, of the right types, on every engine."""

from __future__ import annotations

import pytest

from madsci.event_manager.stores.memory import MemoryStore
from support.lab_story import action, experiment, node_up, session, told, workflow
from support.reports import Each, misshapen, report, rows_of, send

NUMBER = (int, float)
MAYBE = (str, type(None))
LENGTH = {
    "display": str,
    "seconds": NUMBER,
    "minutes": NUMBER,
    "hours": NUMBER,
    "primary_unit": str,
    "primary_value": NUMBER,
}
PEAK = {"peak_utilization": NUMBER, "peak_period": MAYBE, "peak_context": str}
PERIOD = {"period_number": int, "period_type": str, "period_display": str, "date": str}
SESSIONS = {
    "report_metadata": {
        "generated_at": str,
        "analysis_start": str,
        "analysis_end": str,
        "total_sessions": int,
        "analysis_duration_hours": NUMBER,
    },
    "overall_summary": {
        "total_sessions": int,
        "total_system_runtime_hours": NUMBER,
        "total_active_time_hours": NUMBER,
        "average_system_utilization_percent": NUMBER,
        "total_experiments": int,
        "nodes_tracked": int,
        "node_summary": Each(
            {
                "average_utilization_percent": NUMBER,
                "total_busy_time_hours": NUMBER,
                "sessions_active": int,
            },
            dict,
        ),
        "analysis_period": {"start_time": str, "end_time": str, "duration_hours": NUMBER},
    },
    "session_details": Each(
        {
            "session_type": str,
            "session_id": str,
            "session_name": str,
            "start_time": str,
            "end_time": str,
            "timing": {"duration": LENGTH, "active_time": LENGTH, "idle_time": LENGTH},
            "system_utilization_percent": NUMBER,
            "total_experiments": int,
            "experiment_details": Each(
                {"experiment_id": str, "experiment_name": MAYBE, "display_name": str}, list
            ),
            "nodes_active": int,
            "node_utilizations": Each(
                {
                    "node_id": str,
                    "node_name": MAYBE,
                    "display_name": str,
                    "utilization_percent": NUMBER,
                    "state": str,
                    "timing": {"busy_time": LENGTH, "idle_time": LENGTH, "total_time": LENGTH},
                    "raw_hours": {"busy": NUMBER, "idle": NUMBER, "total": NUMBER},
                    "busy_time_hours": NUMBER,
                    "idle_time_hours": NUMBER,
                },
                dict,
            ),
            "raw_hours": {"duration": NUMBER, "active": NUMBER, "idle": NUMBER},
            "duration_hours": NUMBER,
            "active_time_hours": NUMBER,
        },
        list,
    ),
}
USERS = {
    "report_metadata": {
        "generated_at": str,
        "analysis_start": str,
        "analysis_end": str,
        "total_workflows": int,
        "total_users": int,
        "workflows_with_authors": int,
        "workflows_without_authors": int,
    },
    "system_summary": {
        "total_workflows": int,
        "total_runtime_hours": NUMBER,
        "average_workflow_duration_hours": NUMBER,
        "completion_rate_percent": NUMBER,
        "workflows_with_known_authors": int,
        "author_attribution_rate_percent": NUMBER,
    },
    "user_utilization": Each(
        {
            "author": str,
            "total_workflows": int,
            "completed_workflows": int,
            "failed_workflows": int,
            "cancelled_workflows": int,
            "total_runtime_hours": NUMBER,
            "average_workflow_duration_hours": NUMBER,
            "shortest_workflow_hours": (*NUMBER, type(None)),
            "longest_workflow_hours": (*NUMBER, type(None)),
            "completion_rate_percent": NUMBER,
            "workflows": Each(
                {
                    "workflow_id": str,
                    "workflow_name": str,
                    "start_time": str,
                    "end_time": MAYBE,
                    "duration_hours": (*NUMBER, type(None)),
                    "status": str,
                },
                list,
            ),
        },
        dict,
    ),
}
PERIODS = {
    "summary_metadata": {
        "analysis_type": str,
        "generated_at": str,
        "period_start": str,
        "period_end": str,
        "user_timezone": str,
        "total_periods": int,
        "method": str,
    },
    "key_metrics": {
        "average_utilization": NUMBER,
        **PEAK,
        "total_experiments": int,
        "total_runtime_hours": NUMBER,
        "total_active_time_hours": NUMBER,
        "active_periods": int,
        "total_periods": int,
    },
    "user_utilization": {
        "total_users": int,
        "author_attribution_rate_percent": NUMBER,
        "top_users": Each(
            {
                "author": str,
                "total_workflows": int,
                "total_runtime_hours": NUMBER,
                "completion_rate_percent": NUMBER,
                "average_workflow_duration_hours": NUMBER,
            },
            list,
        ),
        "system_totals": {
            "total_workflows": int,
            "total_runtime_hours": NUMBER,
            "completion_rate_percent": NUMBER,
        },
    },
    "node_summary": Each(
        {
            "node_id": str,
            "node_name": MAYBE,
            "display_name": str,
            "average_utilization": NUMBER,
            **PEAK,
            "total_busy_hours": NUMBER,
        },
        dict,
    ),
    "workcell_summary": Each(
        {
            "workcell_id": str,
            "workcell_name": str,
            "display_name": str,
            "average_utilization": NUMBER,
            **PEAK,
            "total_experiments": int,
            "total_runtime_hours": NUMBER,
            "total_active_time_hours": NUMBER,
        },
        dict,
    ),
    "trends": {
        name: {
            "direction": str,
            "change_percent": NUMBER,
            "first_value": NUMBER,
            "last_value": NUMBER,
            "active_periods_analyzed": int,
        }
        for name in ("utilization_trend", "experiment_trend")
    },
    "experiment_details": {
        "total_experiments": int,
        "experiments": Each(
            {
                "experiment_id": str,
                "experiment_name": str,
                "start_time": str,
                "end_time": MAYBE,
                "status": str,
                "duration_hours": (*NUMBER, type(None)),
                "duration_display": str,
            },
            list,
        ),
    },
    "time_series": {
        "system": Each(
            {
                **PERIOD,
                "start_time": str,
                "start_time_utc": str,
                "utilization": NUMBER,
                "experiments": int,
                "runtime_hours": NUMBER,
                "active_time_hours": NUMBER,
            },
            list,
        ),
        "nodes": Each(Each({**PERIOD, "utilization": NUMBER, "busy_hours": NUMBER}, list), dict),
        "workcells": Each(
            Each(
                {
                    **PERIOD,
                    "utilization": NUMBER,
                    "experiments": int,
                    "runtime_hours": NUMBER,
                    "active_time_hours": NUMBER,
                    "attributed": bool,
                },
                list,
            ),
            dict,
        ),
    },
}
WINDOW = {"start_time": "2025-01-06T00:00:00Z", "end_time": "2025-01-08T00:00:00Z"}


def two_days() -> list:
    events = []
    for day in (6, 7):
        on = f"2025-01-{day:02d}T"
        events += session(f"{on}14:00:00", f"{on}18:00:00", name="Cell")
        events += experiment(f"{on}15:00:00", f"{on}1{day}:30:00", f"x{day}")
        events += node_up(f"{on}14:05:00", f"{on}18:00:00")
        events += action(f"{on}15:10:00", f"{on}15:40:00")
        events += workflow(f"{on}15:00:00", f"{on}15:49:00", f"f{day}", "Ann", status="completed")
    return [*events, told("17:00", "workflow_start", {"workflow_id": "g"})]


@pytest.fixture(params=["sqlite", "memory", pytest.param("mongodb", marks=pytest.mark.slow)])
def lab_server(request, serve):
    """A server of each engine that knows two days of a lab."""
    if request.param == "memory":
        client = serve(store=MemoryStore())
    elif request.param == "mongodb":
        url, name = (request.getfixturevalue(one) for one in ("mongo_url", "mongo_database"))
        client = serve(db_url=url, database_name=name)
    else:
        client = serve()
    send(client, two_days())
    return client


def test_every_member_of_the_reference_is_there_with_its_type(lab_server):
    found = report(lab_server, "/utilization/sessions", **WINDOW)
    assert misshapen(found, SESSIONS) == []
    assert found["overall_summary"]["total_system_runtime_hours"] == 8.0
    found = report(lab_server, "/utilization/user", **WINDOW)
    assert misshapen(found, USERS) == []
    assert found["user_utilization"]["Ann"]["total_workflows"] == 2
    for length in ("hourly", "daily"):
        found = report(lab_server, "/utilization/periods", analysis_type=length, **WINDOW)
        assert misshapen(found, PERIODS) == []
        assert found["key_metrics"]["total_active_time_hours"] == 4.0
    assert found["summary_metadata"]["total_periods"] == 3


def test_figures_are_the_same_in_csv(lab_server):
    parameters = {**WINDOW, "csv_format": True, "user_timezone": "UTC"}
    reply = lab_server.get("/utilization/periods", params=parameters)
    rows = rows_of(reply.text)
    assert ["1", "day", "2025-01-06", "2025-01-06", "2025-01-06T00:00:00", "37.5", "1", "4.0"] in rows
    assert ["2", "day", "2025-01-07", "2025-01-07", "2025-01-07T00:00:00", "62.5", "1", "4.0"] in rows


@pytest.mark.parametrize("length", ["weekly", "monthly"])
def test_weeks_and_months_have_the_same_members(serve, length):
    client = serve()
    send(client, [*two_days(), *experiment("2025-02-10T06:00:00", "2025-02-10T09:00:00", "y")])
    found = report(
        client,
        "/utilization/periods",
        analysis_type=length,
        start_time="2025-01-06T00:00:00Z",
        end_time="2025-03-01T00:00:00Z",
    )
    gaps = [one for one in misshapen(found, PERIODS) if not one.startswith("report.trends.util")]
    assert gaps == []
    assert found["summary_metadata"]["analysis_type"] == length
