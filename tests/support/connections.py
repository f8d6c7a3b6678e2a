"""A server of one application over TCP, on the loop that runs, and what reads its replies."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial

import uvicorn
from uvicorn.server import ServerState

from madsci.event_manager.wire.bounds import Bounds
from madsci.event_manager.wire.connections import Connections
from madsci.event_manager.wire.protocol import BoundedProtocol

GET = b"GET /%d HTTP/1.1\r\nHost: test\r\n\r\n"
LAST = b"GET /%d HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"
CHUNK = b"x" * 65_536


async def echo(scope, receive, send) -> None:
    """Answers with the path, in several messages for paths with a multiple of three."""
    await receive()
    path = scope["path"].encode()
    headers = [(b"content-length", str(len(path)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    if int(path[1:]) % 3 == 0:
        for place in range(len(path)):
            await send(
                {"type": "http.response.body", "body": path[place : place + 1], "more_body": True}
            )
        path = b""
    await send({"type": "http.response.body", "body": path})


class Flood:
    """Streams chunks as fast as it may, and counts them."""

    def __init__(self, chunks: int) -> None:
        self.chunks = chunks
        self.sent = 0

    async def __call__(self, scope, receive, send) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(self.chunks):
            await send({"type": "http.response.body", "body": CHUNK, "more_body": True})
            self.sent += 1
        await send({"type": "http.response.body", "body": b"the end"})


@contextlib.asynccontextmanager
async def connected(
    app: Callable[..., Awaitable[None]], bounds: Bounds | None = None
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter, ServerState]]:
    """A connection over TCP to a server of the application."""
    config = uvicorn.Config(app, ws="none", lifespan="off", log_config=None)
    config.load()
    state = ServerState()
    loop = asyncio.get_running_loop()
    protocol = partial(
        BoundedProtocol,
        connections=Connections(bounds),
        config=config,
        server_state=state,
        app_state={},
    )
    server = await loop.create_server(protocol, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname(), limit=2**24)
    try:
        yield reader, writer, state
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        server.close()
        while state.connections:
            for connection in list(state.connections):
                connection.transport.abort()
            await asyncio.sleep(0)
        await asyncio.gather(*state.tasks, return_exceptions=True)
        await server.wait_closed()


async def one_reply(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    (length,) = [
        int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.startswith(b"content-length")
    ]
    return head, await reader.readexactly(length)


def unchunked(data: bytes) -> bytes:
    body = bytearray()
    place = 0
    while True:
        end = data.index(b"\r\n", place)
        size = int(data[place:end], 16)
        body += data[end + 2 : end + 2 + size]
        place = end + 4 + size
        if size == 0:
            assert place == len(data)
            return bytes(body)
