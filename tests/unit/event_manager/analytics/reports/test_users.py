"""The report about people: which workflows they ran, for how long, and what became of them.

It is the one of MADSci 0.8, but for this: figures of the whole are made of the same workflows as those
of people, whoever names the author and the duration where; aborted workflows have ended; durations are
there to the microsecond, too, as `duration_seconds` and `total_runtime_seconds`; what is aborted,
paused or told as text does not end the report.
"""

from __future__ import annotations

import pytest

from madsci.event_manager.analytics.reports.users import users_report
from support.lab_story import at, lines_of, missing, told, workflow

END = "2025-02-01T00:00:00"


def report_of(events, begin="00:00", end="24:00"):
    return users_report(lines_of(events, begin, end), at(END))


def only_workflow(events, **window):
    (author,) = report_of(events, **window)["user_utilization"].values()
    (found,) = author["workflows"]
    return found


def example() -> list:
    """Two workflows: one of Ann that took 49 minutes, and one of nobody that goes on."""
    return [
        told("14:10", "workflow_start", {"workflow_id": "wf1", "name": "Flow", "author": "Ann"}),
        told("14:59", "workflow_complete", {"workflow_id": "wf1", "status": "completed"}),
        told("15:30", "workflow_start", {"workflow_id": "wf2", "name": "Other"}),
    ]


class TestTheExampleOfTheReference:
    def test_the_report_and_its_summary(self):
        report = report_of(example(), "13:59", "18:01")
        assert not missing(
            report,
            {
                "report_metadata": {
                    "generated_at": "2025-02-01T00:00:00+00:00",
                    "analysis_start": "2025-01-06T13:59:00",
                    "analysis_end": "2025-01-06T18:01:00",
                    "total_workflows": 2,
                    "workflows_with_authors": 1,
                    "workflows_without_authors": 1,
                },
                "system_summary": {
                    "total_workflows": 2,
                    "total_runtime_hours": 0.82,
                    "average_workflow_duration_hours": 0.817,
                    "completion_rate_percent": 50.0,
                    "workflows_with_known_authors": 1,
                    "author_attribution_rate_percent": 50.0,
                },
            },
        )

    def test_ann(self):
        report = report_of(example(), "13:59", "18:01")
        assert not missing(
            report["user_utilization"]["Ann"],
            {
                "author": "Ann",
                "total_workflows": 1,
                "completed_workflows": 1,
                "failed_workflows": 0,
                "cancelled_workflows": 0,
                "total_runtime_hours": 0.82,
                "average_workflow_duration_hours": 0.817,
                "shortest_workflow_hours": 0.817,
                "longest_workflow_hours": 0.817,
                "completion_rate_percent": 100.0,
                "workflows": [
                    {
                        "workflow_id": "wf1",
                        "workflow_name": "Flow",
                        "start_time": "2025-01-06T14:10:00",
                        "end_time": "2025-01-06T14:59:00",
                        "duration_hours": 0.8167,
                        "status": "completed",
                    }
                ],
            },
        )

    def test_who_wrote_nothing_about_himself_is_an_unknown_author(self):
        found = report_of(example(), "13:59", "18:01")["user_utilization"]["Unknown Author"]
        assert not missing(
            found,
            {
                "author": "Unknown Author",
                "total_workflows": 1,
                "completed_workflows": 0,
                "total_runtime_hours": 0.0,
                "shortest_workflow_hours": None,
                "longest_workflow_hours": None,
                "completion_rate_percent": 0.0,
                "workflows": [
                    {
                        "workflow_id": "wf2",
                        "end_time": None,
                        "duration_hours": None,
                        "status": "started",
                    }
                ],
            },
        )

    def test_everybody_who_is_in_the_list_is_counted(self):
        report = report_of(example(), "13:59", "18:01")
        assert report["report_metadata"]["total_users"] == len(report["user_utilization"]) == 2


