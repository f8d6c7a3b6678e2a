"""A server for clients in this process, over real sockets: it can be told to misbehave."""

from __future__ import annotations

import gzip
import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


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
            content = document if isinstance(document, bytes) else json.dumps(document).encode()
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
