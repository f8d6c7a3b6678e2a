"""A peer to talk to over real sockets: a small server that can be told to misbehave."""

from __future__ import annotations

import gzip
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from madsci.client.event_client import EventClient


@dataclass
class Request:
    method: str
    path: str
    params: dict[str, str]
    headers: dict[str, str]
    body: bytes


@dataclass
class Peer:
    """The server's state; ``script`` holds the answers to the next requests before it behaves."""

    url: str = ""
    has_batches: bool = True
    max_body: int = 10_000_000
    page: int = 1000
    refused_ids: set[str] = field(default_factory=set)
    script: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    events: dict[str, dict[str, Any]] = field(default_factory=dict)
    hold: threading.Event = field(default_factory=threading.Event)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def paths(self) -> list[str]:
        return [request.path for request in self.requests]

    def store(self, document: dict[str, Any]) -> bool:
        known = self.events.get(document["event_id"])
        if known is None:
            self.events[document["event_id"]] = {**document, "_id": document["event_id"]}
        elif document.get("alert"):
            known["alert"] = True
        return known is None

    def answer(self, request: Request) -> tuple[int, dict[str, str], Any]:
        with self.lock:
            self.requests.append(request)
            if self.script:
                status, headers = self.script.pop(0)
                if status == 0:
                    self.hold.wait(30)
                    return 503, {}, {"detail": "held"}
                return status, headers, {"detail": "scripted", "status": status}
            if len(request.body) > self.max_body:
                return 413, {}, {"detail": "too large", "status": 413}
            return self.route(request)

    def route(self, request: Request) -> tuple[int, dict[str, str], Any]:
        path = request.path
        if request.method == "POST" and path == "/event":
            document = json.loads(request.body)
            is_new = self.store(document)
            return 200, {} if is_new else {"X-Event-Duplicate": "true"}, document
        if request.method == "POST" and path == "/events" and self.has_batches:
            return self.batch(request)
        if request.method == "GET" and path.startswith("/event/"):
            event = self.events.get(path.removeprefix("/event/"))
            return (200, {}, event) if event else (404, {}, {"detail": "Event not found"})
        if (request.method, path) in (("GET", "/events"), ("POST", "/events/query")):
            return self.listing(request)
        return 404, {}, {"detail": "Not Found"}

    def batch(self, request: Request) -> tuple[int, dict[str, str], Any]:
        body = request.body
        if request.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        reply: dict[str, Any] = {"stored": 0, "duplicate": 0, "errors": [], "warnings": []}
        lines = body.splitlines()
        for number, line in enumerate(lines, 1):
            document = json.loads(line)
            if document["event_id"] in self.refused_ids:
                error = {"line": number, "event_id": document["event_id"], "status": 422}
                reply["errors"].append({**error, "code": "invalid-event", "detail": "not liked"})
            else:
                reply["stored" if self.store(document) else "duplicate"] += 1
        reply |= {"received": len(lines), "rejected": len(reply["errors"]), "errors_omitted": 0}
        return 422 if len(reply["errors"]) == len(lines) else 200, {}, reply

    def listing(self, request: Request) -> tuple[int, dict[str, str], Any]:
        first = int(request.params.get("cursor", "0"))
        size = min(int(request.params.get("number", "100")) or self.page, self.page)
        found = sorted(self.events.values(), key=lambda event: event["_id"], reverse=True)
        page = {event["_id"]: event for event in found[first : first + size]}
        more = first + size < len(found)
        return 200, {"X-Next-Cursor": str(first + size)} if more else {}, page


def make_handler(peer: Peer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def handle_one(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            params = {name: values[0] for name, values in parse_qs(parts.query).items()}
            request = Request(self.command, parts.path, params, dict(self.headers), body)
            status, headers, document = peer.answer(request)
            content = json.dumps(document).encode()
            self.send_response(status)
            for name, value in {"Content-Length": str(len(content)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_DELETE = handle_one  # noqa: N815 - the names in the standard library

        def log_message(self, *arguments: Any) -> None:
            pass

    return Handler


class PeerServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # clients of these tests hang up while they are kept waiting


@pytest.fixture
def peer() -> Iterator[Peer]:
    peer = Peer()
    server = PeerServer(("127.0.0.1", 0), make_handler(peer))
    peer.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield peer
    peer.hold.set()
    server.shutdown()
    thread.join()
    server.server_close()


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


def wait_until(condition: Callable[[], Any], seconds: float = 10.0) -> None:
    """Wait for something that another thread does."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.002)


@pytest.fixture(name="wait_until")
def wait_until_fixture() -> Callable[..., None]:
    return wait_until
