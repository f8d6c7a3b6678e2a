"""One system call per reply instead of two.

uvicorn hands the head and the body of a reply to the socket one after the other, and each small write
is a system call and a packet of its own. Gathering what is written in one pass of the event loop makes
a small reply about a third cheaper for the server.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_MUCH: Final = 65_536
"""Bytes that are written at once: what a transport holds before it asks for a pause."""


class _GatheringTransport:
    """A transport that writes at the end of the loop's pass, or when much has come together.

    Everything else is the transport's own.
    """

    __slots__ = ("_call_soon", "_parts", "_size", "_transport", "is_closing")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._call_soon = loop.call_soon
        self._parts: list[bytes] = []
        self._size = 0
        self.is_closing = transport.is_closing  # asked for with every request

    def write(self, data: bytes) -> None:
        if not self._parts:
            self._call_soon(self._flush)
        self._parts.append(data)
        self._size += len(data)
        if self._size >= _MUCH:
            self._flush()  # so that the transport can tell a streaming reply to wait for a slow reader

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._parts:
            data = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
            self._parts.clear()
            self._size = 0
            if not self.is_closing():
                self._transport.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class OneWriteProtocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol over a gathering transport."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to serve a connection."""
        super().connection_made(_GatheringTransport(transport, self.loop))  # type: ignore[arg-type]
