"""The service that answers questions, a few at a time, beside the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import replace
from typing import Final, TypeVar

from madsci.common.errors import OverloadedError
from madsci.event_manager.export.projection import Fields
from madsci.event_manager.model.query import Page, Query
from madsci.event_manager.model.selector import Selector
from madsci.event_manager.model.tally import Count, Tally
from madsci.event_manager.model.ulid_sources import AS_STORED, Encoding
from madsci.event_manager.search.answering import Answering, AnsweringBeside, AnsweringHere, Stream
from madsci.event_manager.search.jobs import (
    EncodedPage,
    PageJob,
    SpanJob,
    StreamJob,
    TallyJob,
    VerifyJob,
    find,
)
from madsci.event_manager.stores.base import EventStore

MAX_WAITING: Final = 64
"""Questions that may wait for a place; with more, nobody would get an answer in time."""
MAX_STREAMS: Final = 4
"""Files streamed at once, each by a process of its own."""

Answer = TypeVar("Answer")


class Search:
    """Answers questions to a store. Used on one event loop; ``close`` ends its threads and processes.

    ``places`` questions are answered at once, in processes of their own where other processes can read
    the store, else in threads; 0 means threads, too. ``seconds`` is the budget of a question.
    ``encoding`` is that of pages of whole events.
    """

    def __init__(
        self,
        store: EventStore,
        *,
        seconds: float,
        places: int = 0,
        encoding: Encoding = AS_STORED,
    ) -> None:
        self._store = store
        self._seconds = seconds
        self._encoding = encoding
        self._places = max(places, 1)
        self._answering: Answering = AnsweringHere(store)
        if places and store.readable_at is not None:
            self._answering = AnsweringBeside(store.readable_at, store.note_damage)
        self._threads = ThreadPoolExecutor(self._places, "question")
        self._stream_threads = ThreadPoolExecutor(MAX_STREAMS, "stream")
        self.questions = 0
        self.streams = 0

    def find(self, query: Query) -> Page:
        """Return one page from the thread that asks, for questions that are always quick.

        Raises:
            QueryTimeoutError: it was not quick after all.
        """
        return find(self._store, query, self._seconds)

    async def page(self, query: Query, fields: Fields | None = None) -> EncodedPage:
        """Return one page.

        Raises:
            QueryTimeoutError: it takes longer than a question may.
            OverloadedError: too many questions wait already.
        """
        job = PageJob(query, fields, self._seconds, self._encoding)
        return await self._ask(lambda: self._answering.ask(job))

    async def tally(self, *tallies: Tally) -> list[list[Count]]:
        """Count, for all tallies as of one moment; raises what ``page`` raises."""
        job = TallyJob(tallies, self._seconds)
        return await self._ask(lambda: self._answering.ask(job))

    def verify(self, job: VerifyJob) -> int | None:
        """Do a part of looking for damage, beside the server; blocks the thread that asks.

        Raises:
            StoreError: the store cannot be read.
            QueryTimeoutError: the machine is too busy for it.
        """
        place: int | None = self._answering.ask(job)
        return place

    def fence(self) -> int:
        """Return what tells the events of now from later ones; see ``EventStore.fence``."""
        return self._store.fence()

    async def count(self, selector: Selector, fence: int | None = None) -> int:
        """Return how many events match; raises what ``page`` raises."""
        (counts,) = await self.tally(Tally(selector, fence=fence))
        return sum(one.count for one in counts)

    async def span(self, selector: Selector) -> tuple[int, int] | None:
        """Return the times of the first and the last match; raises what ``page`` raises."""
        job = SpanJob(selector, self._seconds)
        return await self._ask(lambda: self._answering.ask(job))

    async def _ask(self, answer: Callable[[], Answer]) -> Answer:
        if self.questions >= self._places + MAX_WAITING:
            raise OverloadedError(
                f"{self.questions} questions are under way, which is as many as this server takes. Ask"
                " again in a moment."
            )
        self.questions += 1
        try:
            return await _run(self._threads, answer)
        finally:
            self.questions -= 1

    async def stream(
        self, query: Query, format_name: str, fields: Fields | None
    ) -> AsyncGenerator[bytes, None]:
        """Yield all that matches in a format, part by part as it is wanted.

        Only what is committed now, or was at the query's fence, is in it, so that it ends while events
        arrive. Memory does not grow with the events.

        Raises:
            OverloadedError: as many streams run as may.
            MadsciError: what comes next cannot be made.
        """
        if self.streams >= MAX_STREAMS:
            raise OverloadedError(
                f"{self.streams} exports are under way, which is as many as this server makes at once."
                " Ask again when one of them has ended.",
                retry_after=10,
            )
        fenced = query if query.fence is not None else replace(query, fence=self.fence())
        job = StreamJob(fenced, format_name, fields, self._seconds)
        self.streams += 1
        stream: Stream | None = None
        try:
            stream = await _run(self._stream_threads, lambda: self._answering.stream(job))
            while (chunk := await _run(self._stream_threads, lambda: next(stream, None))) is not None:
                yield chunk
        finally:
            self.streams -= 1
            if stream is not None:
                # Whoever went away in the middle must not leave work behind.
                await asyncio.shield(_run(self._stream_threads, stream.close))

    def close(self) -> None:
        """Start no further answers, end those that run beside; the store stops those that run here."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._stream_threads.shutdown(wait=False, cancel_futures=True)
        self._answering.close()


async def _run(threads: Executor, call: Callable[[], Answer]) -> Answer:
    return await asyncio.get_running_loop().run_in_executor(threads, call)
