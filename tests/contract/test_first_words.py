"""What somebody types first: an event in other words, a question with a slip, a time in words."""

from __future__ import annotations

import json

import pytest


def sent(client, body: str):
    """The reply to what ``curl -d`` sends."""
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    return client.post("/event", content=body, headers=headers)


def test_the_first_curl_is_an_error_with_its_message_and_the_reply_says_so(client):
    reply = sent(client, '{"message": "hello", "level": "ERROR"}')
    stored = reply.json()
    assert (stored["log_level"], stored["event_type"]) == (40, "log_error")
    assert stored["event_data"] == {"message": "hello"}
    assert "extra" not in stored
    assert reply.headers["X-Event-Warning"] == (
        "Read as a log line: message is event_data.message, level 'ERROR' is log_level ERROR."
    )
    found = client.post("/events/query", json={"$text": {"$search": "hello"}, "log_level": "ERROR"})
    assert list(found.json()) == [stored["_id"]]


def test_other_members_of_a_log_line_are_data_as_keywords_of_a_log_call_are(client):
    body = {"msg": "moved", "severity": "warning", "ts": 1700000000.5, "plate": "P7", "node_id": "arm"}
    stored = sent(client, json.dumps(body)).json()
    assert stored["event_data"] == {"message": "moved", "plate": "P7", "node_id": "arm"}
    assert stored["event_timestamp"] == "2023-11-14T22:13:20.500000Z"
    assert list(client.post("/events/query", json={"event_data.plate": "P7"}).json()) == [stored["_id"]]


def test_an_event_of_ours_is_taken_without_a_word(client):
    reply = sent(client, '{"event_data": {"message": "hello"}, "log_level": "ERROR"}')
    assert reply.json()["log_level"] == 40
    assert "X-Event-Warning" not in reply.headers


@pytest.mark.parametrize("path", ["/events", "/events/import"])
def test_lines_of_log_files_are_taken_and_what_was_understood_is_listed(client, path):
    lines = [
        {"version": "1.1", "host": "pc", "short_message": "gelf", "level": 2, "_plate": "P7"},
        {"@t": "2023-11-14T22:13:20Z", "@m": "clef", "@l": "Fatal"},
        {"MESSAGE": "journald", "PRIORITY": "6", "__REALTIME_TIMESTAMP": "1700000000000000"},
        {"event_data": "ours"},
    ]
    reply = client.post(path, content="\n".join(map(json.dumps, lines))).json()
    assert (reply["stored"], [one["line"] for one in reply["warnings"]]) == (4, [1, 2, 3])
    events = client.get("/events").json().values()
    lines = [event for event in events if event["event_data"] != "ours"]
    levels = {event["event_data"]["message"]: event["log_level"] for event in lines}
    assert levels == {"gelf": 50, "clef": 50, "journald": 20}


def test_what_powershell_writes_is_read(client):
    body = json.dumps({"message": "from PowerShell"}).encode("utf-16")
    reply = client.post("/event", content=body)
    assert reply.json()["event_data"] == {"message": "from PowerShell"}
    assert "UTF-16-LE" in reply.headers["X-Event-Warning"]


SLIPS = [
    ({"log_level": "EROR"}, "ERROR"),
    ({"event_type": "node_eror"}, "node_error"),
    ({"plate": "P7"}, "event_data.plate"),
    ({"soruce.node_id": "arm"}, "source.node_id"),
    ({"event_data.n": {"$gtee": 1}}, "$gte"),
]


@pytest.mark.parametrize(("selector", "right"), SLIPS)
def test_a_slip_in_a_question_is_refused_with_the_right_word_wherever_a_selector_is_taken(
    client, selector, right
):
    text = json.dumps(selector)
    replies = [
        client.post("/events/query", json=selector),
        client.post("/events/query", json={"selector": selector, "limit": 1}),
        client.post("/events/count", json=selector),
        client.get("/events/count", params={"selector": text}),
        client.get("/events/export", params={"selector": text}),
        client.post("/events/facets", json=selector),
        client.post("/events/histogram", json=selector),
        client.post("/events/archive", json={"selector": selector}),
    ]
    for reply in replies:
        assert (reply.status_code, reply.json()["code"]) == (400, "invalid-selector")
        assert f"Did you mean {right}?" in reply.json()["detail"]


