"""What nodes were at each instant: the reports about sessions, periods and the lab say the same."""

from __future__ import annotations

import pytest

from madsci.event_manager.analytics.asked import UTC_CLOCK
from madsci.event_manager.analytics.metrics.lab import lab_metrics
from madsci.event_manager.analytics.metrics.methods import methods_text
from madsci.event_manager.analytics.periods import Length
from madsci.event_manager.analytics.reports.periods import periods_report
from madsci.event_manager.analytics.reports.sessions import sessions_report
from support.lab_story import action, at, experiment, lines_of, node_up, session, told, workflow

NOW = "2025-02-01T00:00:00"


class Reports:
    """The three reports of one window."""

    def __init__(self, events, begin="08:00", end="14:00", length=Length.DAILY):
        lines = lines_of(events, begin, end)
        self.sessions = sessions_report(lines, at(NOW))
        self.periods = periods_report(lines, length, UTC_CLOCK, at(NOW))
        self.lab = lab_metrics(lines, at(NOW), {})

    def utilization(self, node="n"):
        """That of a node in sessions, periods and metrics."""
        (figures,) = (one for one in self.lab["nodes"] if one["node"] == node)
        return (
            self.sessions["overall_summary"]["node_summary"][node]["average_utilization_percent"],
            self.periods["node_summary"][node]["average_utilization"],
            figures["operational_utilization"]["value_percent"],
        )

    def hours(self, node="n"):
        """The hours in states that are not zero, and of periods those up and unknown."""
        (figures,) = (one for one in self.lab["nodes"] if one["node"] == node)
        words = {
            "PRD": "productive", "SBY": "standby", "SDT": "scheduled_down", "UDT": "unscheduled_down",
            "NST": "non_scheduled", "unknown": "unknown",
        }  # fmt: skip
        states = {short: figures[f"{word}_hours"] for short, word in words.items()}
        summary = self.periods["node_summary"][node]
        return (
            {name: value for name, value in states.items() if value},
            {
                "up": summary["total_up_seconds"] / 3600,
                "unknown": summary["total_unknown_seconds"] / 3600,
            },
        )

    def runtime(self):
        """Hours for which the lab was on."""
        return (
            self.sessions["overall_summary"]["total_system_runtime_hours"],
            self.periods["key_metrics"]["total_runtime_hours"],
            self.lab["window"]["session_hours"],
        )


class TestWorkcells:
    def test_a_node_counts_as_up_in_sessions_of_its_workcell(self):
        events = [*session("09:00", "13:00", "W1"), *session("09:00", "10:00", "W2")]
        reports = Reports([*events, *action("09:10", "09:40", workcell_id="W2")])
        assert reports.utilization() == (50.0, 50.0, 50.0)
        assert reports.hours() == ({"PRD": 0.5, "SBY": 0.5, "NST": 5.0}, {"up": 1.0, "unknown": 0.0})

    def test_one_of_a_workcell_of_which_no_session_is_known_counts_in_all(self):
        events = [*session("09:00", "13:00", "W1"), *action("09:10", "09:40", workcell_id="W2")]
        reports = Reports(events)
        assert reports.utilization() == (12.5, 12.5, 12.5)
        assert reports.hours() == ({"PRD": 0.5, "SBY": 3.5, "NST": 2.0}, {"up": 4.0, "unknown": 0.0})

    def test_so_does_one_that_tells_when_it_is_up(self):
        events = [*session("09:00", "13:00", "W1"), *node_up("09:00", "11:00", workcell_id="W2")]
        reports = Reports([*events, *action("09:00", "10:00", workcell_id="W2")])
        (detail,) = reports.sessions["session_details"]
        assert detail["node_utilizations"]["n"]["raw_hours"]["inactive"] == 2.0
        assert reports.hours() == (
            {"PRD": 1.0, "SBY": 1.0, "SDT": 2.0, "NST": 2.0}, {"up": 2.0, "unknown": 0.0}
        )  # fmt: skip

    def test_one_that_names_none_counts_in_sessions_of_all(self):
        events = [*session("09:00", "10:00", "W1"), *session("11:00", "12:00", "W2")]
        assert Reports([*events, *action("09:00", "09:30")]).utilization() == (25.0, 25.0, 25.0)

    def test_a_node_works_outside_sessions_and_is_not_up_otherwise(self):
        events = [*session("09:00", "10:00"), *action("09:00", "09:30"), *action("11:00", "11:30")]
        assert Reports(events).hours() == (
            {"PRD": 1.0, "SBY": 0.5, "NST": 4.5}, {"up": 1.5, "unknown": 0.0}
        )  # fmt: skip


