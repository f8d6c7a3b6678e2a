"""Replies over a gathering transport: whole, in order, and no slower to stop than without it."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from madsci.event_manager.api.one_write import OneWriteProtocol, _GatheringTransport

LOOPS = ["asyncio"] if sys.platform == "win32" else ["asyncio", "uvloop"]
GET = b"GET /%d HTTP/1.1\r\nHost: test\r\n\r\n"
LAST = b"GET /%d HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"
CHUNK = b"x" * 65_536


@pytest.fixture(params=LOOPS)
def run(request):
    """Runs a coroutine on a loop of each kind and fails if anything was left to its error handler."""
    if request.param == "uvloop":
        loop = pytest.importorskip("uvloop").new_event_loop()
    else:
        loop = asyncio.new_event_loop()
    troubles: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: troubles.append(context))

    def run_it(coroutine: Awaitable[Any]) -> Any:
        result = loop.run_until_complete(asyncio.wait_for(coroutine, 60))
        assert troubles == []
        return result

    yield run_it
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()


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
    app: Callable[..., Awaitable[None]],
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter, ServerState]]:
    """A connection over TCP to a server of the application."""
    config = uvicorn.Config(app, http=OneWriteProtocol, lifespan="off", log_config=None)
    config.load()
    state = ServerState()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: OneWriteProtocol(config=config, server_state=state, app_state={}), "127.0.0.1", 0
    )
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname(), limit=2**24)
    try:
        yield reader, writer, state
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        server.close()
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


# -- Over TCP --------------------------------------------------------------------------------------


def test_the_reply_to_one_request_arrives_whole_and_at_once(run):
    async def scenario():
        async with connected(echo) as (reader, writer, _):
            for number in (1, 3, 100):
                writer.write(GET % number)
                reply = await reader.read(65_536)
                head, _, body = reply.partition(b"\r\n\r\n")
                assert head.startswith(b"HTTP/1.1 200 OK\r\n")
                assert body == b"/%d" % number

    run(scenario())


def test_requests_that_are_sent_without_waiting_are_answered_in_order(run):
    async def scenario():
        async with connected(echo) as (reader, writer, _):
            writer.write(b"".join(GET % number for number in range(50)))
            for number in range(50):
                _, body = await one_reply(reader)
                assert body == b"/%d" % number

    run(scenario())


def test_a_large_streamed_reply_is_complete(run):
    async def scenario():
        app = Flood(200)
        async with connected(app) as (reader, writer, _):
            writer.write(LAST % 1)
            await reader.readuntil(b"\r\n\r\n")
            assert unchunked(await reader.read()) == CHUNK * 200 + b"the end"

    run(scenario())


def test_a_reply_is_flushed_before_its_connection_is_closed(run):
    async def scenario():
        async with connected(echo) as (reader, writer, _):
            writer.write(b"".join(GET % number for number in range(5)) + LAST % 5)
            everything = await reader.read()
            assert everything.count(b"HTTP/1.1 200 OK") == 6
            assert everything.endswith(b"connection: close\r\n\r\n/5")

    run(scenario())


def test_a_request_that_is_no_http_is_answered_before_its_connection_is_closed(run):
    async def scenario():
        async with connected(echo) as (reader, writer, _):
            writer.write(b"\x16\x03\x01 this is no HTTP\r\n\r\n")
            assert (await reader.read()).startswith(b"HTTP/1.1 400 ")

    run(scenario())


def test_a_server_that_shuts_down_closes_idle_connections(run):
    async def scenario():
        async with connected(echo) as (reader, writer, state):
            writer.write(GET % 1)
            await one_reply(reader)
            for connection in list(state.connections):
                connection.shutdown()
            assert await reader.read() == b""

    run(scenario())


def test_a_streamed_reply_waits_for_a_client_that_does_not_read(run):
    async def scenario():
        app = Flood(2000)  # 131 MB: more than any socket holds
        async with connected(app) as (reader, writer, state):
            reader._transport.pause_reading()
            writer.write(LAST % 1)
            for _ in range(2000):
                await asyncio.sleep(0)
            held_back = app.sent
            for connection in list(state.connections):
                connection.transport.abort()
        assert 0 < held_back < 1000

    run(scenario())


# -- The transport ---------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def transport_to_a_reader() -> AsyncIterator[tuple[Any, asyncio.StreamReader]]:
    """A gathering transport whose other end is a stream."""
    loop = asyncio.get_running_loop()
    made: asyncio.Future[asyncio.Transport] = loop.create_future()

    class Accepting(asyncio.Protocol):
        def connection_made(self, transport) -> None:
            made.set_result(transport)

    server = await loop.create_server(Accepting, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    transport = await made
    try:
        yield _GatheringTransport(transport, loop), reader
    finally:
        writer.close()
        transport.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        server.close()
        await server.wait_closed()


def test_what_is_written_in_one_turn_is_sent_in_order_at_its_end(run):
    async def scenario():
        async with transport_to_a_reader() as (transport, reader):
            for turn in (b"1", b"2"):
                for part in (b"a", b"b", b"c"):
                    transport.write(part + turn)
                assert await reader.read(100) == b"a1b1c1".replace(b"1", turn)

    run(scenario())


def test_closing_sends_what_was_written(run):
    async def scenario():
        async with transport_to_a_reader() as (transport, reader):
            assert not transport.is_closing()
            transport.write(b"a")
            transport.write(b"b" * 300_000)
            transport.close()
            assert transport.is_closing()
            assert await reader.read() == b"a" + b"b" * 300_000

    run(scenario())


def test_what_is_written_to_a_connection_that_is_being_lost_is_dropped_quietly(run):
    async def scenario():
        async with transport_to_a_reader() as (transport, reader):
            transport.abort()
            transport.write(b"too late")
            with contextlib.suppress(ConnectionError):
                assert await reader.read() == b""
            for _ in range(10):
                await asyncio.sleep(0)

    run(scenario())


def test_everything_else_is_that_of_the_transport(run):
    async def scenario():
        async with transport_to_a_reader() as (transport, _):
            assert transport.get_extra_info("peername")[0] == "127.0.0.1"
            transport.pause_reading()
            transport.resume_reading()
            with pytest.raises(AttributeError):
                transport.no_such_thing()

    run(scenario())
