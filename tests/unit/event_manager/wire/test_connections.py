"""Who is closed to make room for others, and who is heard when there is none."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from functools import partial

import pytest
import uvicorn
from uvicorn.server import ServerState

from madsci.event_manager.wire import open_files
from madsci.event_manager.wire.bounds import GUESTS, Bounds
from madsci.event_manager.wire.connections import Connections
from madsci.event_manager.wire.open_files import connections_that_fit
from madsci.event_manager.wire.protocol import BoundedProtocol
from support.connections import GET, echo, one_reply

FEW = Bounds(connections=5, pressed_seconds=0.1, tick_seconds=0.02, asking_share=1.0)
HEALTH = b"GET /health HTTP/1.1\r\nHost: test\r\n\r\n"
POST = b"POST /3 HTTP/1.1\r\nContent-Length: 9\r\n\r\n"
EVENT = b"POST /lab/event HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}"
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Server:
    """A server whose ``/2`` waits until it is released, and whose ``/3`` reads a body."""

    def __init__(self, bounds: Bounds) -> None:
        self.connections = Connections(bounds)
        self.state = ServerState()
        self.release = asyncio.Event()
        self.opened: list[Streams] = []

    async def app(self, scope, receive, send) -> None:
        if scope["path"] == "/2":
            await self.release.wait()
        if scope["path"] == "/3":
            while (await receive()).get("more_body"):
                pass
            return
        if scope["path"] in ("/health", "/lab/event"):
            scope["path"] = "/1"
        await echo(scope, receive, send)

    async def open(self, data: bytes = b"") -> Streams:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.opened.append((reader, writer))
        writer.write(data)
        await asyncio.sleep(0.02)
        return reader, writer

    async def start(self) -> None:
        config = uvicorn.Config(self.app, interface="asgi3", ws="none", lifespan="off", log_config=None)
        config.load()
        protocol = partial(
            BoundedProtocol,
            connections=self.connections,
            config=config,
            server_state=self.state,
            app_state={},
        )
        loop = asyncio.get_running_loop()
        self.server = await loop.create_server(protocol, "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        self.release.set()
        for _reader, writer in self.opened:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
        self.server.close()
        while self.state.connections:
            for connection in list(self.state.connections):
                connection.transport.abort()
            await asyncio.sleep(0)
        await asyncio.gather(*self.state.tasks, return_exceptions=True)
        await self.server.wait_closed()
        assert len(self.connections) == 0


@contextlib.asynccontextmanager
async def served(bounds: Bounds = FEW) -> AsyncIterator[Server]:
    server = Server(bounds)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


async def is_open(streams: Streams) -> bool:
    """Ask something, and return whether there is an answer."""
    reader, writer = streams
    try:
        writer.write(GET % 1)
        return (await one_reply(reader))[1] == b"/1"
    except (ConnectionError, asyncio.IncompleteReadError):
        return False


async def is_closed(streams: Streams) -> bool:
    try:
        return await asyncio.wait_for(streams[0].read(), 1) == b""
    except ConnectionError:
        return True
    except asyncio.TimeoutError:
        return False


def test_new_connections_make_room_before_used_ones_and_those_before_senders(run):
    async def scenario():
        async with served() as server:
            sender = await server.open(EVENT)
            asker, other_asker = await server.open(GET % 1), await server.open(GET % 1)
            for reader, _ in (sender, asker, other_asker):
                await one_reply(reader)
            new, newer = await server.open(), await server.open(b"GET / HT")
            latest = await server.open()
            assert await is_closed(new)
            # Used ones keep out nobody who is new: they have a share, and so do new ones.
            assert await is_open(latest)
            await server.open()
            assert await is_closed(asker)
            assert [await is_open(one) for one in (sender, other_asker, latest)] == [True] * 3
            assert not await is_closed(newer)
            assert server.connections.evicted == 2

    run(scenario())


def test_senders_that_are_many_keep_out_nobody_who_is_new(run):
    async def scenario():
        async with served() as server:
            senders = [await server.open(EVENT) for _ in range(5)]
            for reader, _ in senders:
                await one_reply(reader)
            assert await is_open(await server.open())
            assert await is_closed(senders[0])
            assert await is_open(await server.open(EVENT))

    run(scenario())


def test_questions_leave_places_to_those_who_send(run):
    async def scenario():
        async with served(Bounds(connections=6, asking_share=0.5)) as server:
            asking = [await server.open(GET % 2) for _ in range(3)]
            refused, _ = await server.open(GET % 1)
            assert (await refused.read()).startswith(b"HTTP/1.1 503")
            for data in (EVENT, HEALTH):
                reader, _ = await server.open(data)
                assert (await one_reply(reader))[1] == b"/1"
            server.release.set()
            for reader, _ in asking:
                assert (await one_reply(reader))[1] == b"/2"
            assert await is_open(await server.open())

    run(scenario())


def test_a_flood_of_idle_connections_shuts_nobody_out(run):
    async def scenario():
        async with served() as server:
            sender = await server.open(GET % 1)
            await one_reply(sender[0])
            for _ in range(40):
                await server.open()
                assert len(server.connections) <= 5
                if not await is_open(sender):
                    sender = await server.open()
                    assert await is_open(sender)
            assert server.connections.refused == 0

    run(scenario())


def test_requests_at_work_are_not_closed_and_beside_them_health_is_told_and_events_are_taken(run):
    async def scenario():
        async with served() as server:
            working = [await server.open(GET % 2) for _ in range(5)]
            reader, _ = await server.open(GET % 1)
            reply = await reader.read()
            assert reply.startswith(b"HTTP/1.1 503")
            assert b'"code":"overloaded"' in reply
            assert b"retry-after: 1" in reply
            for data in (HEALTH, EVENT):
                reader, _ = await server.open(data)
                assert (await one_reply(reader))[1] == b"/1"
            server.release.set()
            for reader, _ in working:
                assert (await one_reply(reader))[1] == b"/2"

    run(scenario())


def test_guests_are_few_and_the_next_one_is_heard(run):
    async def scenario():
        async with served() as server:
            for _ in range(5):
                await server.open(GET % 2)
            for _ in range(3 * GUESTS):
                await server.open()
                assert len(server.connections) <= 5 + GUESTS
            reader, _ = await server.open(HEALTH)
            assert (await one_reply(reader))[1] == b"/1"

    run(scenario())


def test_a_guest_may_ask_anything_once_there_is_room(run):
    async def scenario():
        async with served() as server:
            working = [await server.open(GET % 2) for _ in range(5)]
            guest = await server.open()
            working[0][1].close()
            working[1][1].close()
            await asyncio.sleep(0.05)
            server.release.set()
            for reader, _ in working[2:]:
                await one_reply(reader)
            assert await is_open(guest)

    run(scenario())


def test_a_body_that_does_not_get_on_makes_room(run):
    async def scenario():
        async with served() as server:
            stalled = [await server.open(POST + b"x") for _ in range(5)]
            await asyncio.sleep(0.2)
            assert await is_open(await server.open())
            assert server.connections.evicted == 1
            with contextlib.suppress(ConnectionError):
                assert await stalled[0][0].read() == b""

    run(scenario())


def test_a_body_that_comes_by_drops_makes_room(run):
    async def scenario():
        async with served() as server:
            dripping = [await server.open(POST + b"x") for _ in range(5)]
            for _ in range(6):
                await asyncio.sleep(0.05)
                for _, writer in dripping:
                    writer.write(b"x")
            assert await is_open(await server.open())
            assert server.connections.evicted == 1

    run(scenario())


# -- Open files ------------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform == "win32", reason="there is no bound of open files")
@pytest.mark.parametrize(
    ("soft", "hard", "raised", "fit"),
    [
        (256, 256, None, 256 - open_files._RESERVE),
        (256, 4096, 1000 + open_files._RESERVE, 1000),
        (256, 500, 500, 500 - open_files._RESERVE),
        (256, -1, 1000 + open_files._RESERVE, 1000),
        (20_000, 20_000, None, 1000),
        (-1, -1, None, 1000),
        (64, 64, None, 8),
    ],
)
def test_connections_fit_into_the_open_files_there_may_be(monkeypatch, soft, hard, raised, fit):
    import resource

    asked: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda _, pair: asked.append(pair))
    assert connections_that_fit(1000) == fit
    assert asked == ([] if raised is None else [(raised, hard)])


@pytest.mark.skipif(sys.platform == "win32", reason="there is no bound of open files")
def test_a_system_that_refuses_more_open_files_is_taken_at_its_word(monkeypatch):
    import resource

    def refuse(*_: object) -> None:
        raise ValueError

    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, 4096))
    monkeypatch.setattr(resource, "setrlimit", refuse)
    assert connections_that_fit(1000) == 256 - open_files._RESERVE
