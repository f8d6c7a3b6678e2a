"""Answers compressed where that is asked for, beside the event loop where it takes long.

See RFC 9110, section 12.5.3, for how it is asked for.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable
from typing import Final, Protocol

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from madsci.common.zstandard import zstd

_GZIP_WINDOW: Final = 31
_GZIP_LEVEL: Final = 4
"""A third smaller than the fastest level, in less than twice its time."""
_SMALL: Final = 1_000
"""Bytes below which a body fits into a packet anyway."""
_LONG: Final = 16_384
"""Bytes that take half a millisecond to compress: as long as the event loop is held up by them."""
_COMPRESSIBLE: Final = (
    b"application/javascript", b"application/json", b"application/problem+json",
    b"application/x-ndjson", b"text/css", b"text/csv", b"text/html", b"text/javascript",
)  # fmt: skip
"""What becomes smaller. What is followed live forbids it: it may not wait."""


class _Compressor(Protocol):
    def compress(self, data: bytes, /) -> bytes: ...
    def flush(self) -> bytes: ...


_COMPRESSORS: Final[dict[str, Callable[[], _Compressor]]] = {
    "zstd": zstd.ZstdCompressor,
    "gzip": lambda: zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, _GZIP_WINDOW),
}
"""By name, the preferred one first."""


class Compression:
    """ASGI application: the one behind it, with its answers compressed as clients accept it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        accepted = next((value for name, value in scope["headers"] if name == b"accept-encoding"), b"")
        name = chosen(accepted.decode("latin-1"))
        if name is None:
            await self._app(scope, receive, send)
        else:
            await self._app(scope, receive, _Sender(send, name))


def chosen(accepted: str) -> str | None:
    """Return the encoding to use for a list of those that are accepted; ``None`` for none."""
    weights: dict[str, float] = {}
    for one in accepted.lower().split(","):
        name, _, parameter = one.partition(";")
        weights[name.strip()] = _weight(parameter)
    every = weights.get("*", 0.0)
    best = max(_COMPRESSORS, key=lambda name: weights.get(name, every))
    return best if weights.get(best, every) > 0 else None


def _weight(parameter: str) -> float:
    name, _, value = parameter.partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0


class _Sender:
    """Takes the messages of one answer, and sends them on compressed, if that is worth it."""

    def __init__(self, send: Send, name: str) -> None:
        self._send = send
        self._name = name
        self._start: Message | None = None
        self._compressor: _Compressor | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
            return
        if message["type"] != "http.response.body":
            await self._send(message)
            return
        if self._start is not None:
            start, self._start = self._start, None
            if _is_worth_it(start, message):
                self._compressor = _COMPRESSORS[self._name]()
            await self._send(self._announced(start))
        if self._compressor is not None:
            message = {**message, "body": await self._compressed(message)}
            if message.get("more_body") and not message["body"]:
                return  # the compressor waits for more
        await self._send(message)

    def _announced(self, start: Message) -> Message:
        headers = [*start.get("headers", []), (b"vary", b"Accept-Encoding")]
        if self._compressor is not None:
            headers = [one for one in headers if one[0].lower() != b"content-length"]
            headers.append((b"content-encoding", self._name.encode()))
        return {**start, "headers": headers}

    async def _compressed(self, message: Message) -> bytes:
        body: bytes = message.get("body", b"")
        ends = not message.get("more_body", False)
        if len(body) < _LONG:
            return self._step(body, ends=ends)
        return await asyncio.to_thread(self._step, body, ends=ends)

    def _step(self, body: bytes, *, ends: bool) -> bytes:
        if self._compressor is None:
            return body
        compressed = self._compressor.compress(body)
        return compressed + self._compressor.flush() if ends else compressed


def _is_worth_it(start: Message, first: Message) -> bool:
    headers = {name.lower(): value for name, value in start.get("headers", [])}
    if b"content-encoding" in headers or b"no-transform" in headers.get(b"cache-control", b""):
        return False
    is_large = first.get("more_body", False) or len(first.get("body", b"")) >= _SMALL
    return is_large and headers.get(b"content-type", b"").startswith(_COMPRESSIBLE)
