"""The wire of events: what other programs may send and what they get back."""

from __future__ import annotations

import gzip
import json
from datetime import datetime, timezone

import pytest

MEMBERS = [
    "_id", "event_id", "event_type", "log_level", "alert", "event_timestamp", "source", "event_data",
    "trace_id", "span_id", "archived", "archived_at", "received_at",
]  # fmt: skip


def post(client, event: dict):
    reply = client.post("/event", json=event)
    assert reply.status_code == 200, reply.text
    return reply.json()


def test_the_example_of_the_documentation_is_answered_with_the_stored_event(client):
    sent = {
        "event_type": "LOG_INFO",
        "log_level": 20,
        "event_data": "Event message or data",
        "alert": False,
    }
    stored = post(client, sent)
    assert list(stored) == MEMBERS
    assert stored["_id"] == stored["event_id"]
    assert len(stored["_id"]) == 26
    assert stored["event_type"] == "log_info"
    assert stored["event_data"] == "Event message or data"
    age = datetime.now(timezone.utc) - datetime.fromisoformat(
        stored["event_timestamp"].replace("Z", "+00:00")
    )
    assert 0 <= age.total_seconds() < 10
    assert client.get(f"/event/{stored['_id']}").json() == stored


def test_an_empty_object_is_an_event(client):
    stored = post(client, {})
    assert (stored["event_type"], stored["log_level"], stored["event_data"]) == ("unknown", 20, {})


def test_either_name_of_the_id_is_read_and_the_underscored_one_wins(client):
    assert post(client, {"event_id": "a"})["_id"] == "a"
    assert post(client, {"_id": "b"})["event_id"] == "b"
    assert post(client, {"_id": "c", "event_id": "d"})["_id"] == "c"
    assert post(client, {"_id": 42})["_id"] == "42"


def test_a_duplicate_leaves_the_stored_event_as_it_was_and_is_marked(client):
    first = post(client, {"event_id": "same", "event_data": "first"})
    reply = client.post("/event", json={"event_id": "same", "event_data": "second"})
    assert reply.status_code == 200
    assert reply.headers["X-Event-Duplicate"] == "true"
    assert reply.json() == first
    assert client.get("/health").json()["total_events"] == 1


def test_alerting_on_a_stored_event_raises_its_flag_and_nothing_else(client):
    first = post(client, {"event_id": "same", "event_data": "first"})
    raised = post(client, {"event_id": "same", "event_data": "second", "alert": True})
    assert raised == {**first, "alert": True}
    assert client.get("/event/same").json() == raised
    assert post(client, {"event_id": "same"})["alert"] is True


def test_a_missing_source_becomes_the_managers_and_an_empty_one_stays_empty(client):
    own = client.get("/definition").json()["manager_id"]
    assert post(client, {})["source"] == {"manager_id": own}
    assert post(client, {"source": {}})["source"] == {}
    assert post(client, {"source": {"node_id": "exp-123", "user_id": None}})["source"] == {
        "node_id": "exp-123"
    }


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ("2025-01-01T00:00:00Z", "2025-01-01T00:00:00.000000Z"),
        ("2025-01-01T00:00:00.5-06:00", "2025-01-01T06:00:00.500000Z"),
        ("2025-01-01 00:00:00.1234567Z", "2025-01-01T00:00:00.123457Z"),
        (1700000000, "2023-11-14T22:13:20.000000Z"),
        (1700000000000, "2023-11-14T22:13:20.000000Z"),
        ("2025-07-01T12:00:00.000001", "2025-07-01T10:00:00.000001Z"),
    ],
)
def test_times_are_stored_as_instants_to_the_microsecond(serve, sent, stored):
    """Times without an offset are in the configured zone, here that of Berlin."""
    client = serve(naive_timezone="Europe/Berlin")
    assert post(client, {"event_timestamp": sent})["event_timestamp"] == stored


def test_a_time_that_cannot_be_read_costs_nothing_but_itself(client):
    reply = client.post("/event", json={"event_timestamp": "yesterday", "event_data": "kept"})
    stored = reply.json()
    assert stored["event_timestamp"] == stored["received_at"]
    assert stored["extra"] == {"event_timestamp": "yesterday"}
    assert "yesterday" in reply.headers["X-Event-Warning"]


def test_members_that_events_do_not_have_are_kept_and_found(client):
    stored = post(client, {"_id": "odd", "plate": "P7", "event_data": "text"})
    assert stored["extra"] == {"plate": "P7"}
    assert list(client.post("/events/query", json={"extra.plate": "P7"}).json()) == ["odd"]


def test_the_former_name_of_a_cancelled_experiment_is_read(client):
    assert post(client, {"event_type": "experiment_stop"})["event_type"] == "experiment_cancelled"


def test_a_type_that_old_clients_bury_becomes_the_events_type_and_the_copy_stays(client):
    data = {"message": "done", "event_type": "workflow_complete"}
    stored = post(client, {"event_type": "log_info", "event_data": data})
    assert stored["event_type"] == "workflow_complete"
    assert stored["event_data"] == data
    lifecycle = post(client, {"event_type": "node_start", "event_data": data})
    assert lifecycle["event_type"] == "node_start"


