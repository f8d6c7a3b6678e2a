"""Where events wait for the server.

A spool is a first-in, first-out list with positions. The log call appends and goes on; the sender
reads from the front as often as it must and acknowledges by position once the server has the events.
Reading never removes: what was read but not acknowledged is read again.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import msgspec

MAX_QUEUE_BYTES: Final = 256_000_000
"""Memory for waiting events: a day of a quiet lab, and still nothing on an instrument's PC."""
MAX_REJECTED: Final = 100
"""Rejected events that are kept to be looked at; all are counted."""


class SpooledEvent(msgspec.Struct, frozen=True, gc=False):
    """One waiting event."""

    position: int
    event_id: str
    body: bytes
    appended_at: float


@dataclass(frozen=True)
class RejectedEvent:
    """An event that the server will never take, and why."""

    event_id: str
    reason: str
    body: bytes


@dataclass(frozen=True)
class SpoolStats:
    """What a spool holds and has lost. ``oldest_age`` is in seconds, ``None`` when nothing waits."""

    queued: int
    dead: int
    dropped: int
    oldest_age: float | None


class Spool(Protocol):
    """The contract of a spool. Safe to use from any number of threads.

    * Positions are whole numbers that ascend by one with each event, over restarts too.
    * ``append`` returns at once: it may write to a file but waits for no disk and no network, and it
      never fails for want of room. A full spool drops its *oldest* events and counts them, because
      the newest say what is wrong now.
    * ``read`` returns events in order, the oldest first, beginning after the last settled position.
    * An event is settled when it was acknowledged, rejected or dropped. ``acknowledge`` settles
      everything up to and including a position, and settling twice does nothing.
    * Events that were appended but not settled survive whatever the implementation promises:
      nothing for the one in memory, ``kill -9`` for one on disk.
    """

    def append(self, event_id: str, body: bytes) -> int:
        """Add an event as encoded JSON; return how many are waiting now."""
        ...

    def read(self, max_events: int, max_bytes: int) -> Sequence[SpooledEvent]:
        """Return the oldest waiting events within the bounds, but at least one if any waits."""
        ...

    def acknowledge(self, position: int) -> None:
        """Forget every event up to and including the position: the server has them."""
        ...

    def reject(self, event: SpooledEvent, reason: str) -> None:
        """Put aside an event that the server will never take.

        It is settled by its position, as all others: the caller acknowledges past it.
        """
        ...

    @property
    def rejected(self) -> Sequence[RejectedEvent]:
        """The last rejected events."""
        ...

    @property
    def last_position(self) -> int:
        """The position of the newest event that was ever appended; 0 before the first."""
        ...

    @property
    def settled_position(self) -> int:
        """The position up to which every event is settled."""
        ...

    def stats(self) -> SpoolStats:
        """Count what waits and what was lost."""
        ...

    def forget_parent(self) -> None:
        """Begin empty after a fork: what waits here belongs to the parent, which will send it."""
        ...

    def close(self) -> None:
        """Release files and locks. The events stay where the implementation keeps them."""
        ...


class MemorySpool:
    """A bounded spool in memory: it survives a server that is away, not the end of the process."""

    def __init__(self, max_events: int, max_bytes: int = MAX_QUEUE_BYTES) -> None:
        self._max_events = max_events
        self._max_bytes = max_bytes
        self._last = 0
        self._dead = 0
        self._dropped = 0
        self._rejected: deque[RejectedEvent] = deque(maxlen=MAX_REJECTED)
        self._clear()

    def _clear(self) -> None:
        # Re-entrant, because a signal handler may log while the same thread is inside append().
        self._lock = threading.RLock()
        self._events: deque[SpooledEvent] = deque()
        self._bytes = 0

    def append(self, event_id: str, body: bytes) -> int:
        """Add an event as encoded JSON; return how many are waiting now."""
        with self._lock:
            events = self._events
            self._last = position = self._last + 1
            events.append(SpooledEvent(position, event_id, body, time.monotonic()))
            self._bytes += len(body)
            while len(events) > self._max_events or (self._bytes > self._max_bytes and len(events) > 1):
                self._bytes -= len(events.popleft().body)
                self._dropped += 1
            return len(events)

    def read(self, max_events: int, max_bytes: int) -> list[SpooledEvent]:
        """Return the oldest waiting events within the bounds, but at least one if any waits."""
        batch: list[SpooledEvent] = []
        size = 0
        with self._lock:
            for event in self._events:
                size += len(event.body) + 1
                if batch and (size > max_bytes or len(batch) >= max_events):
                    break
                batch.append(event)
        return batch

    def acknowledge(self, position: int) -> None:
        """Forget every event up to and including the position: the server has them."""
        with self._lock:
            while self._events and self._events[0].position <= position:
                self._bytes -= len(self._events.popleft().body)

    def reject(self, event: SpooledEvent, reason: str) -> None:
        """Keep the event among the last rejected ones."""
        with self._lock:
            self._dead += 1
            self._rejected.append(RejectedEvent(event.event_id, reason, event.body))

    @property
    def rejected(self) -> list[RejectedEvent]:
        """The last rejected events."""
        with self._lock:
            return list(self._rejected)

    @property
    def last_position(self) -> int:
        """The position of the newest event that was ever appended."""
        return self._last

    @property
    def settled_position(self) -> int:
        """The position up to which every event is settled."""
        with self._lock:
            return self._events[0].position - 1 if self._events else self._last

    def stats(self) -> SpoolStats:
        """Count what waits and what was lost."""
        with self._lock:
            oldest = time.monotonic() - self._events[0].appended_at if self._events else None
            return SpoolStats(len(self._events), self._dead, self._dropped, oldest)

    def forget_parent(self) -> None:
        """Begin empty after a fork."""
        self._clear()

    def close(self) -> None:
        """Do nothing: memory needs no closing."""
