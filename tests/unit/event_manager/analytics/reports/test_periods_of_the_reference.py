"""The report about periods: exact times, cut at the borders of hours, days, weeks and months.

It is the one of MADSci 0.8, but for this: active time and busy time of a period are what lies in it;
`average_utilization` is that of all time, and `average_active_period_utilization` that of the periods
in which anything was done; `date` and `start_time` are there for all lengths; hours begin with the
hour; `experiments` counts those under way and not those begun; experiments that failed or were
cancelled say so; workcells have what names them, so that `attributed` is true; `*_seconds` members are
exact, and what is unknown has members of its own.
"""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from support.lab_story import (
    action,
    missing,
    periods_of,
    session,
    told,
    workflow,
)

CHICAGO = ZoneInfo("America/Chicago")
WINDOW = ("2025-01-06T00:00:00", "2025-01-08T00:00:00")


def example() -> list:
    """The lab of the example of the reference, with a workflow of Ann and one of nobody."""
    return [
        *session("14:00", "18:00", name="Cell"),
        *[
            told("15:00", "experiment_start", {"experiment_name": "Exp A"}, experiment_id="exp-a"),
            told("16:00", "experiment_complete", {}, experiment_id="exp-a"),
        ],
        told("14:05", "node_start", {"node_name": "robot"}, node_id="n"),
        *action("15:10", "15:40"),
        told("18:00", "node_stop", {}, node_id="n"),
        *workflow("14:10", "14:59", "wf1", "Ann"),
        *workflow("15:30", None, "wf2"),
    ]


@pytest.fixture(scope="module")
def report():
    return periods_of(example(), *WINDOW, zone=CHICAGO)


class TestTheExampleOfTheReference:
    def test_what_is_said_of_the_report(self, report):
        assert not missing(
            report["summary_metadata"],
            {
                "analysis_type": "daily",
                "generated_at": "2025-02-01T00:00:00+00:00",
                "period_start": "2025-01-06T00:00:00",
                "period_end": "2025-01-08T00:00:00",
                "user_timezone": "America/Chicago",
                "total_periods": 3,
            },
        )
        assert isinstance(report["summary_metadata"]["method"], str)

    def test_key_metrics(self, report):
        assert not missing(
            report["key_metrics"],
            {
                "average_utilization": 25.0,
                "peak_utilization": 25.0,
                "peak_period": "2025-01-06",
                "peak_context": "Peak utilization on 2025-01-06",
                "total_experiments": 1,
                "total_runtime_hours": 4.0,
                "total_active_time_hours": 1.0,
                "active_periods": 1,
                "total_periods": 3,
            },
        )

    def test_people(self, report):
        users = report["user_utilization"]
        assert not missing(
            users,
            {
                "author_attribution_rate_percent": 50.0,
                "system_totals": {
                    "total_workflows": 2,
                    "total_runtime_hours": 0.82,
                    "completion_rate_percent": 50.0,
                },
            },
        )
        assert not missing(
            users["top_users"][0],
            {
                "author": "Ann",
                "total_workflows": 1,
                "total_runtime_hours": 0.82,
                "completion_rate_percent": 100.0,
                "average_workflow_duration_hours": 0.817,
            },
        )

    def test_the_unknown_author_is_one_of_two_people(self, report):
        assert report["user_utilization"]["total_users"] == 2

    def test_people_come_right_after_the_key_metrics(self, report):
        assert list(report) == [
            "summary_metadata", "key_metrics", "user_utilization", "node_summary", "workcell_summary",
            "trends", "experiment_details", "time_series",
        ]  # fmt: skip

    def test_nodes_and_workcells(self, report):
        peak = {
            "peak_period": "2025-01-06",
            "peak_context": "Peak utilization on 2025-01-06",
        }
        assert not missing(
            report["node_summary"],
            {
                "n": {
                    "node_id": "n",
                    "node_name": "robot",
                    "display_name": "robot (n)",
                    "average_utilization": 12.8,
                    "peak_utilization": 12.8,
                    **peak,
                    "total_busy_hours": 0.5,
                }
            },
        )
        assert not missing(
            report["workcell_summary"],
            {
                "W": {
                    "workcell_id": "W",
                    "workcell_name": "Cell",
                    "display_name": "Cell",
                    "average_utilization": 25.0,
                    "peak_utilization": 25.0,
                    **peak,
                    "total_experiments": 1,
                    "total_runtime_hours": 4.0,
                    "total_active_time_hours": 1.0,
                }
            },
        )

    def test_one_active_period_is_no_trend(self, report):
        nothing = {"direction": "insufficient_data", "change_percent": 0.0}
        assert report["trends"] == {"utilization_trend": nothing, "experiment_trend": nothing}

    def test_experiments(self, report):
        assert not missing(
            report["experiment_details"],
            {
                "total_experiments": 1,
                "experiments": [
                    {
                        "experiment_id": "exp-a",
                        "experiment_name": "Exp A",
                        "start_time": "2025-01-06T15:00:00",
                        "end_time": "2025-01-06T16:00:00",
                        "status": "completed",
                        "duration_hours": 1.0,
                        "duration_display": "1.0 hours",
                    }
                ],
            },
        )

    def test_the_time_series(self, report):
        first = {
            "period_number": 1,
            "period_type": "day",
            "period_display": "2025-01-05",
            "date": "2025-01-05",
        }
        second = {
            "period_number": 2,
            "period_type": "day",
            "period_display": "2025-01-06",
            "date": "2025-01-06",
        }
        assert not missing(
            report["time_series"]["system"][:2],
            [
                {
                    **first,
                    "start_time": "2025-01-05T00:00:00",
                    "start_time_utc": "2025-01-06T00:00:00",
                    "utilization": 0,
                    "experiments": 0,
                    "runtime_hours": 0,
                    "active_time_hours": 0,
                },
                {
                    **second,
                    "start_time": "2025-01-06T00:00:00",
                    "start_time_utc": "2025-01-06T06:00:00",
                    "utilization": 25.0,
                    "experiments": 1,
                    "runtime_hours": 4.0,
                    "active_time_hours": 1.0,
                },
            ],
        )
        assert not missing(
            report["time_series"],
            {
                "nodes": {"n": [{**second, "utilization": 12.8, "busy_hours": 0.5}]},
                "workcells": {
                    "W": [
                        {
                            **second,
                            "utilization": 25.0,
                            "experiments": 1,
                            "runtime_hours": 4.0,
                            "active_time_hours": 1.0,
                            "attributed": True,
                        }
                    ]
                },
            },
        )

    def test_without_people_they_are_not_there(self):
        assert "user_utilization" not in periods_of(example(), *WINDOW, include_users=False)
