"""A peer to talk to over real sockets: a small server that can be told to misbehave."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from madsci.client.event_client import EventClient
from support.scripted_peer import Peer, PeerServer, make_handler
from support.serving import serving


@pytest.fixture
def peer() -> Iterator[Peer]:
    peer = Peer()
    server = PeerServer(("127.0.0.1", 0), make_handler(peer))
    peer.url = f"http://127.0.0.1:{server.server_port}"
    with serving(server, peer.hold.set):
        yield peer


@pytest.fixture
def reference_peer(peer: Peer) -> Peer:
    """A server of an older release: it knows ``POST /event`` only."""
    peer.has_batches = False
    return peer


@pytest.fixture(autouse=True)
def clean_surroundings(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EVENT_CLIENT_SPOOL_DIR", str(tmp_path / "spool"))
    for name in ("EVENT_SERVER_URL", "EVENT_CLIENT_LOG_DIR", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def make_client(tmp_path) -> Iterator[Callable[..., EventClient]]:
    """Make clients that log into the test's directory; they are closed at its end."""
    clients: list[EventClient] = []

    def make(**settings: Any) -> EventClient:
        quiet = {"name": "robot", "log_console_enabled": False, "log_dir": tmp_path / "logs"}
        quiet |= {"close_timeout_seconds": 0.5, "retry_backoff_factor": 0.01}
        clients.append(EventClient(**{**quiet, **settings}))
        return clients[-1]

    yield make
    for client in clients:
        client.close()