class TestUnknown:
    def test_an_action_that_may_have_run_while_its_node_was_down_is_unknown(self):
        events = [*session("08:00", "16:00"), *node_up("09:00", "10:00"), *action("12:00", None)]
        reports = Reports(events, end="16:00")
        assert reports.hours() == (
            {"SBY": 1.0, "SDT": 3.0, "unknown": 4.0}, {"up": 1.0, "unknown": 4.0}
        )  # fmt: skip
        (detail,) = reports.sessions["session_details"]
        assert detail["node_utilizations"]["n"]["raw_hours"]["unknown"] == 4.0

    def test_so_is_one_of_which_only_the_end_is_known(self):
        events = [*session("08:00", "14:00"), *node_up("09:00", "10:00"), *action(None, "12:00")]
        assert Reports(events).hours()[0]["unknown"] == 2.0
        assert Reports(events).hours()[1]["unknown"] == 2.0


class TestFaults:
    def test_a_node_is_at_fault_also_when_no_session_is_on(self):
        events = [
            *session("08:00", "10:00"),
            *node_up("09:00", None),
            told("11:00", "node_error", node_id="n"),
        ]
        assert Reports(events, end="16:00").hours() == (
            {"SDT": 1.0, "SBY": 2.0, "UDT": 5.0}, {"up": 7.0, "unknown": 0.0}
        )  # fmt: skip

    def test_such_a_fault_takes_time_to_repair(self):
        events = [
            *session("08:00", "10:00"), *node_up("08:00", "10:00"),
            told("11:00", "node_error", node_id="n"),
            told("11:30", "node_status_update", {"status": "ready"}, node_id="n"),
        ]  # fmt: skip
        mttr = Reports(events).lab["reliability"]["all_nodes"]["mttr"]
        assert (mttr["n"], mttr["value_hours"]) == (1, 0.5)
        assert mttr["low_hours"] > 0

    def test_a_fault_is_the_state_though_an_action_may_be_under_way(self):
        events = [
            *session("08:00", "13:00"), *node_up("08:00", None), *action("09:00", None),
            told("10:00", "node_error", node_id="n"),
        ]  # fmt: skip
        reports = Reports(events)
        assert reports.hours() == (
            {"SBY": 1.0, "unknown": 1.0, "UDT": 4.0}, {"up": 5.0, "unknown": 1.0}
        )  # fmt: skip
        (detail,) = reports.sessions["session_details"]
        assert detail["node_utilizations"]["n"]["state"] == "error"