class TestAuthors:
    @pytest.mark.parametrize("place", ["definition_metadata", "workflow_definition_metadata"])
    def test_the_author_may_stand_in_the_definition(self, place):
        events = [
            told("06:00", "workflow_start", {"workflow_id": "f", place: {"author": "Ben"}}),
            told("07:00", "workflow_complete", {"workflow_id": "f"}),
        ]
        report = report_of(events)
        assert list(report["user_utilization"]) == ["Ben"]
        assert report["system_summary"]["workflows_with_known_authors"] == 1
        assert report["system_summary"]["author_attribution_rate_percent"] == 100.0

    def test_the_end_may_tell_the_author(self):
        events = [*workflow("06:00", None), *workflow(None, "07:00", author="Ann")]
        assert list(report_of(events)["user_utilization"]) == ["Ann"]

    def test_blanks_around_a_name_are_not_part_of_it(self):
        events = [*workflow("06:00", "07:00", "f", " Ann "), *workflow("08:00", "09:00", "g", "Ann")]
        assert report_of(events)["user_utilization"]["Ann"]["total_workflows"] == 2

    @pytest.mark.parametrize("author", ["", "  ", "\t\n", None, [], {}, True])
    def test_what_is_no_name_is_no_author(self, author):
        report = report_of([told("06:00", "workflow_start", {"workflow_id": "f", "author": author})])
        assert list(report["user_utilization"]) == ["Unknown Author"]
        assert report["report_metadata"]["workflows_without_authors"] == 1

    def test_people_come_in_the_order_in_which_they_began(self):
        events = [
            *workflow("08:00", "09:00", "a", "Zoe"),
            *workflow("07:00", "10:00", "b", "Max"),
            *workflow("11:00", "12:00", "c", "Ann"),
            *workflow("12:00", "13:00", "d", "Max"),
        ]
        report = report_of(events)
        assert list(report["user_utilization"]) == ["Max", "Zoe", "Ann"]
        assert report["report_metadata"]["total_users"] == 3


class TestDurations:
    def test_a_duration_that_is_said_goes_before_that_of_the_times(self):
        found = only_workflow(workflow("06:00", "07:00", duration_seconds=90.25))
        assert (found["duration_seconds"], found["duration_hours"]) == (90.25, 0.0251)
        assert (found["start_time"][11:], found["end_time"][11:]) == ("06:00:00", "07:00:00")

    def test_without_one_it_is_from_begin_to_end(self):
        found = only_workflow(workflow("06:00:00.000001", "07:00:00.500000"))
        assert found["duration_seconds"] == 3600.499999

    def test_without_an_end_there_is_none(self):
        found = only_workflow(workflow("06:00", None))
        assert (found["duration_seconds"], found["duration_hours"], found["end_time"]) == (None,) * 3

    def test_an_end_with_a_duration_tells_the_beginning(self):
        found = only_workflow(workflow(None, "07:00", duration_seconds=1800))
        assert (found["start_time"], found["duration_seconds"]) == ("2025-01-06T06:30:00", 1800.0)

    def test_an_end_that_says_both_times_tells_the_duration(self):
        times = {"start_time": "2025-01-06T06:15:00", "end_time": "2025-01-06T07:00:00"}
        assert only_workflow(workflow(None, "07:00", **times))["duration_seconds"] == 2700.0

    @pytest.mark.parametrize("said", ["90", None, True, -5, [], {"s": 1}])
    def test_what_is_no_duration_is_not_one(self, said):
        found = only_workflow(workflow("06:00", "07:00", duration_seconds=said))
        assert found["duration_seconds"] == 3600.0

    def test_averages_and_totals_are_of_those_that_have_one(self):
        events = [
            *workflow("06:00", "07:00", "a", "Ann"),
            *workflow("06:00", "08:00", "b", "Ann"),
            *workflow("06:00", "09:00", "c", "Ben"),
            *workflow("09:00", None, "d", "Ann"),
        ]
        report = report_of(events)
        assert not missing(
            report["user_utilization"]["Ann"],
            {
                "total_workflows": 3,
                "total_runtime_hours": 3.0,
                "total_runtime_seconds": 10800.0,
                "average_workflow_duration_hours": 1.5,
                "shortest_workflow_hours": 1.0,
                "longest_workflow_hours": 2.0,
                "completion_rate_percent": 66.7,
            },
        )
        assert not missing(
            report["system_summary"],
            {
                "total_workflows": 4,
                "total_runtime_hours": 6.0,
                "average_workflow_duration_hours": 2.0,
                "completion_rate_percent": 75.0,
            },
        )

    def test_totals_are_those_of_the_people_together(self):
        events = [
            told(
                "06:00", "workflow_start", {"workflow_id": "a", "definition_metadata": {"author": "A"}}
            ),
            told("06:20", "workflow_complete", {"workflow_id": "a"}),
            *workflow("06:00", "07:00", "b", "B", duration_seconds=17.5),
            *workflow("07:00", "08:00", "c"),
        ]
        report = report_of(events)
        people = report["user_utilization"].values()
        for member in ("total_runtime_seconds", "total_workflows"):
            assert report["system_summary"][member] == sum(one[member] for one in people)
        assert report["system_summary"]["total_runtime_seconds"] == 1200 + 17.5 + 3600


