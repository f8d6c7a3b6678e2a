"""Servers that behave badly, for clients in other processes: decided request by request."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import json
import random
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from support.serving import serving

WELL = "well"
CUT_BEFORE = "cut before storing"
CUT_AFTER = "cut in the middle of the response"
HANG = "hang"


class BadPeer:
    """Keeps events in the order of their arrival. ``mood`` says what becomes of the next request.

    A mood is ``WELL``, an HTTP status, ``CUT_BEFORE``, ``CUT_AFTER`` or ``HANG``.
    """

    def __init__(
        self, mood: Callable[[], str | int] = lambda: WELL, *, has_batches: bool = True
    ) -> None:
        self.mood = mood
        self.has_batches = has_batches
        self.arrived: dict[str, dict[str, Any]] = {}
        self.requests = 0
        self.released = threading.Event()
        self.lock = threading.Lock()
        self.url = ""

    def take(self, lines: list[bytes]) -> list[bool]:
        """Store events once each; tell which were new."""
        known = []
        for line in lines:
            event = json.loads(line)
            known.append(event["event_id"] not in self.arrived)
            self.arrived.setdefault(event["event_id"], event)
        return known

    def data(self) -> list[dict[str, Any]]:
        """What the events say, in the order of their first arrival."""
        with self.lock:
            return [event["event_data"] for event in self.arrived.values()]


def randomly(*moods: str | int, seed: int, share: float = 0.5) -> Callable[[], str | int]:
    """Be well but for a share of requests, which meet one of the moods."""
    chance = random.Random(seed)
    return lambda: chance.choice(moods) if chance.random() < share else WELL


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_POST(self) -> None:
        peer = self.server.peer
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        is_batch = self.path == "/events"
        with peer.lock:
            peer.requests += 1
            mood = peer.mood()
            if is_batch and not peer.has_batches:
                mood = 404
            if mood == CUT_BEFORE:
                self.close_connection = True
                return
            is_new = (
                peer.take(body.splitlines() if is_batch else [body])
                if mood in (WELL, CUT_AFTER)
                else []
            )
        if mood == HANG:
            peer.released.wait(60)
            mood = 503
        if isinstance(mood, int):
            self.answer(mood, {"detail": "in a bad mood", "status": mood})
            return
        stored = sum(is_new)
        reply = {"received": len(is_new), "stored": stored, "duplicate": len(is_new) - stored}
        self.answer(200, reply | {"errors": []}, whole=mood == WELL, is_new=all(is_new))

    def answer(self, status: int, document: Any, *, whole: bool = True, is_new: bool = True) -> None:
        content = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        if not is_new:
            self.send_header("X-Event-Duplicate", "true")
        self.end_headers()
        self.wfile.write(content if whole else content[: len(content) // 2])
        self.close_connection = not whole

    def log_message(self, *arguments: Any) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64
    peer: BadPeer

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # clients are killed in these drills


class _OneByOne(BaseHTTPRequestHandler):
    """Passes ``POST /event`` on and knows nothing else, as servers before 0.9 did."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Front

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path != "/event":
            self.answer(404, b'{"detail":"Not Found"}')
            return
        connection = http.client.HTTPConnection("127.0.0.1", self.server.behind, timeout=10)
        try:
            connection.request("POST", "/event", body)
            reply = connection.getresponse()
            self.answer(reply.status, reply.read())
        except (OSError, http.client.HTTPException):
            self.close_connection = True  # nobody is there: no answer at all
        finally:
            connection.close()

    def answer(self, status: int, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments: Any) -> None:
        pass


class _Front(_Server):
    behind: int


@contextlib.contextmanager
def one_by_one_front(port: int) -> Iterator[str]:
    """Serve ``POST /event`` only, before the server at a port; yields the address."""
    front = _Front(("127.0.0.1", 0), _OneByOne)
    front.behind = port
    with serving(front):
        yield f"http://127.0.0.1:{front.server_port}/"


@contextlib.contextmanager
def running_peer(peer: BadPeer, port: int = 0) -> Iterator[BadPeer]:
    """Serve for the length of a block."""
    server = _Server(("127.0.0.1", port), _Handler)
    server.peer = peer
    peer.url = f"http://127.0.0.1:{server.server_port}/"
    with serving(server, peer.released.set):
        yield peer
