"""Watching events: what was committed before, then what comes, without a gap and nothing twice."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from madsci.common.errors import MadsciError, OverloadedError, StoreUnavailableError
from madsci.event_manager.export.frames import Frames
from madsci.event_manager.feed.live import Live
from madsci.event_manager.feed.watcher import Watcher
from madsci.event_manager.model.feed import Position
from madsci.event_manager.model.selector import And, Compare, Selector
from madsci.event_manager.search.following import FromJob, LastJob, Part, PastJob
from madsci.event_manager.stores.base import EventLog

MOST_WATCHERS: Final = 1_000
"""Streams at once. Each has a connection, of which there are fewer where files are few."""
_PART: Final = 500
"""Events of the past that are read at once, where they are small."""
_ALL: Final = "that is all"
_REST: Final = 1.0
"""Seconds until the past is asked for again where there was no seat, or no store."""

Ask = Callable[[Any], Awaitable[Any]]
"""Has a job answered beside the event loop; raises what that raises."""


@dataclass(frozen=True)
class Last:
    """Begin so that the last ``number`` events that match come."""

    number: int


@dataclass(frozen=True)
class From:
    """Begin with what happened at a time or later, in microseconds since 1970."""

    time: int


Beginning = Position | Last | From | None
"""Where a stream begins; ``None`` for what comes."""


class Watching:
    """Lets watchers in. Used on one event loop; ``ask`` answers questions about the past."""

    def __init__(self, log: EventLog, live: Live, ask: Ask) -> None:
        self.log = log
        self.live = live
        self.ask = ask
        self._open: set[Watch] = set()
        self._is_ending = False

    def __len__(self) -> int:
        return len(self._open)

    async def open(
        self, selector: Selector, frames: Frames, beginning: Beginning, *, follow: bool = True
    ) -> Watch:
        """Begin to watch; without ``follow`` what is there now is all.

        Raises:
            InvalidInputError: the position is not one of this store.
            OverloadedError: there are as many watchers as may be, or the server is stopping.
            QueryTimeoutError: finding the beginning takes too long.
        """
        self._check_room()
        start, first = await self._found(selector, beginning)
        if not follow:
            first = first or (selector, self.log.head())
        self._check_room()
        watch = Watch(self, Watcher(selector, frames, start), first, follow=follow)
        self._open.add(watch)
        with contextlib.ExitStack() as undoing:
            undoing.callback(watch.close)
            if first is None:  # a position that is not ours is refused now, before the reply begins
                await watch.join()
            undoing.pop_all()
        return watch

    def _check_room(self) -> None:
        if self._is_ending:
            raise OverloadedError("The server is stopping. Connect again.", 1)
        if len(self._open) >= MOST_WATCHERS:
            raise OverloadedError(
                f"{MOST_WATCHERS:,} streams of events are open, which is as many as this server has."
                " Close some that nobody looks at.",
                retry_after=10,
            )

    async def _found(
        self, selector: Selector, beginning: Beginning
    ) -> tuple[Position, tuple[Selector, Position] | None]:
        """Return where to begin, and what is shown up to where instead of what matches."""
        head = self.log.head()
        if isinstance(beginning, Last):
            return await self.ask(LastJob(selector, beginning.number)), None
        if isinstance(beginning, From):
            happened = Compare(("event_timestamp",), "$gte", beginning.time)
            start = await self.ask(FromJob(selector, beginning.time))
            return start, (And((selector, happened)), head)
        return head if beginning is None else beginning, None

    def forget(self, watch: Watch) -> None:
        """Take out a watch that has ended."""
        self._open.discard(watch)

    def end(self, reason: str) -> None:
        """End all streams with the position at which to go on, and begin no others."""
        self._is_ending = True
        for watch in list(self._open):
            watch.end(reason)


class Watch:
    """The stream of one watcher. ``first`` is what it is shown of the past, and up to where."""

    def __init__(
        self,
        owner: Watching,
        watcher: Watcher,
        first: tuple[Selector, Position] | None,
        *,
        follow: bool,
    ) -> None:
        self._owner = owner
        self._watcher = watcher
        self._start = watcher.position
        self._first = first
        self._follow = follow
        self._reason: str | None = None

    async def join(self) -> None:
        """Be let in among those who are shown what comes, if it is near enough.

        Raises:
            InvalidInputError: its position is not one of this store.
        """
        self._watcher.joins()
        self._owner.live.join(self._watcher)
        await self._watcher.let_in()

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield what is to be sent, until the server ends it."""
        watcher = self._watcher
        yield watcher.frames.opening + watcher.frames.position(self._start, is_live=False)
        while self._reason is None:
            while (chunk := await watcher.next_chunk()) is not None:
                yield chunk
            async for chunk in self._past(watcher):
                yield chunk
            if not self._follow:
                self.end(_ALL)
            if self._reason is None:
                await self._join_again()
        yield watcher.frames.end(watcher.position, self._reason)

    async def _join_again(self) -> None:
        try:
            await self.join()
        except MadsciError as error:  # such as of a database that is another one now
            self.end(error.message)

    async def _past(self, watcher: Watcher) -> AsyncIterator[bytes]:
        """Yield what was committed up to now behind the watcher's position."""
        selector, until = self._first or (watcher.selector, self._owner.log.head())
        has_more = True
        while has_more and self._reason is None:
            part = await self._part(PastJob(watcher.position, until, selector, watcher.frames, _PART))
            if part is None:
                continue
            watcher.position, has_more = part.next, part.has_more
            chunk = part.frames
            if part.missed or not chunk:
                chunk += watcher.frames.position(part.next, is_live=False, missed=part.missed)
            yield chunk
        self._first = None

    async def _part(self, job: PastJob) -> Part | None:
        """Return a part of the past; without one, it is to be asked for again, or this is the end."""
        try:
            part: Part = await self._owner.ask(job)
        except (OverloadedError, StoreUnavailableError):
            await asyncio.sleep(_REST)
            return None
        except MadsciError as error:
            self.end(error.message)
            return None
        return part

    def end(self, reason: str) -> None:
        """Say goodbye once all is sent that is ready."""
        self._reason = reason
        self._watcher.leave()

    def close(self) -> None:
        """Watch no more; again, it does nothing."""
        self.end("")
        self._owner.forget(self)