class TestStatuses:
    @pytest.mark.parametrize(
        ("status", "expected"),
        [
            ("completed", "completed"),
            ("succeeded", "completed"),
            ("failed", "failed"),
            ("cancelled", "cancelled"),
            ("odd", "unknown"),
            ({"completed": True, "failed": False}, "completed"),
            ({"completed": False, "failed": True}, "failed"),
            ({"cancelled": True}, "cancelled"),
            ({"description": "Failed on step 3"}, "failed"),
            ({"description": "Workflow cancelled by Ann"}, "cancelled"),
            ({"description": "done"}, "completed"),
            ({}, "completed"),
            (None, "completed"),
        ],
    )
    def test_a_status_is_a_word_or_an_object_with_flags(self, status, expected):
        assert only_workflow(workflow("06:00", "07:00", status=status))["status"] == expected

    def test_statuses_are_counted(self):
        events = [
            *workflow("06:00", "07:00", "a", "Ann", status="completed"),
            *workflow("06:00", "07:00", "b", "Ann", status="failed"),
            *workflow("06:00", "07:00", "c", "Ann", status={"cancelled": True}),
            *workflow("06:00", "07:00", "d", "Ann", status="odd"),
        ]
        assert not missing(
            report_of(events)["user_utilization"]["Ann"],
            {
                "total_workflows": 4,
                "completed_workflows": 1,
                "failed_workflows": 1,
                "cancelled_workflows": 1,
                "completion_rate_percent": 25.0,
            },
        )

    def test_an_aborted_one_has_ended_and_is_cancelled(self):
        events = [*workflow("06:00", None), told("06:45", "workflow_abort", {"workflow_id": "f"})]
        found = only_workflow(events)
        assert (found["status"], found["duration_hours"]) == ("cancelled", 0.75)

    def test_one_that_is_told_to_end_twice_ended_the_first_time(self):
        events = [*workflow("06:00", "07:00"), *workflow(None, "07:05")]
        assert only_workflow(events)["duration_hours"] == 1.0

    def test_what_is_over_with_its_experiment_did_not_only_start(self):
        events = [
            told("05:00", "experiment_start", experiment_id="x"),
            told("06:00", "workflow_start", {"workflow_id": "f"}, experiment_id="x"),
            told("08:00", "experiment_complete", experiment_id="x"),
        ]
        found = only_workflow(events)
        assert (found["status"], found["end_time"]) == ("unknown", None)


class TestWhichWorkflows:
    def test_one_that_was_under_way_in_the_window_counts_whole(self):
        found = only_workflow(workflow("06:00", "09:00"), begin="07:00", end="08:00")
        assert found["duration_hours"] == 3.0

    def test_those_before_and_after_it_do_not_count(self):
        events = [*workflow("06:00", "07:00", "a"), *workflow("08:00", "09:00", "b")]
        assert report_of(events, "07:00", "08:00")["report_metadata"]["total_workflows"] == 0

    def test_without_any_all_figures_are_nothing(self):
        report = report_of([])
        assert report["user_utilization"] == {}
        assert not missing(
            report["system_summary"],
            {
                "total_workflows": 0,
                "total_runtime_hours": 0.0,
                "average_workflow_duration_hours": 0.0,
                "completion_rate_percent": 0.0,
                "author_attribution_rate_percent": 0.0,
            },
        )

    def test_one_that_was_only_queued_did_not_run(self):
        events = [told("06:00", "workflow_create", {"workflow_id": "f", "author": "Ann"})]
        assert report_of(events)["user_utilization"] == {}

    @pytest.mark.parametrize("data", ["text", 7, None, ["workflow_id"], {"workflow_id": {"a": 1}}])
    def test_what_says_nothing_of_a_workflow_is_passed_over(self, data):
        events = [told("06:00", "workflow_start", data), *workflow("07:00", "08:00", author="Ann")]
        assert list(report_of(events)["user_utilization"]) == ["Ann"]

    def test_one_without_a_name_is_called_unknown(self):
        assert only_workflow(workflow("06:00", "07:00"))["workflow_name"] == "Unknown"

    @pytest.mark.parametrize("member", ["name", "workflow_name"])
    def test_one_is_called_what_its_events_call_it(self, member):
        events = workflow("06:00", "07:00", **{member: "Assay"})
        assert only_workflow(events)["workflow_name"] == "Assay"
