"""Reports about the lab that are asked for through a client: the requests, and what comes back."""

from __future__ import annotations

import asyncio
import inspect
import time
from datetime import date, datetime, timezone
from pathlib import PurePosixPath

import pytest

from madsci.client.event_client import EventClient
from madsci.common.errors import QueryTimeoutError, ServerRefusedError, ServerUnreachableError

PATHS = {
    "get_session_utilization": "/utilization/sessions",
    "get_utilization_periods": "/utilization/periods",
    "get_user_utilization_report": "/utilization/user",
    "get_lab_metrics": "/metrics/lab",
}
UTILIZATION = [name for name in PATHS if name != "get_lab_metrics"]
OWN = {
    "get_utilization_periods": {
        "analysis_type": "daily", "user_timezone": "America/Chicago", "include_users": "true",
    },
    "get_lab_metrics": {"format": "json"},
}  # fmt: skip
"""The parameters that a report sends unasked."""
TABLE = "Author,Total Workflows\r\nZoë,3\r\n"
CSV = {"Content-Type": "text/csv; charset=utf-8"}
every_report = pytest.mark.parametrize("name", PATHS)
every_utilization = pytest.mark.parametrize("name", UTILIZATION)


@pytest.fixture
def client(make_client, peer):
    return make_client(event_server=peer.url, log_file_enabled=False)


@pytest.fixture
def reporting_peer(peer):
    peer.route = lambda request: (200, {"Content-Type": "application/json"}, {"path": request.path})
    return peer


@pytest.fixture
def in_tokyo(monkeypatch):
    if not hasattr(time, "tzset"):
        pytest.skip("the zone of the machine cannot be set")
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        yield
    time.tzset()


def reply_with(peer, status, headers, content):
    peer.route = lambda _: (status, headers, content)


def test_existing_programs_may_give_everything_by_position():
    def parameters(name):
        found = inspect.signature(getattr(EventClient, name)).parameters.values()
        given = [one for one in found if one.kind is one.POSITIONAL_OR_KEYWORD and one.name != "self"]
        return [(one.name, one.default) for one in given]

    span = [("start_time", None), ("end_time", None)]
    file = [("csv_export", False), ("save_to_file", False), ("output_path", None)]
    periods = [
        ("analysis_type", "daily"), ("user_timezone", "America/Chicago"), ("include_users", True),
    ]  # fmt: skip
    assert parameters("get_session_utilization") == [*span, *file]
    assert parameters("get_utilization_periods") == [*span, *periods, *file]
    assert parameters("get_user_utilization_report") == [*span, *file]
    assert parameters("get_lab_metrics") == [*span, ("format", "json")]


@every_report
def test_a_report_comes_as_the_server_tells_it(client, reporting_peer, name):
    assert getattr(client, name)() == {"path": PATHS[name]}
    (request,) = reporting_peer.requests
    assert (request.method, request.path, request.params) == ("GET", PATHS[name], OWN.get(name, {}))


@every_report
def test_instants_are_sent_as_such_and_relative_times_as_they_are(client, reporting_peer, name):
    ask = getattr(client, name)
    ask("2026-01-01T06:00:00-06:00", datetime(2026, 1, 2, tzinfo=timezone.utc))
    ask("-24h")
    exact, relative = [request.params for request in reporting_peer.requests]
    assert exact["start_time"] == "2026-01-01T12:00:00.000000Z"
    assert exact["end_time"] == "2026-01-02T00:00:00.000000Z"
    assert relative["start_time"] == "-24h"
    assert "end_time" not in relative


@every_report
def test_times_without_a_zone_are_those_of_this_machine_and_days_those_of_the_report(
    client, reporting_peer, in_tokyo, name
):
    ask = getattr(client, name)
    ask(datetime(2026, 1, 1, 12), "2026-01-02T12:00:00")  # noqa: DTZ001
    ask(date(2026, 1, 1), "2026-01-02")
    moments, days = [request.params for request in reporting_peer.requests]
    assert (moments["start_time"], moments["end_time"]) == (
        "2026-01-01T03:00:00.000000Z", "2026-01-02T03:00:00.000000Z",
    )  # fmt: skip
    assert (days["start_time"], days["end_time"]) == ("2026-01-01", "2026-01-02")


@every_report
def test_a_time_that_cannot_be_read_is_refused_before_it_is_asked(client, reporting_peer, name):
    with pytest.raises(ValueError, match="end_time"):
        getattr(client, name)(end_time="some day")
    assert reporting_peer.requests == []


def test_periods_are_sent_with_what_they_are(client, reporting_peer):
    client.get_utilization_periods(None, None, "weekly", "Europe/Berlin", False)
    (request,) = reporting_peer.requests
    assert request.params == {
        "analysis_type": "weekly", "user_timezone": "Europe/Berlin", "include_users": "false",
    }  # fmt: skip


@every_utilization
def test_csv_comes_as_text(client, peer, name):
    reply_with(peer, 200, CSV, TABLE.encode())
    assert getattr(client, name)(csv_export=True) == TABLE
    (request,) = peer.requests
    assert request.params == {**OWN.get(name, {}), "csv_format": "true"}


@every_utilization
def test_what_the_server_does_not_give_as_csv_comes_as_an_object(client, reporting_peer, name):
    assert getattr(client, name)(csv_export=True) == {"path": PATHS[name]}


