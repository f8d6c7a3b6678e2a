"""Reports over HTTP: what may be asked for, what is refused, and what is said of it."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone

import pytest

from support.lab_story import action, experiment, missing, session, told, workflow
from support.reports import as_json, await_followers, report, report_when, send

DAY = {"start_time": "2025-01-06T00:00:00Z", "end_time": "2025-01-07T00:00:00Z"}
PATHS = ("/utilization/sessions", "/utilization/user", "/utilization/users", "/utilization/periods")
ALL = (*PATHS, "/metrics/lab")
ABOUT = ("report_metadata", "summary_metadata", "window")


def a_day() -> list:
    return [
        *session("06:00", "10:00"),
        *experiment("07:00", "08:00"),
        *action("07:10", "07:40"),
        *workflow("07:00", "07:30", "f", "Ann", status="completed"),
    ]


def refusal(client, path: str, **parameters) -> str:
    """The sentence with which a report is refused."""
    reply = client.get(path, params=parameters)
    assert reply.status_code == 422, reply.text
    assert reply.headers["Content-Type"] == "application/problem+json"
    return reply.json()["detail"]


def window_of(found: dict) -> tuple[str, str]:
    about = found.get("report_metadata") or found["summary_metadata"]
    names = ("analysis_start", "analysis_end", "period_start", "period_end")
    begin, end = (about[name] for name in names if name in about)
    return begin, end


class TestWindow:
    def test_an_empty_store_has_a_report_of_the_last_day(self, client):
        before = datetime.now(timezone.utc).replace(tzinfo=None)
        for path in PATHS:
            begin, end = map(datetime.fromisoformat, window_of(report(client, path)))
            assert end - begin == timedelta(days=1)
            assert before <= end <= before + timedelta(minutes=2)

    def test_an_empty_store_has_figures_of_nothing(self, client):
        summary = report(client, "/utilization/sessions")["overall_summary"]
        assert (summary["total_sessions"], summary["total_experiments"]) == (1, 0)
        assert summary["total_active_time_hours"] == summary["average_system_utilization_percent"] == 0
        assert report(client, "/utilization/user")["system_summary"]["total_workflows"] == 0
        found = report(client, "/utilization/periods")
        assert found["key_metrics"]["total_active_time_hours"] == 0
        assert found["key_metrics"]["peak_context"] == "No peak data available"

    def test_both_ends_are_taken_as_they_are_given(self, client):
        send(client, a_day())
        for path in PATHS:
            expected = ("2025-01-06T00:00:00", "2025-01-07T00:00:00")
            assert window_of(report(client, path, **DAY)) == expected

    def test_one_end_alone_means_a_day(self, client):
        send(client, a_day())
        for path in PATHS:
            expected = ("2025-01-06T03:00:00", "2025-01-07T03:00:00")
            assert window_of(report(client, path, start_time="2025-01-06T03:00:00Z")) == expected
            assert window_of(report(client, path, end_time="2025-01-07T03:00:00Z")) == expected

    def test_without_ends_it_is_from_the_first_event_to_the_last_and_a_minute_more(self, client):
        send(client, a_day())
        for path in PATHS:
            expected = ("2025-01-06T05:59:00", "2025-01-06T10:01:00")
            assert window_of(report(client, path)) == expected
            assert window_of(report(client, path, start_time="", end_time="")) == expected

    @pytest.mark.parametrize(
        "start", ["2025-01-06", "2025-01-06T00:00:00Z", "1736121600", "2025-01-06T01:00:00+01:00"]
    )
    def test_times_are_read_as_everywhere(self, serve, start):
        client = serve(naive_timezone="UTC")
        send(client, a_day())
        found = report(client, "/utilization/sessions", start_time=start)
        assert window_of(found) == ("2025-01-06T00:00:00", "2025-01-07T00:00:00")

    def test_an_end_that_is_a_day_has_that_day_as_a_whole(self, serve):
        client = serve(naive_timezone="UTC")
        send(client, a_day())
        found = report(client, "/utilization/sessions", start_time="2025-01-06", end_time="2025-01-06")
        assert window_of(found) == ("2025-01-06T00:00:00", "2025-01-07T00:00:00")

    def test_an_end_before_the_beginning_is_refused(self, client):
        for path in ALL:
            ends = {"start_time": DAY["end_time"], "end_time": DAY["start_time"]}
            said = refusal(client, path, **ends)
            assert said.startswith("Invalid analysis time period: start time must be before end time")
            assert "Exchange them" in said
            assert "must be before" in refusal(client, path, start_time="now", end_time="-1h")

    def test_days_in_the_wrong_order_are_told_as_they_were_given(self, serve):
        client = serve(naive_timezone="UTC")
        for path in ALL:
            days = {"user_timezone": "UTC"} if path == "/utilization/periods" else {}
            said = refusal(client, path, start_time="2025-01-07", end_time="2025-01-06", **days)
            assert said == (
                "Invalid analysis time period: start time must be before end time, and"
                " 2025-01-07T00:00:00.000000Z is not before 2025-01-06T23:59:59.999999Z. Exchange them,"
                " or leave one out for a day."
            )
            instant = "2025-01-06T00:00:00Z"
            said = refusal(client, path, start_time=instant, end_time=instant)
            assert said.endswith("Take a later end_time, or leave one out for a day.")

    @pytest.mark.parametrize(
        "span",
        [
            {"start_time": "2025-01-01", "end_time": "9999-12-31"},
            {"start_time": "2025-01-01", "end_time": "9999-W52"},
            {"start_time": "2025-01-01", "end_time": "9999-12-31T23:59:59.999999Z"},
            {"start_time": "0001-01-01", "end_time": "0001-01-02"},
            {"start_time": "0001-01-01T00:00:00Z", "end_time": "now"},
            {"start_time": "0001-W01"},
            {"end_time": "0001-01-01T05:00:00Z"},
            {"end_time": "0001-01-01"},
        ],
    )
    def test_a_window_is_cut_to_the_calendar(self, serve, span):
        client = serve(naive_timezone="UTC")
        send(client, [*a_day(), *action("0001-01-01T00:10:00", "0001-01-01T00:20:00", "n", "first")])
        for path in ALL:
            lengths = {"analysis_type": "monthly"} if path == "/utilization/periods" else {}
            reply = client.get(path, params={**span, **lengths})
            assert reply.status_code == 200 or "more than 20,000" in reply.json()["detail"]

    def test_nothing_is_before_the_calendar(self, client):
        for path in ALL:
            said = refusal(client, path, end_time="0001-01-01T00:00:00Z")
            assert said.endswith("is not before 0001-01-01T00:00:00.000000Z. Take a later end_time.")

    @pytest.mark.parametrize("when", ["2099-01-01T00:00:00", "9999-12-31T23:59:59.999999"])
    def test_where_all_events_are_of_the_future_it_is_the_last_day(self, client, when):
        send(client, session(when, None))
        before = datetime.now(timezone.utc).replace(tzinfo=None)
        for path in PATHS:
            begin, end = map(datetime.fromisoformat, window_of(report(client, path)))
            assert end - begin == timedelta(days=1)
            assert before <= end <= before + timedelta(minutes=2)
        assert report(client, "/metrics/lab")["window"]["window_hours"] == 24

    def test_what_is_no_time_is_refused(self, client):
        for path in ALL:
            for name in ("start_time", "end_time"):
                said = refusal(client, path, **{name: "tuesday"})
                assert said.startswith(f"{name}: 'tuesday' is not a time")

    def test_what_has_not_happened_yet_is_not_in_the_window(self, client):
        tomorrow = (datetime.now(timezone.utc) + timedelta(days=1)).isoformat()
        for path in PATHS:
            begin, end = window_of(report(client, path, start_time="-1h", end_time=tomorrow))
            taken = datetime.fromisoformat(end) - datetime.fromisoformat(begin)
            assert timedelta(minutes=59) < taken < timedelta(minutes=65)

    def test_a_window_that_has_not_begun_is_refused(self, client):
        span = {"start_time": "2090-01-01T00:00:00Z", "end_time": "2090-02-01T00:00:00Z"}
        for path in ALL:
            reply = client.get(path, params=span)
            assert reply.status_code == 422
            assert "has not come yet" in reply.json()["detail"]

    def test_events_of_the_future_are_not_counted_before_they_happen(self, client):
        send(client, [*session("2090-01-01T00:00:00", None), *a_day()])
        found = report(
            client, "/utilization/sessions", start_time="2025-01-01T00:00:00Z", end_time="now"
        )
        assert [one["duration_hours"] for one in found["session_details"]] == [4.0]

    def test_a_session_of_a_clock_that_is_ahead_does_not_have_the_lab_be_off(self, client):
        send(client, [*session("2090-01-01T00:00:00", None), *action("14:10", "14:40")])
        found = report(client, "/utilization/sessions", **DAY)
        (detail,) = found["session_details"]
        assert (detail["session_type"], detail["nodes_active"]) == ("default_analysis", 1)
        assert report(client, "/metrics/lab", **DAY)["coverage"]["are_sessions_known"] is False

    def test_a_node_that_began_by_a_clock_that_is_ahead_counts_as_up_in_sessions(self, client):
        ahead = told("2090-01-01T00:00:00", "node_start", node_id="n")
        send(client, [*session("14:00", "15:00"), *action("14:10", "14:40"), ahead])
        (figures,) = report(client, "/metrics/lab", **DAY)["nodes"]
        assert (figures["says_when_up"], figures["standby_hours"]) == (False, 0.5)

    def test_ten_years_are_reported_by_days_and_by_months(self, client):
        send(client, a_day())
        years = {"start_time": "2016-01-01T00:00:00Z", "end_time": "2026-01-01T00:00:00Z"}
        for length, number in (("daily", 3653), ("monthly", 120), ("weekly", 523)):
            found = report(
                client, "/utilization/periods", analysis_type=length, user_timezone="UTC", **years
            )
            assert found["summary_metadata"]["total_periods"] == number
            assert found["key_metrics"]["total_active_time_hours"] == 1.0
        assert (
            report(client, "/utilization/sessions", **years)["overall_summary"]["total_sessions"] == 1
        )

    def test_ten_years_of_hours_are_refused_in_a_sentence(self, client):
        years = {"start_time": "2016-01-01T00:00:00Z", "end_time": "2026-01-01T00:00:00Z"}
        said = refusal(client, "/utilization/periods", analysis_type="hourly", **years)
        assert said == (
            "From 2016-01-01T00:00:00.000000Z to 2026-01-01T00:00:00.000000Z there are more than 20,000"
            " hourly periods. Take a shorter time with start_time and end_time, or longer periods with"
            " analysis_type."
        )

    def test_a_clock_that_was_wrong_once_shows_as_where_the_time_begins(self, client):
        send(client, a_day())
        client.post("/event", json={"event_timestamp": "1970-01-01T00:01:05Z", "event_data": "late?"})
        said = refusal(client, "/utilization/periods", analysis_type="daily")
        assert said.startswith("From 1970-01-01T00:00:05.000000Z to 20")
        assert "start_time" in said


class TestParameters:
    @pytest.mark.parametrize(
        ("zone", "hint"),
        [
            ("America/Chcago", "Did you mean America/Chicago?"),
            ("europe/berlin2", "Europe/Berlin"),
            ("Nowhere at all", "Use an IANA name such as Europe/Berlin or UTC."),
            ("../../etc/passwd", "Use an IANA name"),
            ("/etc/passwd", "Use an IANA name"),
            ("", "Use an IANA name"),
        ],
    )
    def test_a_zone_that_there_is_not_is_refused_with_the_nearest(self, client, zone, hint):
        said = refusal(client, "/utilization/periods", user_timezone=zone)
        assert said.startswith(f"user_timezone: there is no time zone {zone!r}.")
        assert hint in said

    @pytest.mark.parametrize(
        ("length", "hint"),
        [("dayly", "Did you mean daily?"), ("decade", "Use one of hourly, daily, weekly, monthly.")],
    )
    def test_a_length_that_there_is_not_is_refused(self, client, length, hint):
        said = refusal(client, "/utilization/periods", analysis_type=length)
        assert said == f"analysis_type: {length!r} is no length of periods. {hint}"

    def test_a_parameter_that_there_is_not_is_refused(self, client):
        for path in ALL:
            assert "'colour': there is no such parameter. There are " in refusal(
                client, path, colour="red"
            )

    def test_what_is_neither_true_nor_false_is_refused(self, client):
        for path in PATHS:
            assert "csv_format" in refusal(client, path, csv_format="perhaps")

    def test_days_are_those_of_the_zone_of_which_chicago_is_the_usual_one(self, client):
        send(client, a_day())
        found = report(client, "/utilization/periods", **DAY)
        assert found["summary_metadata"]["user_timezone"] == "America/Chicago"
        assert [one["date"] for one in found["time_series"]["system"]] == ["2025-01-05", "2025-01-06"]
        found = report(client, "/utilization/periods", user_timezone="Asia/Tokyo", **DAY)
        assert [one["date"] for one in found["time_series"]["system"]] == ["2025-01-06", "2025-01-07"]

    def test_people_are_left_out_where_they_are_not_wanted(self, client):
        send(client, a_day())
        assert "user_utilization" in report(client, "/utilization/periods", **DAY)
        assert "user_utilization" not in report(
            client, "/utilization/periods", include_users=False, **DAY
        )

    def test_old_readers_find_the_error_where_it_was(self, client):
        reply = client.get("/utilization/sessions", params={"start_time": "tuesday"})
        assert reply.json()["error"]


class TestManners:
    def test_people_are_found_under_both_names(self, client):
        send(client, a_day())
        first, second = (report(client, path, **DAY) for path in PATHS[1:3])
        for one in (first, second):
            del one["report_metadata"]["generated_at"]
        assert first == second
        assert list(first["user_utilization"]) == ["Ann"]

    def test_head_says_what_get_does_without_a_body(self, client):
        for path in ALL:
            reply = client.head(path, params=DAY)
            assert reply.status_code == 200
            assert reply.content == b""
            assert reply.headers["Content-Type"] == "application/json"

    def test_a_slash_at_the_end_changes_nothing(self, client):
        for path in ALL:
            reply = client.get(f"{path}/", params=DAY, follow_redirects=False)
            assert reply.status_code == 200

    def test_other_methods_are_refused(self, client):
        for path in ALL:
            reply = client.post(path)
            assert reply.status_code == 405
            assert set(reply.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}

    def test_a_report_is_made_anew_as_soon_as_more_is_known(self, client):
        send(client, a_day())
        assert report(client, "/utilization/user", **DAY)["system_summary"]["total_workflows"] == 1
        send(client, workflow("09:00", "09:30", "g", "Ben"))
        found = report(client, "/utilization/user", **DAY)
        assert list(found["user_utilization"]) == ["Ann", "Ben"]

    def test_a_report_is_made_anew_after_older_events_were_imported(self, client):
        send(client, [told("2025-01-05T06:00:00", "node_start", node_id="n")])
        assert report(client, "/utilization/user", **DAY)["user_utilization"] == {}
        events = [as_json(one) for one in workflow("07:00", "07:30", "f", "Ann")]
        lines = [json.dumps({**one, "received_at": "2025-01-06T11:00:00Z"}) for one in events]
        reply = client.post(
            "/events/import",
            content="\n".join(lines),
            headers={"Content-Type": "application/x-ndjson"},
        )
        assert reply.json()["stored"] == 2
        await_followers(client)
        assert list(report(client, "/utilization/user", **DAY)["user_utilization"]) == ["Ann"]

    def test_a_report_tells_how_much_is_not_in_it_yet(self, client):
        send(client, a_day())
        found = report(client, "/utilization/sessions", **DAY)
        assert found["report_metadata"]["events_not_read_yet"] == 0
        assert found["report_metadata"]["coverage"]["latest_event_received"] is not None

    def test_events_that_come_on_and_on_are_in_the_report_in_the_end(self, client):
        for number in range(5):
            client.post(
                "/event", json={"event_type": "workflow_start", "event_data": {"workflow_id": number}}
            )
        found = report_when(
            client,
            "/utilization/user",
            lambda one: one["system_summary"]["total_workflows"] == 5,
            start_time="-1h",
            end_time="+1h",
        )
        assert found["report_metadata"]["workflows_without_authors"] == 5


class TestOddEvents:
    @pytest.mark.parametrize("data", ["Workflow completed", 7, None, [1], {"workflow_id": None}])
    def test_data_that_say_nothing_break_no_report(self, client, data):
        kinds = ("workflow_start", "workflow_complete", "node_start", "experiment_start", "lab_stop")
        send(client, [*a_day(), *(told("07:00", kind, data or "x") for kind in kinds)])
        for path in ALL:
            assert report(client, path, **DAY)
        found = report(client, "/utilization/user", **DAY)
        assert found["user_utilization"]["Ann"]["completed_workflows"] == 1

    def test_archived_events_count_as_before(self, client):
        events = a_day()
        send(client, events)
        before = report(client, "/utilization/sessions", **DAY)["overall_summary"]
        client.post("/events/archive", json={"event_ids": [one.event_id for one in events]})
        assert report(client, "/utilization/sessions", **DAY)["overall_summary"] == before

    def test_an_experiment_whose_events_have_no_source_counts_for_each_workcell(self, client):
        send(client, session("06:00", "10:00"))
        for when, kind in (("07:00", "experiment_start"), ("08:00", "experiment_complete")):
            event = {"event_type": kind, "event_timestamp": f"2025-01-06T{when}:00Z"}
            client.post("/event", json={**event, "event_data": {"experiment_id": "x"}})
        send(client, [])
        (found,) = report(client, "/utilization/sessions", **DAY)["session_details"]
        assert found["active_time_hours"] == 1.0

    def test_an_experiment_of_another_manager_counts_for_each_workcell(self, client):
        events = experiment("07:00", "08:00", manager_id="experiment-manager")
        send(client, [*session("06:00", "10:00"), *events])
        found = report(client, "/utilization/sessions", **DAY)
        assert not missing(found["session_details"][0], {"active_time_hours": 1.0})


class TestLabMetrics:
    def test_figures_are_json_unless_told_otherwise(self, client):
        send(client, a_day())
        found = report(client, "/metrics/lab", **DAY)
        assert found["window"]["start"] == "2025-01-06T00:00:00.000000Z"
        assert found["window"]["session_hours"] == 4.0
        assert found == {**report(client, "/metrics/lab", format="json", **DAY)}

    def test_they_are_csv(self, client):
        send(client, a_day())
        reply = client.get("/metrics/lab", params={**DAY, "format": "csv"})
        assert reply.status_code == 200
        assert reply.headers["Content-Type"] == "text/csv; charset=utf-8"
        assert reply.headers["Content-Disposition"] == "attachment; filename=lab_metrics.csv"
        assert reply.text.startswith("metric,node,action,who,value,unit,n,low,high\r\n")

    def test_they_are_sentences_for_a_paper(self, client):
        send(client, a_day())
        reply = client.get("/metrics/lab", params={**DAY, "format": "methods"})
        assert reply.status_code == 200
        assert reply.headers["Content-Type"] == "text/plain; charset=utf-8"
        assert "Content-Disposition" not in reply.headers
        assert "2025-01-06" in reply.text

    @pytest.mark.parametrize(
        ("name", "hint"),
        [("jsn", "Did you mean json?"), ("parquet", "Use one of json, csv, methods.")],
    )
    def test_another_form_is_refused(self, client, name, hint):
        said = refusal(client, "/metrics/lab", format=name)
        assert said == f"format: {name!r} is no form of a report. {hint}"


def test_a_time_in_which_the_lab_was_off_is_no_session_in_any_report_or_form(client):
    send(client, [*session("09:00", "10:00"), *action("09:10", "09:40"), *action("11:00", "11:30")])

    def on(begin: str, end: str) -> list[float]:
        window = {"start_time": f"2025-01-06T{begin}:00Z", "end_time": f"2025-01-06T{end}:00Z"}
        sessions = report(client, "/utilization/sessions", **window)["overall_summary"]
        periods = report(client, "/utilization/periods", **window)["key_metrics"]
        lab = report(client, "/metrics/lab", **window)
        assert lab["coverage"]["are_sessions_known"] is True
        for path in ALL[:-1]:
            assert client.get(path, params={**window, "csv_format": True}).status_code == 200
        assert client.get("/metrics/lab", params={**window, "format": "csv"}).status_code == 200
        text = client.get("/metrics/lab", params={**window, "format": "methods"}).text
        assert "No session is known" not in text
        return [
            sessions["total_system_runtime_hours"],
            periods["total_runtime_hours"],
            lab["window"]["session_hours"],
        ]

    assert on("09:00", "10:00") == on("09:00", "12:00") == [1, 1, 1]
    assert on("10:00", "12:00") == on("07:00", "09:00") == [0, 0, 0]
