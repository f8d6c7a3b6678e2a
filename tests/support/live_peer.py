"""A server of live streams for clients in this process: what each connection gets is scripted."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from support.serving import serving

LANE = "01m84hx3ctds9p8a5qkcma1tvt"


def place(number: int) -> str:
    """The position behind so many events."""
    return f"{LANE}-{number}"


def document(number: int, **members: Any) -> dict[str, Any]:
    event_id = f"e{number:04}"
    data = {"message": f"Plate {number}", "number": number}
    return {"_id": event_id, "event_id": event_id, "log_level": 20, "event_data": data, **members}


def line(value: dict[str, Any]) -> bytes:
    return json.dumps(value).encode() + b"\n"


def event_line(number: int, **members: Any) -> bytes:
    return line({"position": place(number), "event": document(number, **members)})


def standing_line(number: int, *, is_live: bool = True, missed: int = 0) -> bytes:
    return line({"position": place(number), "is_live": is_live, "missed": missed})


def end_line(number: int, reason: str = "the server stops") -> bytes:
    return line({"position": place(number), "end": reason})


@dataclass
class Asked:
    method: str
    path: str
    params: dict[str, str]
    headers: dict[str, str]
    body: bytes


class Reply:
    """The reply to one request, in the hands of a script. What is not ended properly is cut."""

    def __init__(self, handler: BaseHTTPRequestHandler, asked: Asked, peer: LivePeer) -> None:
        self.asked, self.peer = asked, peer
        self._handler = handler
        handler.close_connection = True

    def refuse(self, status: int, detail: str = "scripted", **headers: str) -> None:
        content = json.dumps({"status": status, "detail": detail}).encode()
        self._head(status, {"Content-Length": str(len(content)), **headers})
        self._handler.wfile.write(content)

    def begin(self, content_type: str = "application/x-ndjson") -> Reply:
        self._head(
            200, {"Content-Type": content_type, "Transfer-Encoding": "chunked", "Connection": "close"}
        )
        return self

    def write(self, *pieces: bytes) -> Reply:
        """Send each piece as a chunk of its own."""
        for piece in pieces:
            self._handler.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        return self

    def finish(self) -> None:
        self._handler.wfile.write(b"0\r\n\r\n")

    def wait(self) -> None:
        """Say nothing until the peer is stopped."""
        self.peer.stopped.wait(60)

    def wait_for_the_end(self) -> None:
        """Say nothing until the client has gone."""
        self._handler.connection.settimeout(60)
        if not self._handler.connection.recv(1):
            self.peer.has_seen_the_end.set()

    def follow(self) -> None:
        """Behave: send what is behind the place that was asked for, then what comes."""
        peer, since = self.peer, self.asked.params.get("since", "now")
        with peer.news:
            known = len(peer.events)
            number = int(since.rpartition("-")[2]) if since.startswith(LANE) else known
            history = peer.events[number:]
        self.begin().write(standing_line(number, is_live=False))
        number = self._send(number, history)
        self.write(standing_line(number))
        while not peer.stopped.is_set():
            with peer.news:
                while len(peer.events) == number and not peer.stopped.is_set():
                    peer.news.wait(60)
                new = peer.events[number:]
            number = self._send(number, new)

    def _send(self, number: int, events: list[dict[str, Any]]) -> int:
        for behind, one in enumerate(events, number + 1):
            self.write(line({"position": place(behind), "event": one}))
        return number + len(events)

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self._handler.send_response(status)
        for name, value in headers.items():
            self._handler.send_header(name.replace("_", "-"), value)
        self._handler.end_headers()


Script = Callable[[Reply], object]


@dataclass
class LivePeer:
    """``script`` holds what the next connections get; after that it behaves."""

    url: str = ""
    script: list[Script] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    news: threading.Condition = field(default_factory=threading.Condition)
    stopped: threading.Event = field(default_factory=threading.Event)
    has_seen_the_end: threading.Event = field(default_factory=threading.Event)

    def happen(self, count: int = 1) -> None:
        """Let so many events arrive."""
        with self.news:
            known = len(self.events)
            self.events += [document(number) for number in range(known + 1, known + count + 1)]
            self.news.notify_all()

    def stop(self) -> None:
        self.stopped.set()
        with self.news:
            self.news.notify_all()

    def places(self) -> list[str | None]:
        """Where each connection wanted to begin."""
        return [one.params.get("since") for one in self.asked]


def _make_handler(peer: LivePeer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            params = {name: values[0] for name, values in parse_qs(parts.query).items()}
            asked = Asked(self.command, parts.path, params, dict(self.headers), body)
            with peer.news:
                peer.asked.append(asked)
                script = peer.script.pop(0) if peer.script else Reply.follow
                peer.news.notify_all()
            script(Reply(self, asked, peer))

        def log_message(self, *arguments: Any) -> None:
            pass

    return Handler


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # clients of these tests leave whenever they like


@contextmanager
def live_peer(tls: ssl.SSLContext | None = None) -> Iterator[LivePeer]:
    """Serve for the length of a block."""
    peer = LivePeer()
    server = _Server(("127.0.0.1", 0), _make_handler(peer))
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    peer.url = f"{'http' if tls is None else 'https'}://127.0.0.1:{server.server_port}"
    with serving(server, peer.stop):
        yield peer