class TestTimeWithoutSessions:
    EVENTS = (*session("09:00", "10:00"), *action("09:00", "09:30"), *action("11:00", "11:30"))

    def test_a_window_in_which_the_lab_was_off_has_no_sessions(self):
        reports = Reports(self.EVENTS, "10:00", "12:00")
        assert reports.runtime() == (0, 0, 0)
        assert reports.sessions["session_details"] == []
        assert reports.sessions["overall_summary"]["nodes_tracked"] == 0
        assert reports.hours() == ({"PRD": 0.5, "NST": 1.5}, {"up": 0.5, "unknown": 0.0})
        assert reports.lab["coverage"]["are_sessions_known"]
        assert reports.lab["throughput"]["actions"]["completed"] == 1
        assert reports.lab["throughput"]["actions"]["completed_per_hour"] is None
        assert reports.lab["autonomy"]["time_without_humans"]["longest"] is None
        assert "the laboratory was off" in methods_text(reports.lab)

    @pytest.mark.parametrize("window", [("06:00", "08:00"), ("08:00", "09:00"), ("12:00", "14:00")])
    def test_so_it_was_before_its_first_session_and_after_its_last(self, window):
        assert Reports(self.EVENTS, *window).runtime() == (0, 0, 0)

    def test_windows_that_meet_add_up(self):
        parts = Reports(self.EVENTS, "09:00", "10:00"), Reports(self.EVENTS, "10:00", "12:00")
        whole = Reports(self.EVENTS, "09:00", "12:00", Length.HOURLY)
        assert whole.runtime() == (1.0, 1.0, 1.0)
        assert tuple(map(sum, zip(*(one.runtime() for one in parts), strict=True))) == whole.runtime()
        rows = whole.periods["time_series"]["system"]
        assert [one["runtime_hours"] for one in rows] == [1.0, 0.0, 0.0]

    def test_a_session_that_goes_on_and_one_of_a_year_ago_are_known(self):
        for events in (session("20:00", None), session("2024-01-06T09:00:00", "2024-01-06T10:00:00")):
            assert Reports([*events, *action("09:00", "09:30")]).runtime() == (0, 0, 0)

    def test_where_none_was_ever_told_all_of_the_window_stands_for_one(self):
        lone_stop = told("09:00", "workcell_stop", workcell_id="W")
        reports = Reports([*action("09:00", "09:30"), lone_stop])
        assert reports.runtime() == (6.0, 6.0, 6.0)
        assert not reports.lab["coverage"]["are_sessions_known"]
        assert "No session is known" in methods_text(reports.lab)

    def test_what_is_under_way_while_the_lab_is_off_is_no_active_time_of_it(self):
        events = [*self.EVENTS, *experiment("10:30", "11:30"), *workflow("10:30", "11:30")]
        reports = Reports(events, "10:00", "12:00")
        assert reports.periods["key_metrics"]["total_active_time_hours"] == 0
        assert reports.periods["key_metrics"]["total_experiments"] == 1
        assert reports.lab["throughput"]["workflows"]["completed"] == 1


class TestWhichNodesThereAre:
    @pytest.mark.parametrize(
        "moment",
        [
            action("09:30", "09:30"),
            node_up("09:30", "09:30"),
            [
                told("09:30", "node_error", node_id="n"),
                told("09:30", "node_status_update", {"status": "ready"}, node_id="n"),
            ],
        ],
        ids=["action", "start", "fault"],
    )
    def test_one_of_which_only_an_instant_is_known_is_in_all_reports(self, moment):
        reports = Reports([*session("09:00", "10:00"), *moment])
        assert [one["node"] for one in reports.lab["nodes"]] == ["n"]
        assert [*reports.periods["node_summary"]] == ["n"]
        (detail,) = reports.sessions["session_details"]
        assert [*detail["node_utilizations"]] == ["n"]

    def test_it_is_only_in_sessions_that_have_the_instant(self):
        events = [*session("09:00", "10:00"), *session("11:00", "12:00"), *action("11:00", "11:00")]
        details = Reports(events).sessions["session_details"]
        assert [one["nodes_active"] for one in details] == [0, 1]

    def test_all_of_which_actions_ended_are_nodes(self):
        events = [*session("09:00", "14:00"), *action("14:00", "14:00"), *action(None, "14:00", "m")]
        reports = Reports(events, "08:00", "14:00")
        ended = {one["node"] for one in reports.lab["actions"]}
        assert ended <= {one["node"] for one in reports.lab["nodes"]}

    def test_one_whose_fault_was_over_at_once_has_failed(self):
        events = [
            *session("09:00", "10:00"), told("09:30", "node_error", node_id="n"),
            told("09:30", "node_status_update", {"status": "ready"}, node_id="n"),
        ]  # fmt: skip
        assert Reports(events).lab["reliability"]["all_nodes"]["faults"] == 1

    def test_one_that_is_called_like_a_session_is_none_in_any_window(self):
        events = [*session("08:00", "09:00"), *action("12:10", "12:20", "W")]
        for begin, end in (("12:00", "13:00"), ("08:00", "14:00")):
            reports = Reports(events, begin, end)
            assert reports.lab["nodes"] == []
            assert reports.periods["node_summary"] == {}
