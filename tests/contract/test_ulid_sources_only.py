"""With ``ulid_sources_only``, what clients of releases 0.7 and 0.8 read holds ULIDs only in source."""

from __future__ import annotations

import json

import pytest

ULID = "01JJ4S0WNGEF5FQAZG5KDGJRBV"
SOURCE = {"node_id": "arm-1", "lab_id": ULID}
SENT = {"event_id": "e1", "event_data": {"a": 1}, "source": SOURCE}


def seen(event):
    return event["source"], event.get("extra")


@pytest.fixture(params=[0, 1], ids=["in the server", "beside the server"])
def client(serve, request):
    return serve(ulid_sources_only=True, query_processes=request.param)


def test_every_reply_that_they_read_has_ulids_only(client):
    reply = client.post("/event", json=SENT)
    replies = [
        reply.json(),
        client.post("/event", json=SENT).json(),
        client.get("/event/e1").json(),
        client.get("/events").json()["e1"],
        client.post("/events/query", json={}).json()["e1"],
    ]
    assert [seen(one) for one in replies] == [({"lab_id": ULID}, {"source": {"node_id": "arm-1"}})] * 5
    assert "x-event-warning" not in reply.headers


def test_what_is_stored_selected_and_exported_keeps_every_id(client):
    client.post("/event", json=SENT)
    assert list(client.post("/events/query", json={"source.node_id": "arm-1"}).json()) == ["e1"]
    exported = json.loads(client.get("/events/export").text)
    assert seen(exported) == (SOURCE, None)
    chosen = client.post("/events/query", json={"fields": ["source"]}).json()["e1"]
    assert chosen["source"] == SOURCE


def test_without_the_setting_every_id_is_shown(serve):
    client = serve()
    assert seen(client.post("/event", json=SENT).json()) == (SOURCE, None)
    assert seen(client.get("/event/e1").json()) == (SOURCE, None)
    assert seen(client.post("/events/query", json={}).json()["e1"]) == (SOURCE, None)
