"""The report about sessions: one for each time that a lab or a workcell was up.

It is the one of MADSci 0.8, but for this: `session_name` is the name that the start event says; idle
time of a node is without faults and without what nobody knows; `timing` and `raw_hours` have more
members, and so has `node_summary`; a session that was begun before the window is there; a restart ends
the session before it; `experiment_name` is not sought in the session of another workcell.
"""

from __future__ import annotations

import pytest

from madsci.event_manager.analytics.reports.sessions import sessions_report
from support.lab_story import (
    action,
    at,
    experiment,
    lines_of,
    missing,
    node_up,
    session,
    told,
    workflow,
)

WORKCELL = "01JGYM0QQ0AAAAAAAA5KDGJRW1"
NODE = "01JGYM0QQ0AAAAAAAA5KDGJRN1"


def report_of(events, begin="00:00", end="24:00", now=None):
    return sessions_report(lines_of(events, begin, end, now), at("2025-02-01T00:00:00"))


def sessions_of(events, begin="00:00", end="24:00", now=None):
    return report_of(events, begin, end, now)["session_details"]


def spans(details) -> list[str]:
    return [
        f"{one['session_id']} {one['start_time'][11:16]} {one['end_time'][11:16]}" for one in details
    ]


def one_day() -> list:
    """The lab of the example of the reference."""
    return [
        *session("14:00", "18:00", WORKCELL),
        *[
            told("15:00", "experiment_start", {"experiment_name": "Exp A"}, experiment_id="exp-a"),
            told("16:00", "experiment_complete", {}, experiment_id="exp-a"),
        ],
        told("14:05", "node_start", {"node_name": "robot"}, node_id=NODE),
        *action("15:10", "15:40", NODE),
        told("18:00", "node_stop", {}, node_id=NODE),
    ]


def length(display: str, seconds: float, unit: str, value: float) -> dict:
    return {
        "display": display,
        "seconds": seconds,
        "minutes": pytest.approx(seconds / 60, abs=1e-5),
        "hours": pytest.approx(seconds / 3600, abs=1e-5),
        "primary_unit": unit,
        "primary_value": value,
    }


class TestTheExampleOfTheReference:
    def test_what_is_said_of_the_report(self):
        report = report_of(one_day(), "13:59", "18:01")
        assert not missing(
            report["report_metadata"],
            {
                "generated_at": "2025-02-01T00:00:00+00:00",
                "analysis_start": "2025-01-06T13:59:00",
                "analysis_end": "2025-01-06T18:01:00",
                "total_sessions": 1,
                "analysis_duration_hours": 4.0333,
            },
        )

    def test_the_summary(self):
        report = report_of(one_day(), "13:59", "18:01")
        assert not missing(
            report["overall_summary"],
            {
                "total_sessions": 1,
                "total_system_runtime_hours": 4.0,
                "total_active_time_hours": 1.0,
                "average_system_utilization_percent": 25.0,
                "total_experiments": 1,
                "nodes_tracked": 1,
                "node_summary": {
                    NODE: {
                        "average_utilization_percent": 12.8,
                        "total_busy_time_hours": 0.5,
                        "sessions_active": 1,
                    }
                },
                "analysis_period": {
                    "start_time": "2025-01-06T13:59:00",
                    "end_time": "2025-01-06T18:01:00",
                    "duration_hours": 4.0333,
                },
            },
        )

    def test_the_session(self):
        (found,) = sessions_of(one_day(), "13:59", "18:01")
        assert not missing(
            found,
            {
                "session_type": "workcell",
                "session_id": WORKCELL,
                "session_name": "Workcell 5KDGJRW1",
                "start_time": "2025-01-06T14:00:00",
                "end_time": "2025-01-06T18:00:00",
                "timing": {
                    "duration": length("4.0h", 14400.0, "hours", 4.0),
                    "active_time": length("1.0h", 3600.0, "hours", 1.0),
                    "idle_time": length("3.0h", 10800.0, "hours", 3.0),
                },
                "system_utilization_percent": 25.0,
                "total_experiments": 1,
                "experiment_details": [
                    {
                        "experiment_id": "exp-a",
                        "experiment_name": "Exp A",
                        "display_name": "Exp A",
                    }
                ],
                "nodes_active": 1,
                "raw_hours": {"duration": 4.0, "active": 1.0, "idle": 3.0},
                "duration_hours": 4.0,
                "active_time_hours": 1.0,
            },
        )

    def test_the_node(self):
        (found,) = sessions_of(one_day(), "13:59", "18:01")
        assert not missing(
            found["node_utilizations"],
            {
                NODE: {
                    "node_id": NODE,
                    "node_name": "robot",
                    "display_name": "robot (5KDGJRN1)",
                    "utilization_percent": 12.8,
                    "timing": {
                        "busy_time": length("30.0m", 1800.0, "minutes", 30.0),
                        "idle_time": length("3.4h", 12300.0, "hours", 3.42),
                        "total_time": length("4.0h", 14400.0, "hours", 4.0),
                    },
                    "raw_hours": {"busy": 0.5, "idle": 3.4167, "total": 4.0},
                    "busy_time_hours": 0.5,
                    "idle_time_hours": 3.4167,
                }
            },
        )

    def test_a_node_that_is_up_at_the_end_is_idle(self):
        (found,) = sessions_of(one_day(), "13:59", "18:01")
        assert found["node_utilizations"][NODE]["state"] == "idle"

    def test_no_member_of_the_report_is_new_at_its_top(self):
        assert list(report_of(one_day())) == ["report_metadata", "overall_summary", "session_details"]


