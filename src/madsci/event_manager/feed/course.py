"""The way of one follower through the feed."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from madsci.common.clock import Clock, now_us
from madsci.common.errors import MadsciError
from madsci.event_manager.feed.follower import Conclusion, Follower
from madsci.event_manager.model.feed import START, Entries, Entry, Position
from madsci.event_manager.model.tables import FOLLOWERS, Step, check_size, position_of
from madsci.event_manager.stores.base import EventLog, Leases, Tables

_logger = logging.getLogger(__name__)

_AT_ONCE: Final = 1_000
"""Entries of one step: large enough for 50,000 a second, small enough to be forgotten in a crash."""
_FIRST_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 60.0
"""Seconds until a follower that failed is tried again; they double from the first to the longest."""


class FeedStore(EventLog, Tables, Leases, Protocol):
    """A feed, the tables in which those who follow it keep what they conclude, and who does it."""


@dataclass(frozen=True)
class Failure:
    """Why a follower does not go on, since when (microseconds since 1970), at which event if any."""

    reason: str
    since: int
    event_id: str | None


class Course:
    """Where a follower is, and what holds it up. Used by one thread, its figures read by any.

    ``since`` reads the feed, in place of the store's own.
    """

    def __init__(
        self,
        follower: Follower,
        store: FeedStore,
        *,
        since: Callable[[Position, int], Entries] | None = None,
        clock: Clock = now_us,
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        self.follower = follower
        self._store = store
        self._since = since or store.since
        self._clock = clock
        self._elapsed = elapsed
        self._position: Position | None = None
        self._wake_at: int | None = None
        self._has_more = False
        self._pause = _FIRST_PAUSE
        self._not_before = 0.0
        self._held_at: Entry | None = None
        self._behind_it: Position | None = None
        self._suspects = 0
        """Of how many entries to come one is why it raised. It is given half of them, then half of
        those that are left, so that a failure among a thousand costs it ten steps."""
        self.failure: Failure | None = None
        self.missed = 0
        """Entries that were deleted, or damaged, before it came to them, since this start."""

    @property
    def lag(self) -> int | None:
        """How many entries it is behind; ``None`` until that is known."""
        return None if self._position is None else self._store.head().beyond(self._position)

    def leave(self) -> None:
        """Know nothing of it any more: another server goes on with it."""
        self._position, self._wake_at, self._has_more = None, None, False
        self.failure, self._held_at, self._pause = None, None, _FIRST_PAUSE
        self._suspects = 0

    def rest(self) -> float | None:
        """Return in how many seconds it is to be asked though nothing was committed, if at all."""
        if self.failure is not None:
            return max(0.0, self._not_before - self._elapsed())
        if self._has_more:
            return 0.0
        if self._wake_at is not None:
            return max(0.0, (self._wake_at - self._clock()) / 1_000_000)
        return None

    def advance(self) -> bool:
        """Do a step if there is something to do; tell whether more waits already."""
        if self.failure is not None and self._elapsed() < self._not_before:
            return False
        try:
            position = self._begin()
            part = self._since(position, max(1, self._suspects // 2) if self._suspects else _AT_ONCE)
            is_due = self._wake_at is not None and self._clock() >= self._wake_at
            if part.next == position and not is_due and not self._has_more:
                return False
            return self._step(position, part)
        except MadsciError as error:  # of the store, or of a place that is not one of it
            self._fail(error.message)
            return False

    def _begin(self) -> Position:
        if self._position is None:
            kept = self._store.read(FOLLOWERS, self.follower.name)
            self._position = START if kept is None else position_of(kept)
            self._wake_at = self._clock()  # when it wanted to be asked, nobody knows any more
        return self._position

    def _step(self, position: Position, part: Entries) -> bool:
        concluded = self._conclude(part)
        if concluded is not None:
            self._suspects = max(0, self._suspects - len(part.entries))
            then = START if concluded.begins_anew else part.next
            is_kept = self._keep(position, then, concluded, part.missed)
            return is_kept and (part.has_more or concluded.has_more)
        if len(part.entries) > 1:  # up to the one that it raises for, if there is one
            self._suspects = len(part.entries)
            return True
        return False

    def _conclude(self, part: Entries) -> Conclusion | None:
        entries = part.entries
        try:
            concluded = self.follower.conclude(entries, self._store, self._clock())
            check_size(concluded.changes)
        except Exception as error:
            reason = error.message if isinstance(error, MadsciError) else repr(error)
            if len(entries) <= 1:
                _logger.exception("The follower %s cannot go on", self.follower.name)
                self._fail(reason, entries[0] if entries else None)
                self._behind_it = part.start.behind(entries[0]) if entries else None
            return None
        return concluded

    def _keep(self, position: Position, then: Position, concluded: Conclusion, missed: int = 0) -> bool:
        if not self._store.apply(concluded.changes, Step(self.follower.name, position, then)):
            self._position = None  # another server has gone on with it
            return False
        self._position, self._wake_at = then, concluded.wake_at
        self._has_more = concluded.has_more
        self.missed += missed
        self.failure, self._held_at, self._pause = None, None, _FIRST_PAUSE
        return True

    def _fail(self, reason: str, entry: Entry | None = None) -> None:
        is_the_same = self.failure is not None and self._held_at == entry
        since = self.failure.since if self.failure is not None and is_the_same else self._clock()
        self.failure = Failure(reason, since, None if entry is None else entry.event.event_id)
        self._held_at = entry
        self._not_before = self._elapsed() + self._pause
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)

    def skip(self, event_id: str) -> bool:
        """Have it pass over the event that holds it up; tell whether it is that one."""
        entry, position, then = self._held_at, self._position, self._behind_it
        if entry is None or position is None or then is None or entry.event.event_id != event_id:
            return False
        _logger.warning("The follower %s passes over the event %s", self.follower.name, event_id)
        self._suspects = 0
        return self._keep(position, then, Conclusion(wake_at=self._wake_at))
