"""The service that answers questions, a few at a time, beside the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any, Final, TypeVar

from madsci.common.errors import AbandonedError, OverloadedError, QueryTimeoutError
from madsci.event_manager.export.projection import Fields
from madsci.event_manager.model.budget import Budget
from madsci.event_manager.model.feed import Position
from madsci.event_manager.model.query import Query
from madsci.event_manager.model.selector import Selector
from madsci.event_manager.model.tally import Buckets, Count, Grouping, Tally
from madsci.event_manager.model.ulid_sources import AS_STORED, Encoding
from madsci.event_manager.search.answering import Answering, AnsweringHere
from madsci.event_manager.search.beside import AnsweringBeside
from madsci.event_manager.search.jobs import (
    EncodedPage,
    HistogramJob,
    Job,
    PageJob,
    QuestionJob,
    StreamJob,
    TallyJob,
    out_of_time,
)
from madsci.event_manager.search.lanes import PATIENCE, Lanes, shape_of
from madsci.event_manager.search.streams import OpenStream, Streams
from madsci.event_manager.stores.base import EventStore

_QUICK_THREADS: Final = 3
"""For lists of the newest events, which take a millisecond or two."""
_QUICK_PAGE: Final = 1_000
"""Events in a list that is made in the server itself; a longer one holds Python's lock for too long."""
_QUICK_SECONDS: Final = 0.05
"""Of a core, after which a short list, too, is made beside."""
_SLOW_ANYHOW: Final = 5.0
"""Seconds after which a question is slow that needs little of a core: it may wait for the disk."""
_LOOK: Final = 0.05
"""Seconds at least between two looks at how long a question was at work."""
_OWN_SECONDS: Final = 60.0
"""Seconds until a job of the server itself counts as stuck: on a busy machine it hardly gets a turn."""
_READY_AFTER: Final = 1.0
"""Seconds after the start at which the first process is started: the start has the machine first."""
_TEND: Final = 5.0
"""Seconds between two looks at the processes."""

T = TypeVar("T")


