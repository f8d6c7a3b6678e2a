"""A receiver of webhooks that keeps what it gets, and answers as well or badly as a test wants."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from typing import Any

ANSWERED = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"


def answer(status: int, body: bytes = b"", **headers: str) -> bytes:
    """The bytes of an answer; of headers, ``_`` is a hyphen."""
    lines = [f"HTTP/1.1 {status} So", f"Content-Length: {len(body)}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@dataclass(frozen=True)
class Request:
    line: str
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        found = [value for known, value in self.headers if known.lower() == name.lower()]
        assert len(found) <= 1, found
        return found[0] if found else None

    @property
    def json(self) -> Any:
        return json.loads(self.body)


Behaviour = Callable[["Peer"], None]


@dataclass(frozen=True)
class Peer:
    """The other side of one connection, for a behaviour that is more than an answer."""

    sock: socket.socket
    is_closing: threading.Event

    def drip(self, part: bytes, seconds: float = 0.02) -> None:
        """Send a part again and again, until one of us ends it."""
        with suppress(OSError):
            while not self.is_closing.wait(seconds):
                self.sock.sendall(part)

    def hang(self) -> None:
        """Say nothing until the test is over."""
        self.is_closing.wait()


class WebhookReceiver:
    """Answers each request on a port of this machine with bytes, or as a behaviour does."""

    def __init__(
        self,
        reply: bytes | Behaviour = ANSWERED,
        *,
        tls: ssl.SSLContext | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        reads: bool = True,
    ) -> None:
        self.requests: list[Request] = []
        self.names: list[str | None] = []
        self.connections = 0
        self._reply = reply
        self._reads = reads
        self._tls = tls
        if tls is not None:
            tls.sni_callback = lambda _sock, name, _context: self.names.append(name)
        self._listener = socket.create_server(
            (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET
        )
        self.port = int(self._listener.getsockname()[1])
        self._is_closing = threading.Event()
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def url(self, path: str = "/hook", host: str = "127.0.0.1") -> str:
        return f"{'http' if self._tls is None else 'https'}://{host}:{self.port}{path}"

    def close(self) -> None:
        self._is_closing.set()
        # Closing alone does not wake who accepts.
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(30)
            assert not thread.is_alive()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            thread = threading.Thread(target=self._serve, args=(sock,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, plain: socket.socket) -> None:
        plain.settimeout(30)
        with suppress(OSError), closing(plain):
            sock = plain if self._tls is None else self._tls.wrap_socket(plain, server_side=True)
            with closing(sock):
                if self._reads:
                    self.requests.append(_read(sock))
                if callable(self._reply):
                    self._reply(Peer(sock, self._is_closing))
                else:
                    sock.sendall(self._reply)
                    sock.shutdown(socket.SHUT_WR)
                    while sock.recv(1000):  # closing with unread bytes would take the answer back
                        pass


def _read(sock: socket.socket) -> Request:
    with sock.makefile("rb") as file:
        line = file.readline().decode("latin-1").rstrip("\r\n")
        headers: list[tuple[str, str]] = []
        while text := file.readline().decode("latin-1").rstrip("\r\n"):
            name, _, value = text.partition(":")
            headers.append((name, value.strip()))
        length = next((int(value) for name, value in headers if name.lower() == "content-length"), 0)
        return Request(line, headers, file.read(length))


@contextmanager
def webhook_receiver(reply: bytes | Behaviour = ANSWERED, **how: Any) -> Iterator[WebhookReceiver]:
    """Run one for the length of a block."""
    receiver = WebhookReceiver(reply, **how)
    with closing(receiver):
        yield receiver
