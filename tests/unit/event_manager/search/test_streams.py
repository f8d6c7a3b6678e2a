"""Streams for readers that stop: their places go to others, and nothing is made for nobody."""

from __future__ import annotations

import asyncio
import threading
from contextlib import closing

import pytest

from madsci.common.errors import OverloadedError
from madsci.event_manager.model.query import NO_LIMIT, Query
from madsci.event_manager.model.stored_event import StoredEvent
from madsci.event_manager.search import streams as streams_module
from madsci.event_manager.search.answering import AnsweringHere
from madsci.event_manager.search.jobs import StreamJob
from madsci.event_manager.search.streams import MAX_STREAMS, Streams
from madsci.event_manager.stores.memory import MemoryStore
from support.server import wait_until

JOB = StreamJob(Query(limit=NO_LIMIT), "ndjson", None, 30.0)


def with_streams(drill, seconds: float = 30.0) -> None:
    """Run a drill with streams of a store with some events."""

    async def whole():
        store = MemoryStore()
        store.append(
            [StoredEvent(f"e{one}", "log", 20, False, one, 1, {}, "{}") for one in range(3_000)]
        )
        with closing(Streams(AnsweringHere(store), seconds)) as streams:
            await drill(streams)

    asyncio.run(whole())


async def stalled(stream) -> None:
    """A reader whose client takes nothing."""
    assert await stream.next_part()
    stream.begins_to_send()
    try:
        await asyncio.Event().wait()
    finally:
        await stream.close()


def test_a_stream_is_read_to_its_end():
    async def drill(streams):
        stream = await streams.open(JOB)
        parts = []
        while (part := await stream.next_part()) is not None:
            parts.append(part)
            stream.begins_to_send()
            stream.has_sent()
        assert b"".join(parts).count(b"\n") == 3_000
        assert stream.stalled_for == 0
        await stream.close()
        await stream.close()

    with_streams(drill)


def test_more_than_a_few_are_refused_while_the_readers_of_all_get_on():
    async def drill(streams):
        opened = [await streams.open(JOB) for _ in range(MAX_STREAMS)]
        with pytest.raises(OverloadedError, match="4 exports are under way") as raised:
            await streams.open(JOB)
        assert raised.value.retry_after == 10
        await opened[0].close()
        assert await (await streams.open(JOB)).next_part()

    with_streams(drill)


def test_who_has_taken_nothing_for_longest_gives_way_to_who_wants_to_begin(monkeypatch):
    monkeypatch.setattr(streams_module, "_STALLED", 0.05)

    async def drill(streams):
        opened = [await streams.open(JOB) for _ in range(MAX_STREAMS)]
        readers = [asyncio.ensure_future(stalled(one)) for one in opened[:2]]
        stalling = lambda: max(one.stalled_for for one in opened) > 0.1  # noqa: E731
        await asyncio.to_thread(wait_until, stalling, what="a reader that stops")
        assert await (await streams.open(JOB)).next_part()
        await asyncio.wait(readers, return_when=asyncio.FIRST_COMPLETED)
        assert [one.is_cut for one in opened].count(True) == 1
        assert await opened[3].next_part(), "those who get on are left alone"
        for reader in readers:
            reader.cancel()
        await asyncio.gather(*readers, return_exceptions=True)

    with_streams(drill)


def test_a_reader_that_takes_nothing_for_too_long_is_cut_off(monkeypatch):
    monkeypatch.setattr(streams_module, "_LOOK", 0.01)

    async def drill(streams):
        stream = await streams.open(JOB)
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(asyncio.ensure_future(stalled(stream)), 10)
        assert stream.is_cut
        assert await stream.next_part() is None

    with_streams(drill, seconds=0.05)


def test_closing_ends_the_part_that_is_being_made():
    """It is read from a store that takes its time; the thread that reads looks at its budget."""
    begun = threading.Event()

    class Slow(MemoryStore):
        def find(self, query):
            begun.set()
            while not query.budget.is_over:
                begun.wait(0.001)
            query.budget.check()

    async def drill():
        with closing(Streams(AnsweringHere(Slow()), 100.0)) as streams:
            stream = await streams.open(StreamJob(Query(limit=NO_LIMIT), "ndjson", None, 100.0))
            reading = asyncio.ensure_future(stream.next_part())
            await asyncio.to_thread(begun.wait, 10)
            await stream.close()
            with pytest.raises(Exception, match="has gone"):
                await asyncio.wait_for(reading, 10)

    asyncio.run(drill())