class TestWhichSessions:
    def test_one_that_was_open_before_the_window_is_cut_to_it(self):
        details = sessions_of(session("06:00", "12:00"), "08:00", "10:00")
        assert spans(details) == ["W 08:00 10:00"]
        assert details[0]["duration_hours"] == 2.0

    def test_one_that_is_not_stopped_lasts_until_the_end_of_the_window(self):
        assert spans(sessions_of(session("06:00", None), "08:00", "10:00")) == ["W 08:00 10:00"]

    def test_one_that_is_going_on_lasts_until_now(self):
        assert spans(sessions_of(session("06:00", None), "00:00", "24:00", now="09:30")) == [
            "W 06:00 09:30"
        ]

    def test_one_that_was_over_before_the_window_or_begins_after_it_is_not_there(self):
        events = [*session("01:00", "02:00", "A"), *session("08:00", "09:00", "B")]
        (found,) = sessions_of([*events, *session("20:00", "21:00", "C")], "07:00", "19:00")
        assert found["session_id"] == "B"

    def test_one_that_ends_where_the_window_begins_is_not_in_it(self):
        events = [*session("01:00", "08:00", "A"), *session("08:00", "09:00", "B")]
        assert spans(sessions_of(events, "08:00", "10:00")) == ["B 08:00 09:00"]

    def test_a_restart_without_a_stop_ends_the_one_before_it(self):
        details = sessions_of([*session("06:00", None), *session("09:00", "12:00")])
        assert spans(details) == ["W 06:00 09:00", "W 09:00 12:00"]
        assert sum(one["duration_hours"] for one in details) == 6.0

    def test_a_later_stop_does_not_reach_behind_a_restart(self):
        events = [*session("06:00", None), *session("09:00", None), *session("10:00", "12:00")]
        report = report_of(events)
        assert spans(report["session_details"]) == ["W 06:00 09:00", "W 09:00 10:00", "W 10:00 12:00"]
        assert report["overall_summary"]["total_system_runtime_hours"] == 6.0

    @pytest.mark.parametrize(
        ("begun", "stopped"),
        [
            ({"workcell_id": "W", "manager_id": "M"}, {"manager_id": "W"}),
            ({"manager_id": "W"}, {"manager_id": "W"}),
            ({"manager_id": "W"}, {"workcell_id": "W"}),
        ],
    )
    def test_a_stop_may_name_the_workcell_as_the_manager(self, begun, stopped):
        events = [
            told("06:00", "workcell_start", **begun),
            told("09:00", "workcell_stop", **stopped),
        ]
        assert spans(sessions_of(events)) == ["W 06:00 09:00"]

    def test_a_stop_may_name_the_workcell_in_its_data(self):
        events = [*session("06:00", None), told("09:00", "workcell_stop", {"workcell_id": "W"})]
        assert spans(sessions_of(events)) == ["W 06:00 09:00"]

    def test_a_stop_without_a_start_is_no_session(self):
        (found,) = sessions_of([told("09:00", "workcell_stop", workcell_id="W")])
        assert found["session_type"] == "default_analysis"

    def test_without_any_the_whole_window_stands_for_one(self):
        events = [
            *experiment("01:00", "07:00"),
            *node_up("00:00", "23:59:59"),
            *action("02:00", "05:00"),
        ]
        (found,) = sessions_of(events)
        assert not missing(
            found,
            {
                "session_type": "default_analysis",
                "session_id": f"analysis_{at('00:00') // 1_000_000}",
                "session_name": "Complete Database Analysis",
                "duration_hours": 24.0,
                "active_time_hours": 6.0,
                "system_utilization_percent": 25.0,
                "node_utilizations": {"n": {"busy_time_hours": 3.0, "utilization_percent": 12.5}},
            },
        )

    def test_labs_and_workcells_are_told_apart(self):
        events = [told("06:00", "lab_start", manager_id="L"), *session("07:00", "08:00")]
        found = sessions_of(events)
        assert [(one["session_type"], one["session_id"]) for one in found] == [
            ("lab", "L"),
            ("workcell", "W"),
        ]
        assert found[0]["session_name"] == "Lab L"

    @pytest.mark.parametrize("member", ["workcell_name", "name"])
    def test_one_is_called_what_its_start_calls_it(self, member):
        events = session("06:00", "07:00", **{member: "Liquid handling"})
        assert sessions_of(events)[0]["session_name"] == "Liquid handling"

    def test_one_that_names_nothing_is_called_by_its_time(self):
        (found,) = sessions_of([told("06:00", "lab_start")])
        assert found["session_id"] == f"system_{at('06:00') // 1_000_000}"

    def test_the_type_may_be_hidden_in_the_data_of_a_log_event(self):
        data = {"event_type": "workcell_start", "workcell_id": "W"}
        assert spans(sessions_of([told("06:00", "log_info", data)], end="09:00")) == ["W 06:00 09:00"]

    def test_a_stop_may_name_the_session_as_the_manager_beside_another_workcell(self):
        events = [
            told("06:00", "lab_start", manager_id="M"),
            told("09:00", "lab_stop", manager_id="M", workcell_id="W"),
        ]
        assert spans(sessions_of(events)) == ["M 06:00 09:00"]


