"""Group commit: one thread writes everything that waits in one transaction.

While a commit runs, the next events gather; so the batch grows with the load and the cost of reaching
the disk is shared by all of them. A request is answered only after the commit that holds its events.
Requests of many events are written in parts, between which others get their turn.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from madsci.common.errors import MadsciError, OverloadedError, StoreError, StoreUnavailableError
from madsci.event_manager.ingest.room import FEW, Room
from madsci.event_manager.model.stored_event import StoredEvent
from madsci.event_manager.stores.base import AppendOutcome, Disposition, EventStore

_logger = logging.getLogger(__name__)

MAX_BATCH: Final = 5_000
"""Events in one transaction. Throughput is flat from 1,000 on; more only makes others wait."""
_PART: Final = 1_000
"""Events of one request that are written together: as many as fit beside others into a transaction."""
_PARTS_AHEAD: Final = 2 * MAX_BATCH // _PART
"""Parts of one request that wait for the writer: those of the transaction under way and of the next."""
_LINGER: Final = 0.0006
"""Seconds that a commit waits for company under load: about half of what the commit takes."""


class _Submission(msgspec.Struct, frozen=True):
    events: Sequence[StoredEvent]
    is_few: bool
    """Whether they are all events of their request."""
    done: asyncio.Future[list[AppendOutcome]]


class _Waiting:
    """What waits for the writer: few events before many, but no transaction without some of both."""

    def __init__(self) -> None:
        self._few: deque[_Submission] = deque()
        self._many: deque[_Submission] = deque()

    def __len__(self) -> int:
        return len(self._few) + len(self._many)

    def extend(self, submissions: list[_Submission]) -> None:
        for one in submissions:
            (self._few if one.is_few else self._many).append(one)

    def next_batch(self) -> list[_Submission]:
        """Take what one transaction may hold, but at least one submission."""
        kept_free = len(self._many[0].events) if self._many else 0
        batch: list[_Submission] = []
        room = _take(self._few, MAX_BATCH - kept_free, batch)
        _take(self._many, room + kept_free, batch)
        return batch


def _take(line: deque[_Submission], room: int, batch: list[_Submission]) -> int:
    """Move submissions into the batch as long as there is room; return what is left of it."""
    while line and len(line[0].events) <= room:
        room -= len(line[0].events)
        batch.append(line.popleft())
    return room


_Result = tuple[_Submission, "list[AppendOutcome] | MadsciError"]


@dataclass
class WriterStats:
    """Counts since the start, in events but for ``batches``; ``queued`` is the present number."""

    stored: int = 0
    duplicate: int = 0
    refused: int = 0
    failed: int = 0
    batches: int = 0
    queued: int = 0


@dataclass
class Commits:
    """How the writer's last transactions went; times are of ``time.monotonic``, or minus infinity.

    Written by the writer's thread, read by any.
    """

    began_at: float | None = None
    """When the one under way began."""
    kept_at: float = float("-inf")
    """When the last one that was kept was on disk."""
    failed_at: float = float("-inf")
    failure: StoreError | None = None
    """When the last one failed that was not kept, and why."""


class Writer:
    """Owns the writer thread and the bounded queue before it.

    ``start`` and ``write`` are called on one event loop; the queue's bound is kept there, so it
    needs no lock.
    """

    def __init__(self, store: EventStore, *, max_events: int) -> None:
        self._store = store
        self._told: list[Callable[[Sequence[StoredEvent]], None]] = []
        self._room = Room(max_events)
        self._part = min(_PART, max(1, max_events // 4))
        self._queue: queue.SimpleQueue[list[_Submission] | None] = queue.SimpleQueue()
        self._gathered: list[_Submission] = []
        self._thread = threading.Thread(target=self._run, name="event-writer", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._expected = 0
        self._stopping = False
        self.stats = WriterStats()
        self.commits = Commits()

    def when_committed(self, tell: Callable[[Sequence[StoredEvent]], None]) -> None:
        """Have something called with the events of each transaction, by the writer's thread.

        It is not to wait. Some of the events may have been there before.
        """
        self._told.append(tell)

    def start(self) -> None:
        """Begin to write for the running loop."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    @property
    def started(self) -> bool:
        """Whether there is a thread to close."""
        return self._thread.ident is not None

    @property
    def running(self) -> bool:
        """Whether events that are submitted now will be written."""
        return self._thread.is_alive() and not self._stopping

    async def write(self, events: Sequence[StoredEvent]) -> list[AppendOutcome]:
        """Return once the events are durable: one outcome per event, in order.

        Many events are written in parts, in order, as there is room for them. A request that ends
        before all of them are written leaves it at those.

        Raises:
            OverloadedError: the queue is full, or the server is stopping. Nothing was kept, unless it
                stopped meanwhile.
            StoreError: the store failed. What earlier transactions kept stays kept.
        """
        if self._stopping:
            raise OverloadedError("The server is stopping. Nothing of this was kept; send it again.", 5)
        count = len(events)
        if count > self._part:
            return await self._write_in_parts(events)
        if not count:
            return []
        is_few = count <= FEW
        if not self._room.take(count, is_few=is_few):
            await self._wait_for_room(count, is_few=is_few)
        return await self._submit(events, is_few=is_few)

    async def _write_in_parts(self, events: Sequence[StoredEvent]) -> list[AppendOutcome]:
        outcomes: list[AppendOutcome] = []
        ahead: deque[asyncio.Future[list[AppendOutcome]]] = deque()
        try:
            for start in range(0, len(events), self._part):
                if len(ahead) >= _PARTS_AHEAD:
                    outcomes += await ahead[0]
                    ahead.popleft()
                part = events[start : start + self._part]
                if not self._room.take(len(part), is_few=False):
                    await self._wait_for_room(len(part), is_few=False, is_under_way=start > 0)
                ahead.append(self._submit(part, is_few=False))
            for done in ahead:
                outcomes += await done
        finally:
            for done in ahead:
                done.cancel()  # nobody asks any more; what is submitted is written nevertheless
        return outcomes

    async def _wait_for_room(self, count: int, *, is_few: bool, is_under_way: bool = False) -> None:
        try:
            await self._room.wait(count, is_few=is_few, is_under_way=is_under_way)
        except OverloadedError:
            self.stats.refused += count
            raise

    def submit(self, event: StoredEvent) -> concurrent.futures.Future[list[AppendOutcome]]:
        """Write an event on behalf of another thread than the loop's; the future raises as ``write``.

        Raises:
            OverloadedError: the server is starting, or has stopped.
        """
        if self._loop is None or self._loop.is_closed():
            raise OverloadedError("The server does not run.")
        return asyncio.run_coroutine_threadsafe(self.write([event]), self._loop)

    def _submit(
        self, events: Sequence[StoredEvent], *, is_few: bool
    ) -> asyncio.Future[list[AppendOutcome]]:
        """Give events to the writer, for which there is room."""
        if self._loop is None or self._stopping:
            self._room.give_back(len(events))
            raise OverloadedError("The server is starting or stopping. Send the events again.", 5)
        done: asyncio.Future[list[AppendOutcome]] = self._loop.create_future()
        self.stats.queued += len(events)
        if not self._gathered:
            self._loop.call_soon(self._hand_over)
        self._gathered.append(_Submission(events, is_few, done))
        return done

    def _hand_over(self) -> None:
        """Give the writer all that came in one pass of the loop: one wake-up, and larger batches."""
        if self._gathered:
            self._queue.put(self._gathered)
            self._gathered = []

    def refuse(self) -> None:
        """Take no further events; called on the loop, before ``close``."""
        self._stopping = True
        self._room.close(OverloadedError("The server is stopping. Send the events again.", 5))
        self._hand_over()

    def close(self, deadline: float) -> bool:
        """Write what waits, and stop; tell whether that was done in time. Called after ``refuse``."""
        self._queue.put(None)
        self._thread.join(deadline)
        return not self._thread.is_alive()

    def _run(self) -> None:
        waiting = _Waiting()
        ended = False
        while waiting or not ended:
            ended |= self._collect(waiting)
            if waiting:
                self._answer(self._written(waiting.next_batch()))

    def _collect(self, waiting: _Waiting) -> bool:
        """Take over what was submitted, waiting for it if there is nothing to do; tell of the end.

        Under load the requests that the last commit answered are on their way again: a moment's wait
        for as many of them saves a commit. Whoever sends alone does not wait.
        """
        expected = self._expected
        block, patience = not waiting, None
        while True:
            try:
                submissions = self._queue.get(block, patience)
            except queue.Empty:
                self._expected = max(len(waiting), expected * 9 // 10)
                return False
            if submissions is None:
                return True
            waiting.extend(submissions)
            block, patience = 1 < len(waiting) < expected, _LINGER

    def _written(self, batch: list[_Submission]) -> list[_Result]:
        result = self._append([event for submission in batch for event in submission.events])
        if not isinstance(result, MadsciError):
            return _shared_out(batch, result)
        if isinstance(result, StoreUnavailableError) or len(batch) == 1:
            return [(submission, result) for submission in batch]
        # One event that the store will not have must not take its neighbours with it.
        return [(submission, self._append(submission.events)) for submission in batch]

    def _append(self, events: Sequence[StoredEvent]) -> list[AppendOutcome] | MadsciError:
        commits = self.commits
        commits.began_at = time.monotonic()
        try:
            outcomes = self._store.append(events)
        except StoreError as error:
            failure = error
        except Exception as error:
            _logger.exception("The writer failed unexpectedly; %d events were refused", len(events))
            failure = StoreError(f"The event store failed unexpectedly: {error!r}")
        else:
            commits.kept_at, commits.began_at = time.monotonic(), None
            for tell in self._told:
                tell(events)
            return outcomes
        commits.failure, commits.failed_at, commits.began_at = failure, time.monotonic(), None
        return failure

    def _answer(self, results: list[_Result]) -> None:
        """Hand the results to the loop with one wake-up for all of them."""
        try:
            results[0][0].done.get_loop().call_soon_threadsafe(self._resolve, results)
        except RuntimeError:  # the loop is gone, and with it everybody who waited
            _logger.warning("%d requests ended before their events were written", len(results))

    def _resolve(self, results: list[_Result]) -> None:
        stats = self.stats
        stats.batches += 1
        for submission, result in results:
            stats.queued -= len(submission.events)
            self._room.give_back(len(submission.events))
            if isinstance(result, MadsciError):
                stats.failed += len(submission.events)
                if not submission.done.cancelled():
                    submission.done.set_exception(result)
                continue
            stored = [outcome.disposition for outcome in result].count(Disposition.STORED)
            stats.stored += stored
            stats.duplicate += len(result) - stored
            if not submission.done.cancelled():
                submission.done.set_result(result)


def _shared_out(batch: list[_Submission], outcomes: list[AppendOutcome]) -> list[_Result]:
    results: list[_Result] = []
    start = 0
    for submission in batch:
        end = start + len(submission.events)
        results.append((submission, outcomes[start:end]))
        start = end
    return results