@every_utilization
def test_a_file_on_the_server_is_asked_for_with_its_folder(client, peer, name):
    saved = {"success": True, "file_path": "/lab/reports/week.csv"}
    reply_with(peer, 200, {}, saved)
    ask = getattr(client, name)
    assert ask(csv_export=True, save_to_file=True, output_path="reports") == saved
    assert ask(save_to_file=True, output_path=PurePosixPath("reports/week")) == saved
    ask(output_path="reports")
    own = OWN.get(name, {})
    assert [request.params for request in peer.requests] == [
        {**own, "csv_format": "true", "save_to_file": "true", "output_path": "reports"},
        {**own, "save_to_file": "true", "output_path": "reports/week"},
        own,
    ]


@every_utilization
@pytest.mark.parametrize("folder", [None, ""])
def test_a_file_without_a_folder_is_refused_before_it_is_asked(client, reporting_peer, name, folder):
    with pytest.raises(ValueError, match="save_to_file needs output_path: a folder on the server"):
        getattr(client, name)(csv_export=True, save_to_file=True, output_path=folder)
    with pytest.raises(TypeError):
        getattr(client, name)(save_to_file=True, output_path=7)
    assert reporting_peer.requests == []


@pytest.mark.parametrize(
    ("format_", "kind", "text"),
    [
        ("csv", "text/csv; charset=utf-8", TABLE),
        ("methods", "Text/Plain", "In 24 h, 3 workflows ran at 25 µl each."),
    ],
)
def test_lab_metrics_come_in_the_form_that_is_asked_for(client, peer, format_, kind, text):
    reply_with(peer, 200, {"Content-Type": kind}, text.encode())
    assert client.get_lab_metrics("2026-01-01T00:00:00Z", format=format_) == text
    (request,) = peer.requests
    assert request.params == {"start_time": "2026-01-01T00:00:00.000000Z", "format": format_}


def test_a_text_that_is_not_the_one_asked_for_is_no_report(client, peer):
    reply_with(peer, 200, {"Content-Type": "text/html"}, b"<h1>Log in</h1>")
    for ask in (client.get_lab_metrics, client.get_user_utilization_report):
        with pytest.raises(ServerRefusedError, match="not an Event Manager"):
            ask()
    with pytest.raises(ServerRefusedError, match="not an Event Manager"):
        client.get_session_utilization(csv_export=True)


@every_report
@pytest.mark.parametrize("status", [400, 422])
def test_a_refusal_is_raised_with_its_reason(client, peer, name, status):
    reply_with(peer, status, {}, {"status": status, "detail": "end_time is before start_time."})
    with pytest.raises(ServerRefusedError, match="end_time is before start_time") as refusal:
        getattr(client, name)()
    assert refusal.value.status == status
    assert len(peer.requests) == 1


def test_an_error_is_no_report_whatever_its_type_of_content(client, peer):
    reply_with(peer, 422, CSV, b"no such zone")
    with pytest.raises(ServerRefusedError, match="no such zone"):
        client.get_utilization_periods(user_timezone="Europe/Atlantis", csv_export=True)


def test_a_server_without_the_route_is_told_of_with_the_reason_to_look_for(client, peer):
    with pytest.raises(ServerRefusedError, match=r"status 404.*release"):
        client.get_lab_metrics()


def test_a_report_is_asked_for_again_while_the_server_is_overloaded(client, reporting_peer):
    reporting_peer.script = [(503, {}), (429, {})]
    assert client.get_session_utilization() == {"path": "/utilization/sessions"}


def test_a_report_that_took_too_long_is_not_asked_for_again(client, peer):
    problem = {"status": 504, "code": QueryTimeoutError.code, "detail": "Ask for a shorter span."}
    reply_with(peer, 504, {}, problem)
    with pytest.raises(ServerRefusedError, match="shorter span"):
        client.get_session_utilization()
    assert len(peer.requests) == 1


@every_report
def test_a_report_is_waited_for_as_long_as_questions_that_compute(make_client, peer, name):
    settings = {"event_server": peer.url, "log_file_enabled": False, "timeout_default": 0.1}
    peer.script = [(0, {}), (0, {})]
    with pytest.raises(ServerUnreachableError):
        getattr(make_client(**settings, timeout_data_operations=0.2), name)()
    client = make_client(**settings)
    with pytest.raises(ServerUnreachableError):
        getattr(client, name)(timeout=0.2)
    peer.hold.set()
    peer.route = lambda _: time.sleep(0.3) or (200, {}, {"took": "its time"})
    assert getattr(client, name)() == {"took": "its time"}


@every_report
def test_without_a_server_there_is_a_warning_and_nothing(make_client, capsys, name):
    client = make_client(log_file_enabled=False)
    assert getattr(client, name)() is None
    assert asyncio.run(getattr(client, f"async_{name}")()) is None
    warned = capsys.readouterr()
    assert f"{name} needs an Event Manager: set event_server_url" in warned.err + warned.out


@every_report
def test_the_asynchronous_twins_do_the_same(client, reporting_peer, name):
    twin = getattr(client, f"async_{name}")
    assert asyncio.run(twin("2026-01-01T00:00:00Z", timeout=5)) == {"path": PATHS[name]}
    (request,) = reporting_peer.requests
    assert request.params == {"start_time": "2026-01-01T00:00:00.000000Z", **OWN.get(name, {})}
    reply_with(reporting_peer, 422, {}, {"detail": "end_time is before start_time."})
    with pytest.raises(ServerRefusedError, match="before start_time"):
        asyncio.run(twin())


def test_a_report_waits_for_what_this_client_has_logged(client, peer):
    own = peer.route
    peer.route = lambda request: own(request) if request.method == "POST" else (200, {}, {})
    client.info("hello")
    assert client.get_session_utilization() == {}
    assert [(request.method, request.path) for request in peer.requests] == [
        ("POST", "/events"), ("GET", "/utilization/sessions"),
    ]  # fmt: skip
