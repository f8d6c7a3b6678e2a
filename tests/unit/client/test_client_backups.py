"""Backups that are asked for through a client: the requests, and what comes back."""

from __future__ import annotations

import asyncio
import json

import pytest

from madsci.common.errors import ServerRefusedError

MADE = {"backup_path": "/lab/madsci_events_backup_20260101_120000_000000", "status": "completed"}
STATUS = {"backup_enabled": False, "backup_dir": "/lab", "available_backups": []}


@pytest.fixture
def backed_up_peer(peer):
    replies = {("POST", "/backup"): MADE, ("GET", "/backup/status"): STATUS}
    peer.route = lambda request: (200, {}, replies[request.method, request.path])
    return peer


@pytest.fixture
def client(make_client, peer):
    return make_client(event_server=peer.url, log_file_enabled=False)


def test_a_backup_is_asked_for_with_or_without_a_description(client, backed_up_peer):
    assert client.create_backup() == MADE
    assert client.create_backup("before the upgrade", timeout=5) == MADE
    bare, described = backed_up_peer.requests
    assert not bare.body  # as servers of earlier releases have it
    assert json.loads(described.body) == {"description": "before the upgrade"}


def test_the_status_is_that_of_the_route_that_all_servers_have(client, backed_up_peer):
    assert client.get_backup_status() == STATUS
    (request,) = backed_up_peer.requests
    assert (request.method, request.path) == ("GET", "/backup/status")


def test_the_asynchronous_twins_do_the_same(client, backed_up_peer):
    async def both():
        return await client.async_create_backup("nightly"), await client.async_get_backup_status()

    assert asyncio.run(both()) == (MADE, STATUS)
    assert json.loads(backed_up_peer.requests[0].body) == {"description": "nightly"}


def test_a_refusal_is_raised_with_its_reason(client, peer):
    peer.route = lambda _: (409, {}, {"detail": "A backup of events is being made already."})
    with pytest.raises(ServerRefusedError, match="being made already") as refusal:
        client.create_backup()
    assert refusal.value.status == 409


def test_a_backup_that_failed_is_not_asked_for_again_by_itself(client, peer):
    """Each attempt would fill the disk of the server a little more."""
    peer.route = lambda _: (500, {}, {"detail": "The disk is full."})
    with pytest.raises(ServerRefusedError, match="disk is full"):
        client.create_backup()
    assert len(peer.requests) == 1


def test_without_a_server_there_is_a_warning_and_nothing(make_client, capsys):
    client = make_client(log_file_enabled=False)
    assert client.create_backup() is None
    assert client.get_backup_status() is None
    warned = capsys.readouterr()
    assert "create_backup needs an Event Manager" in warned.err + warned.out
    assert "get_backup_status needs an Event Manager" in warned.err + warned.out