@pytest.mark.parametrize(
    ("path", "params", "right"),
    [
        ("/events/histogram", {"by": "node_id"}, "node"),
        ("/events/facets", {"by": "type,wrkflow"}, "workflow"),
        ("/events/export", {"fields": "event_timestmp"}, "event_timestamp"),
        ("/events", {"level": "eror"}, "ERROR"),
    ],
)
def test_a_slip_in_a_parameter_is_refused_with_the_right_word(client, path, params, right):
    reply = client.get(path, params=params)
    assert reply.status_code == 422
    assert f"Did you mean {right}?" in reply.json()["detail"]


def test_a_slip_in_an_order_is_refused_with_the_right_word(client):
    reply = client.post("/events/query", json={"selector": {}, "sort": "-evnt_timestamp"})
    assert reply.status_code == 422
    assert "Did you mean event_timestamp?" in reply.json()["detail"]


@pytest.fixture
def days(serve):
    """A server in Berlin with events of now, of an hour and a half ago, and of the days before."""
    client = serve(naive_timezone="Europe/Berlin")
    for name, moment in {
        "old": "2026-01-01T12:00:00", "evening": "2026-01-01T23:30:00", "next": "2026-01-02T00:00:00",
    }.items():  # fmt: skip
        client.post("/event", json={"_id": name, "event_timestamp": moment})
    client.post("/event", json={"_id": "now"})
    return client


@pytest.mark.parametrize(
    ("params", "found"),
    [
        ({"start_time": "-1h"}, ["now"]),
        ({"end_time": "-1h"}, ["next", "evening", "old"]),
        ({"start_time": "2026-01-01", "end_time": "2026-01-01"}, ["evening", "old"]),
        ({"start_time": "2026-01-02", "end_time": "now"}, ["now", "next"]),
        ({"start_time": "tomorrow+1d"}, []),
        ({"start_time": "yesterday"}, ["now"]),
    ],
)
def test_times_in_words_bound_lists_and_counts(days, params, found):
    assert list(days.get("/events", params=params).json()) == found
    assert days.get("/events/count", params=params).json()["count"] == len(found)
    histogram = days.get("/events/histogram", params={"interval": "1w", **params})
    assert histogram.json()["total"] == len(found)


@pytest.mark.parametrize(
    ("selector", "found"),
    [
        ({"event_timestamp": {"$gte": "-1h"}}, ["now"]),
        ({"received_at": {"$gte": "-1h", "$lte": "today+48h"}}, ["now", "next", "evening", "old"]),
        ({"event_timestamp": {"$lte": "2026-01-01"}}, ["evening", "old"]),
        ({"event_timestamp": {"$gt": "2026-01-01", "$lt": "2026-01-03"}}, ["next"]),
        ({"event_timestamp": "2026-01-01"}, ["evening", "old"]),
        ({"event_timestamp": {"$ne": "2026-01-01"}}, ["now", "next"]),
        ({"archived_at": {"$gte": "-1h"}}, []),
    ],
)
def test_times_in_words_bound_selectors(days, selector, found):
    assert list(days.post("/events/query", json=selector).json()) == found


def test_times_in_words_bound_what_is_archived(days):
    body = {"before_date": "2026-01-02", "dry_run": True}
    assert days.post("/events/archive", json=body).json()["archived_count"] == 2
    body = {"before_date": "-1h"}
    assert days.post("/events/archive", json=body).json()["archived_count"] == 3
    archived = days.post("/events/query", json={"archived_at": {"$gte": "-1h"}})
    assert list(archived.json()) == ["next", "evening", "old"]


def test_an_event_that_says_a_time_in_words_says_nothing_of_when_it_happened(client):
    reply = client.post("/event", json={"event_timestamp": "-1h"})
    assert reply.json()["extra"] == {"event_timestamp": "-1h"}
    assert "is not a time" in reply.headers["X-Event-Warning"]
