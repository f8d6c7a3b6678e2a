"""Experiments, peaks, trends and people of the report about periods."""

from __future__ import annotations

import pytest

from madsci.event_manager.analytics.periods import Length
from madsci.event_manager.analytics.reports.periods import trend
from support.lab_story import (
    experiment,
    missing,
    periods_of,
    session,
    told,
    workflow,
)


class TestExperiments:
    def experiments(self, *events):
        return periods_of(events, "00:00", "24:00")["experiment_details"]["experiments"]

    @pytest.mark.parametrize(
        ("kind", "expected"),
        [
            ("experiment_complete", "completed"),
            ("experiment_failed", "failed"),
            ("experiment_cancelled", "cancelled"),
            ("experiment_stop", "cancelled"),
        ],
    )
    def test_one_that_is_over_says_how_it_ended(self, kind, expected):
        (found,) = self.experiments(
            told("06:00", "experiment_start", experiment_id="x"),
            told("06:30", kind, experiment_id="x"),
        )
        assert not missing(
            found,
            {
                "status": expected,
                "experiment_name": "Experiment x",
                "end_time": "2025-01-06T06:30:00",
                "duration_hours": 0.5,
                "duration_seconds": 1800.0,
                "duration_display": "30.0 minutes",
            },
        )

    def test_one_that_goes_on_is_in_progress(self):
        (found,) = self.experiments(told("06:00", "experiment_start", experiment_id="x"))
        assert not missing(
            found,
            {
                "status": "in_progress",
                "end_time": None,
                "duration_hours": None,
                "duration_display": "Ongoing",
            },
        )

    @pytest.mark.parametrize(
        "data",
        [
            {"experiment_name": "Assay"},
            {"name": "Assay"},
            {"experiment": {"name": "Assay"}},
            {"experiment": {"experiment_design": {"experiment_name": "Assay"}}},
            {"experiment": {"run_name": "Assay"}},
        ],
    )
    def test_names_are_found_where_labs_write_them(self, data):
        (found,) = self.experiments(told("06:00", "experiment_start", data, experiment_id="x"))
        assert found["experiment_name"] == "Assay"

    def test_fifty_are_told_and_all_are_counted(self):
        events = [
            one
            for minute in range(60)
            for one in experiment(f"06:{minute:02d}", "09:00", f"x{minute:02d}")
        ]
        report = periods_of(events, "00:00", "24:00")
        details = report["experiment_details"]
        assert details["total_experiments"] == report["key_metrics"]["total_experiments"] == 60
        assert [one["experiment_id"] for one in details["experiments"]] == [
            f"x{n:02d}" for n in range(50)
        ]

    def test_one_that_took_no_time_counts_where_it_was(self):
        report = periods_of(experiment("06:30", "06:30"), "05:00", "08:00", Length.HOURLY)
        assert [one["experiments"] for one in report["time_series"]["system"]] == [0, 1, 0]


class TestPeaksAndTrends:
    def shares(self, *shares: tuple[int, int]):
        """A day of each pair: how long a session was, and how much of it was used, in minutes."""
        events = []
        for day, (up, used) in enumerate(shares, 6):
            begin = f"2025-01-{day:02d}T06:00:00"
            events += session(begin, f"2025-01-{day:02d}T{6 + up // 60:02d}:{up % 60:02d}:00")
            if used:
                end = f"2025-01-{day:02d}T{6 + used // 60:02d}:{used % 60:02d}:00"
                events += experiment(begin, end, f"x{day}")
        last = f"2025-01-{6 + len(shares):02d}T00:00:00"
        return periods_of(events, "00:00", last)

    def test_the_peak_is_the_first_of_equals(self):
        metrics = self.shares((60, 20), (120, 60), (60, 30), (60, 10))["key_metrics"]
        assert (metrics["peak_utilization"], metrics["peak_period"]) == (50.0, "2025-01-07")

    def test_without_any_use_there_is_no_peak(self):
        report = self.shares((60, 0), (60, 0))
        assert not missing(
            report["key_metrics"],
            {
                "peak_utilization": 0,
                "peak_period": None,
                "peak_context": "No peak data available",
                "average_utilization": 0.0,
                "average_active_period_utilization": 0.0,
                "active_periods": 0,
            },
        )

    def test_the_average_is_of_all_time_and_there_is_one_of_the_active_periods(self):
        metrics = self.shares((60, 30), (180, 0), (60, 0))["key_metrics"]
        assert metrics["average_utilization"] == 10.0
        assert metrics["average_active_period_utilization"] == 50.0
        assert (metrics["active_periods"], metrics["total_periods"]) == (1, 3)

    def test_a_trend_goes_from_the_first_to_the_last_active_period(self):
        found = self.shares((60, 0), (60, 30), (60, 6), (60, 60), (60, 0))["trends"][
            "utilization_trend"
        ]
        assert found == {
            "direction": "increasing",
            "change_percent": 100.0,
            "first_value": 50.0,
            "last_value": 100.0,
            "active_periods_analyzed": 3,
        }

    @pytest.mark.parametrize(
        ("values", "direction", "change"),
        [
            ([], "insufficient_data", 0.0),
            ([0.0, 40.0, 0.0], "insufficient_data", 0.0),
            ([40.0, 42.0], "stable", 5.0),
            ([40.0, 42.2], "increasing", 5.5),
            ([40.0, 38.0], "stable", -5.0),
            ([40.0, 0.0, 37.0, 0.0], "decreasing", -7.5),
            ([50.0, 50.0], "stable", 0.0),
        ],
    )
    def test_five_percent_make_a_trend(self, values, direction, change):
        found = trend(values)
        assert (found["direction"], found["change_percent"]) == (direction, change)
        assert ("first_value" in found) == (direction != "insufficient_data")


def test_ten_people_are_at_the_top_by_their_runtime():
    events = []
    for number in range(12):
        begin, end = "06:00", f"{7 + number:02d}:00"
        events += workflow(begin, end, f"f{number}", f"user {number:02d}")
    users = periods_of(events, "00:00", "24:00")["user_utilization"]
    assert users["total_users"] == 12
    assert [one["author"] for one in users["top_users"]] == [f"user {n:02d}" for n in range(11, 1, -1)]


def test_people_are_ordered_by_their_exact_runtime():
    events = [
        *workflow("06:00", "06:10", "a", "less", duration_seconds=600.0),
        *workflow("07:00", "07:10", "b", "more", duration_seconds=610.0),
    ]
    users = periods_of(events, "00:00", "24:00")["user_utilization"]["top_users"]
    assert [one["author"] for one in users] == ["more", "less"]
