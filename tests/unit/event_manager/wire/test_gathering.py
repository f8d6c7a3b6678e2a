"""A transport that gathers what is written: whole, in order, and no slower to stop than without it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from madsci.event_manager.wire.gathering import GatheringTransport


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
        yield GatheringTransport(transport, loop), reader
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