class TestWhatBelongsToASession:
    def test_workcells_beside_each_other_have_their_own_experiments_and_nodes(self):
        events = [
            *session("06:00", "10:00", "A"),
            *session("06:00", "10:00", "B"),
            *experiment("06:00", "07:00", "of A", workcell_id="A"),
            *experiment("06:00", "08:00", "of B", workcell_id="B"),
            *experiment("07:30", "09:00", "of none"),
            *action("06:00", "07:00", "node of A", workcell_id="A"),
            *action("06:00", "09:00", "node of B", workcell_id="B"),
            *action("06:00", "08:00", "node of none"),
        ]
        report = report_of(events)
        first, second = report["session_details"]
        assert [one["experiment_id"] for one in first["experiment_details"]] == ["of A", "of none"]
        assert [one["experiment_id"] for one in second["experiment_details"]] == ["of B", "of none"]
        assert first["active_time_hours"] == 2.5
        assert second["active_time_hours"] == 3.0
        assert list(first["node_utilizations"]) == ["node of A", "node of none"]
        assert list(second["node_utilizations"]) == ["node of B", "node of none"]
        assert not missing(
            report["overall_summary"],
            {
                "total_sessions": 2,
                "total_system_runtime_hours": 8.0,
                "total_active_time_hours": 5.5,
                "average_system_utilization_percent": 68.8,
                "total_experiments": 3,
                "nodes_tracked": 3,
            },
        )

    def test_a_lab_has_the_experiments_of_all_its_workcells(self):
        events = [
            told("06:00", "lab_start", manager_id="L"),
            *session("06:00", "10:00", "A"),
            *experiment("06:00", "07:00", "x", workcell_id="A"),
            *experiment("08:00", "09:00", "y", workcell_id="B"),
        ]
        found = {one["session_id"]: one for one in sessions_of(events, end="10:00")}
        assert found["L"]["total_experiments"] == 2
        assert found["A"]["total_experiments"] == 1

    def test_an_experiment_of_earlier_is_cut_to_the_session(self):
        (found,) = sessions_of([*experiment("04:00", "07:00"), *session("06:00", "10:00")])
        assert found["active_time_hours"] == 1.0
        assert found["total_experiments"] == 1

    def test_experiments_beside_each_other_are_one_time(self):
        events = [*session("06:00", "10:00"), *experiment("06:00", "08:00", "x")]
        (found,) = sessions_of([*events, *experiment("07:00", "09:00", "y")])
        assert found["active_time_hours"] == 3.0

    def test_a_pause_is_not_active(self):
        events = [
            *session("06:00", "10:00"),
            *experiment("06:00", "09:00"),
            told("07:00", "experiment_pause", experiment_id="x"),
            told("07:30", "experiment_continued", experiment_id="x"),
        ]
        (found,) = sessions_of(events)
        assert found["active_time_hours"] == 2.5
        assert found["raw_hours"] == {"duration": 4.0, "active": 2.5, "idle": 1.5, "unknown": 0.0}

    def test_of_an_experiment_without_an_end_it_is_unknown_how_long_it_was(self):
        events = [*session("06:00", "10:00"), *experiment("07:00", None)]
        (found,) = sessions_of(events)
        assert found["raw_hours"] == {"duration": 4.0, "active": 0.0, "idle": 1.0, "unknown": 3.0}

    def test_signs_of_life_of_an_experiment_make_it_known_until_then(self):
        events = [*session("06:00", "10:00"), *experiment("07:00", None)]
        events += action("08:00", "09:00", experiment_id="x")
        (found,) = sessions_of(events)
        assert found["raw_hours"] == {"duration": 4.0, "active": 2.0, "idle": 1.0, "unknown": 1.0}

    def test_an_experiment_of_which_only_the_end_is_told_may_have_run_since_the_beginning(self):
        (found,) = sessions_of([*session("06:00", "10:00"), *experiment(None, "07:00")])
        assert found["raw_hours"] == {"duration": 4.0, "active": 0.0, "idle": 3.0, "unknown": 1.0}
        assert found["experiment_details"] == [
            {"experiment_id": "x", "experiment_name": None, "display_name": "Experiment x"}
        ]

    def test_an_experiment_in_two_sessions_is_one_in_the_summary(self):
        events = [*session("06:00", "08:00"), *session("09:00", "11:00"), *experiment("07:00", "10:00")]
        report = report_of(events)
        assert [one["active_time_hours"] for one in report["session_details"]] == [1.0, 1.0]
        assert report["overall_summary"]["total_experiments"] == 1

    def test_the_average_weighs_sessions_by_their_length(self):
        events = [
            *session("00:00", "01:00"),
            *experiment("00:00", "01:00", "x"),
            *session("02:00", "05:00"),
            *experiment("02:00", "02:30", "y"),
        ]
        report = report_of(events)
        assert [one["system_utilization_percent"] for one in report["session_details"]] == [100.0, 16.7]
        assert report["overall_summary"]["average_system_utilization_percent"] == 37.5

    def test_workflows_are_no_experiments(self):
        (found,) = sessions_of([*session("06:00", "10:00"), *workflow("07:00", "08:00")])
        assert found["active_time_hours"] == 0.0
