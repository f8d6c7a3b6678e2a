"""A program that takes alerts by POST, and answers as it is told."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Receiver:
    """Keeps what was posted: headers and bodies."""

    def __init__(self, tls: ssl.SSLContext | None, address: str) -> None:
        self.posts: list[tuple[dict[str, str], bytes]] = []
        self.paths: list[str] = []
        self.status = 204
        self.headers: dict[str, str] = {}
        self.body = b""
        self.is_silent = False
        self.dribbles = False
        self.ending = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                receiver.answer(self)

            def log_message(self, *_: Any) -> None: ...

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            address_family = socket.AF_INET6 if ":" in address else socket.AF_INET

        self.server = Server((address, 0), Handler)
        if tls is not None:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        self._thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self._thread.start()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers["Content-Length"]))
        self.posts.append((dict(request.headers.items()), body))
        self.paths.append(request.path)
        if self.is_silent:
            self.ending.wait(60)
            return
        if self.dribbles:
            request.wfile.write(b"HTTP/1.1 200 OK\r\n")
            while not self.ending.wait(0.05):
                request.wfile.write(b"X-Slow: 1\r\n"[:3] + b": 1\r\n")
            return
        request.send_response(self.status)
        for name, value in self.headers.items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(self.body)))
        request.end_headers()
        request.wfile.write(self.body)

    def json(self) -> Any:
        """The last body."""
        return json.loads(self.posts[-1][1])

    def close(self) -> None:
        self.ending.set()
        self.server.shutdown()
        self.server.server_close()


@contextmanager
def webhook_receiver(
    tls: ssl.SSLContext | None = None, address: str = "127.0.0.1"
) -> Iterator[Receiver]:
    """Run one for the length of a block."""
    receiver = Receiver(tls, address)
    try:
        yield receiver
    finally:
        receiver.close()