def test_promoting_buried_types_can_be_switched_off(serve):
    data = {"event_type": "workflow_complete"}
    stored = post(serve(promote_event_type=False), {"event_type": "log_info", "event_data": data})
    assert stored["event_type"] == "log_info"


def test_documents_of_old_releases_are_read(client):
    """0.6 knew neither trace ids nor archiving, and wrote naive times."""
    old = {
        "_id": "01JJ4S0WNGEF5FQAZG5KDGJRBV", "event_type": "workflow_start", "log_level": 20,
        "alert": False, "event_timestamp": "2025-01-06T14:30:00.000123",
        "source": {"workcell_id": "01JJ4S0WNGEF5FQAZG5KDGJRBW"}, "event_data": {"workflow_id": "w"},
    }  # fmt: skip
    stored = post(client, old)
    assert stored["archived"] is False
    assert stored["event_timestamp"].endswith(".000123Z")
    assert stored["event_data"] == {"workflow_id": "w"}


def test_archived_events_are_found_by_id_and_on_request_only(client):
    post(client, {"_id": "gone", "archived": True, "archived_at": "2025-01-01T00:00:00"})
    assert client.get("/event/gone").json()["archived"] is True
    assert client.get("/events").json() == {}
    assert list(client.get("/events", params={"include_archived": True}).json()) == ["gone"]
    assert list(client.post("/events/query", json={}).json()) == ["gone"]


def test_the_latest_events_come_newest_first_and_ties_by_id(client):
    for name, time in (("a", "03"), ("c", "02"), ("b", "02"), ("d", "01")):
        post(client, {"_id": name, "event_timestamp": f"2025-01-01T00:00:{time}Z"})
    assert list(client.get("/events").json()) == ["a", "c", "b", "d"]
    assert list(client.get("/events?number=2&offset=1").json()) == ["c", "b"]
    assert list(client.get("/events?start_time=2025-01-01T00:00:02Z").json()) == ["a", "c", "b"]
    assert list(client.get("/events?end_time=2025-01-01T00:00:02Z").json()) == ["c", "b", "d"]


def test_a_level_is_a_number_or_a_name_and_means_at_least(client):
    for level in (10, 20, 30, 40, 50):
        post(client, {"_id": str(level), "log_level": level, "event_timestamp": level})
    assert list(client.get("/events?level=warning").json()) == ["50", "40", "30"]
    assert list(client.get("/events?level=35").json()) == ["50", "40"]
    assert list(client.get("/events?level=-1").json()) == ["50", "40", "30", "20", "10"]


def test_pages_follow_each_other_by_cursor_while_events_arrive(client):
    for number in range(25):
        post(client, {"_id": f"{number:02d}", "event_timestamp": number})
    seen: list[str] = []
    cursor = None
    while True:
        reply = client.get("/events", params={"number": 10, **({"cursor": cursor} if cursor else {})})
        seen.extend(reply.json())
        post(client, {"_id": f"new-{len(seen)}", "event_timestamp": 1000 + len(seen)})
        cursor = reply.headers.get("X-Next-Cursor")
        if cursor is None:
            break
    assert seen == [f"{number:02d}" for number in reversed(range(25))]


def test_number_zero_asks_for_a_whole_page(client):
    lines = "\n".join(json.dumps({"event_data": number}) for number in range(150))
    client.post("/events", content=lines)
    assert len(client.get("/events?number=0").json()) == 150
    assert len(client.get("/events").json()) == 100


def test_a_nested_source_means_its_members(client):
    post(client, {"_id": "a", "source": {"node_id": "n1", "user_id": "u"}})
    post(client, {"_id": "b", "source": {"node_id": "n2"}})
    for selector in ({"source": {"node_id": "n1"}}, {"source.node_id": "n1"}, {"event_id": "a"}):
        assert list(client.post("/events/query", json=selector).json()) == ["a"]


@pytest.mark.parametrize("encoding", ["identity", "gzip", "zstd", "deflate"])
def test_many_events_come_as_lines_or_as_an_array_compressed_or_not(client, encoding):
    import zlib

    from madsci.common.zstandard import zstd

    pack = {"identity": bytes, "gzip": gzip.compress, "zstd": zstd.compress, "deflate": zlib.compress}[
        encoding
    ]
    events = [{"_id": f"{encoding}-{number}", "event_data": number} for number in range(3)]
    bodies = [
        json.dumps(events),
        "\r\n".join(map(json.dumps, events)) + "\n\n",
        json.dumps(events, indent=1),
    ]
    replies = [
        client.post(
            "/events", content=pack(body.encode()), headers={"Content-Encoding": encoding}
        ).json()
        for body in bodies
    ]
    assert [(reply["stored"], reply["duplicate"]) for reply in replies] == [(3, 0), (0, 3), (0, 3)]


def test_one_event_over_several_lines_is_one_event(client):
    reply = client.post("/events", content=json.dumps({"event_data": {"a": [1, 2]}}, indent=2))
    assert reply.json()["stored"] == 1


def test_repairs_in_a_body_of_many_are_told_by_line(client):
    reply = client.post(
        "/events", content='{"event_data":1}\n{"event_type":"odd","event_data":NaN}\n'
    ).json()
    assert reply["stored"] == 2
    assert [warning["line"] for warning in reply["warnings"]] == [2, 2]
    assert "'odd'" in " ".join(warning["detail"] for warning in reply["warnings"])
