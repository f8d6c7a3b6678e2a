"""What operators ask of the server through a client: the requests, and what comes back."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime, timezone

import pytest

from madsci.common.errors import ServerRefusedError


@pytest.fixture
def client(make_client, peer):
    return make_client(event_server=peer.url, log_file_enabled=False)


@pytest.fixture
def operated_peer(peer):
    replies = {
        ("POST", "/events/archive"): {"archived_count": 2, "message": "Successfully archived 2 events"},
        ("DELETE", "/events/archived"): {"deleted_count": 1, "message": "Permanently deleted 1 event"},
    }
    peer.route = lambda request: (200, {}, replies[request.method, request.path])
    return peer


def bodies(peer) -> list[dict]:
    return [json.loads(request.body) for request in peer.requests]


def test_archiving_says_which_events(client, operated_peer):
    assert client.archive_events("2026-01-01T00:00:00Z")["archived_count"] == 2
    client.archive_events(event_ids=("a", "b"))
    client.archive_events(event_ids="a")
    moment = datetime(2026, 1, 1, tzinfo=timezone.utc)
    client.archive_events(moment, selector={"event_timestamp": {"$gt": moment}}, dry_run=True)
    assert bodies(operated_peer) == [
        {"before_date": "2026-01-01T00:00:00.000000Z"},
        {"event_ids": ["a", "b"]},
        {"event_ids": ["a"]},
        {
            "before_date": "2026-01-01T00:00:00.000000Z",
            "selector": {"event_timestamp": {"$gt": "2026-01-01T00:00:00.000000Z"}},
            "dry_run": True,
        },
    ]


def test_any_number_of_ids_is_sent(client, operated_peer):
    ids = [f"e{number}" for number in range(50_000)]
    client.archive_events(event_ids=ids)
    assert bodies(operated_peer) == [{"event_ids": ids}]


def test_deleting_says_how_old(client, operated_peer):
    assert client.purge_events()["deleted_count"] == 1
    client.purge_events(0, dry_run=True)
    client.purge_events(1, backup=False)
    assert [request.params for request in operated_peer.requests] == [
        {"older_than_days": "30"}, {"older_than_days": "0", "dry_run": "true"},
        {"older_than_days": "1", "backup": "false"},
    ]  # fmt: skip


def test_the_asynchronous_twins_do_the_same(client, operated_peer):
    async def both():
        return (
            await client.async_archive_events(event_ids=["a"], dry_run=True),
            await client.async_purge_events(7),
        )

    archived, purged = asyncio.run(both())
    assert (archived["archived_count"], purged["deleted_count"]) == (2, 1)
    archiving, purging = operated_peer.requests
    assert json.loads(archiving.body) == {"event_ids": ["a"], "dry_run": True}
    assert purging.params == {"older_than_days": "7"}


def test_a_refusal_is_raised_with_its_reason(client, peer):
    peer.route = lambda _: (422, {}, {"detail": "Either event_ids or before_date must be provided"})
    with pytest.raises(ServerRefusedError, match="Either event_ids or before_date"):
        client.archive_events()


def test_without_a_server_there_is_a_warning_and_nothing(make_client, capsys):
    client = make_client(log_file_enabled=False)
    assert client.archive_events(event_ids=["a"]) is None
    assert client.purge_events() is None
    warned = capsys.readouterr()
    assert "archive_events needs an Event Manager" in warned.err + warned.out
    assert "purge_events needs an Event Manager" in warned.err + warned.out