class Search:
    """Answers questions to a store. Used on one event loop; ``close`` ends its threads and processes.

    ``places`` questions are answered at once, in processes of their own where other processes can read
    the store, else in threads; 0 means a thread, too. ``seconds`` is the budget of a question, which
    begins at ``since``, in seconds of ``time.monotonic``: when the request had arrived, since waiting
    counts. A question whose caller is cancelled ends, whether it waits or is being answered.
    ``encoding`` is that of whole events.
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
        self._here = AnsweringHere(store)
        self._answering: Answering = self._here
        if places and store.readable_at is not None:
            self._answering = AnsweringBeside(store.readable_at, store.note_damage, places)
        self._lanes = Lanes(max(places, 1))
        self._threads = ThreadPoolExecutor(max(places, 1), "question")
        self._quick_threads = ThreadPoolExecutor(_QUICK_THREADS, "list")
        self._tending_thread = ThreadPoolExecutor(1, "tending")
        self._tending: asyncio.Task[None] | None = None
        self._streams = Streams(self._answering, seconds)
        self._closed = False

    def start(self) -> None:
        """Have a process ready from now on; called on the event loop."""
        self._tending = asyncio.get_running_loop().create_task(self._tend())

    async def _tend(self) -> None:
        await asyncio.sleep(_READY_AFTER)
        with contextlib.suppress(RuntimeError):  # which tells that the server stops
            while True:
                await _run(self._tending_thread, self._answering.tend)
                await asyncio.sleep(_TEND)

    async def get(self, event_id: str) -> bytes | None:
        """Return the event with this id as it is sent, or ``None``; raises what the store does."""

        def answer() -> bytes | None:
            event = self._store.get(event_id)
            return None if event is None else self._encoding.one(event)

        return await _run(self._quick_threads, answer)

    async def latest(self, query: Query) -> EncodedPage:
        """Return a page of the newest events: from the server itself if that is quick.

        So it is answered whatever others ask. Raises what ``page`` raises.
        """
        since = time.monotonic()
        if query.limit <= _QUICK_PAGE and query.offset <= _QUICK_PAGE:
            job = PageJob(query, None, self._encoding)
            with contextlib.suppress(QueryTimeoutError):
                return await _run(
                    self._quick_threads,
                    lambda: self._here.ask(job, _CoreBudget(min(_SLOW_ANYHOW, self._seconds))),
                )
        return await self.page(query, since=since)

    async def page(
        self, query: Query, fields: Fields | None = None, since: float | None = None
    ) -> EncodedPage:
        """Return one page.

        Raises:
            QueryTimeoutError: it takes longer than a question may.
            OverloadedError: too many questions wait already, or it waited for longer than it may take.
        """
        page: EncodedPage = await self._ask(PageJob(query, fields, self._encoding), since)
        return page

    async def tally(self, *tallies: Tally, since: float | None = None) -> list[list[Count]]:
        """Count, for all tallies as of one moment; raises what ``page`` raises."""
        counts: list[list[Count]] = await self._ask(TallyJob(tallies), since)
        return counts

    async def histogram(
        self,
        selector: Selector,
        grouping: Grouping | None = None,
        width: int | None = None,
        since: float | None = None,
    ) -> tuple[Buckets | None, list[Count]]:
        """Count in spans of time; see ``HistogramJob``.

        Raises:
            InvalidInputError: there would be too many spans.
            MadsciError: what ``page`` raises.
        """
        answer: tuple[Buckets | None, list[Count]] = await self._ask(
            HistogramJob(selector, grouping, width), since
        )
        return answer

    async def count(
        self, selector: Selector, fence: Position | None = None, since: float | None = None
    ) -> int:
        """Return how many events match; raises what ``page`` raises."""
        (counts,) = await self.tally(Tally(selector, fence=fence), since=since)
        return sum(one.count for one in counts)

    def ask_beside(self, job: Job) -> Any:
        """Return an answer to the server itself: it takes nobody's seat. Blocks the thread that asks.

        Raises:
            StoreError: the store cannot be read.
            QueryTimeoutError: the machine is too busy for it.
        """
        return self._answering.ask(job, Budget(_OWN_SECONDS))

    async def answer(self, job: QuestionJob) -> Any:
        """Return the answer to any other question; raises what ``page`` raises."""
        return await self._ask(job, None)

    async def fence(self) -> Position:
        """Return what tells the events of now from later ones; raises what the store does."""
        return await _run(self._quick_threads, self._store.fence)

    async def stream(self, query: Query, format_name: str, fields: Fields | None) -> OpenStream:
        """Begin to make a file of all that matches, part by part as it is wanted.

        Only what is committed now, or was at the query's fence, is in it, so that it ends while events
        arrive. Memory does not grow with the events.

        Raises:
            OverloadedError: as many streams run as may.
        """
        fenced = query if query.fence is not None else replace(query, fence=await self.fence())
        return await self._streams.open(StreamJob(fenced, format_name, fields, self._seconds))

    async def _ask(self, job: QuestionJob, since: float | None) -> Any:
        since = time.monotonic() if since is None else since
        budget = Budget(self._seconds, since)
        try:
            return await self._answered(job, budget, since)
        except QueryTimeoutError as error:
            if budget.is_over:  # also where the process had to be ended, which knows no advice
                raise out_of_time(budget, job.narrowing) from error
            raise

    async def _answered(self, job: QuestionJob, budget: Budget, since: float) -> Any:
        shape, has_begun = shape_of(job), False
        while True:
            if self._closed:
                raise OverloadedError("The server is stopping.")
            try:
                seat = await self._lanes.take(shape, budget)
            except OverloadedError:
                if has_begun:
                    budget.check()
                raise
            has_begun = True
            attempt = _Attempt(self._answering, self._threads, job, Budget(self._seconds, since))
            attempt.when_done(partial(self._lanes.give_back, seat))
            try:
                if await attempt.is_quick():
                    answer = await attempt.answer()
                    self._lanes.is_quick_after_all(shape)
                    return answer
                if not seat.is_slow and not self._lanes.is_slow_after_all(shape, seat):
                    attempt.cancel()
                return await attempt.answer()
            except AbandonedError:
                continue  # among the slow ones: nobody else has cancelled it
            except asyncio.CancelledError:
                attempt.cancel()
                raise

    def close(self) -> None:
        """Start no further answers, end those that run beside; the store stops those that run here."""
        self._closed = True
        if self._tending is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed, and the task with it
                self._tending.get_loop().call_soon_threadsafe(self._tending.cancel)
        for threads in (self._threads, self._quick_threads, self._tending_thread):
            threads.shutdown(wait=False, cancel_futures=True)
        self._streams.close()
        self._answering.close()


class _CoreBudget(Budget):
    """A budget that is over when the thread that made it was at work for long, too."""

    __slots__ = ("_began",)

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self._began = time.thread_time()

    @property
    def is_over(self) -> bool:
        """Whether the time is used up, of the clock or of a core."""
        return super().is_over or time.thread_time() - self._began > _QUICK_SECONDS


class _Attempt:
    """One try to answer a job, in a thread; used on one event loop."""

    def __init__(
        self, answering: Answering, threads: ThreadPoolExecutor, job: Job, budget: Budget
    ) -> None:
        self._answering = answering
        self._budget = budget
        self._running = asyncio.get_running_loop().run_in_executor(threads, answering.ask, job, budget)

    def when_done(self, call: Callable[[], None]) -> None:
        """Call something when the thread has ended, whatever it ended in."""

        def done(running: asyncio.Future[Any]) -> None:
            if not running.cancelled():
                running.exception()  # is known now, also where nobody waits for it any more
            call()

        self._running.add_done_callback(done)

    async def is_quick(self) -> bool:
        """Wait until it is done or has proved slow, and tell which; cancelled, the thread goes on.

        A question that gets little of a busy machine is not slow for that.
        """
        began, at_work = time.monotonic(), 0.0
        while at_work < PATIENCE and time.monotonic() - began < _SLOW_ANYHOW:
            await asyncio.wait([self._running], timeout=max(_LOOK, PATIENCE - at_work))
            if self._running.done():
                return True
            worked = self._answering.at_work(self._budget)
            at_work = time.monotonic() - began if worked is None else worked
        return False

    async def answer(self) -> Any:
        """Return the answer, or raise the error that it ended in."""
        await asyncio.wait([self._running])
        return self._running.result()

    def cancel(self) -> None:
        """Have the thread end soon; does not wait."""
        self._answering.cancel(self._budget)


async def _run(threads: Executor, call: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(threads, call)
