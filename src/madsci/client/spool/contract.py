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
from dataclasses import dataclass, replace
from typing import Final, Protocol

import msgspec

from madsci.client.spool.losses import Losses
from madsci.common.clock import now_us

MAX_QUEUE_BYTES: Final = 256_000_000
"""Memory for waiting events: a day of a quiet lab, and still nothing on an instrument's PC."""
_ID_START: Final = b'{"event_id":"'
MAX_REJECTED: Final = 100
"""Rejected events that are kept to be looked at; all are counted."""


class SpooledEvent(msgspec.Struct, frozen=True, gc=False):
    """One waiting event."""

    position: int
    event_id: str
    body: bytes
    appended_at: float


class _Identified(msgspec.Struct):
    event_id: str = ""


def event_id_of(body: bytes) -> str:
    """Find the id in an encoded event."""
    if body.startswith(_ID_START):  # as all events of this client
        found = body[len(_ID_START) : body.find(b'"', len(_ID_START))]
        if b"\\" not in found:
            return found.decode(errors="replace")
    try:
        return msgspec.json.decode(body, type=_Identified).event_id
    except msgspec.DecodeError:
        return ""


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
    spool_bytes: int = 0


class Backlog(Protocol):
    """Waiting events that are read and settled, by one thread: the half of a spool for the sender."""

    def read(self, max_events: int, max_bytes: int) -> Sequence[SpooledEvent]:
        """Return the oldest waiting events within the bounds, but at least one if any waits."""
        ...

    def acknowledge(self, position: int) -> None:
        """Forget every event up to and including the position: the server has them."""
        ...


class Spool(Backlog, Protocol):
    """The contract of a spool. Safe to use from any number of threads.

    * Positions are whole numbers that ascend by one with each event, over restarts too.
    * ``append`` returns at once: it may write to a file, but waits for no network, and for the disk or
      for room only if its settings say so. It never fails: a full spool drops its *oldest* events and
      counts them, because the newest say what is wrong now.
    * ``read`` returns events in order, the oldest first, beginning after the last settled position.
    * An event is settled when it was acknowledged, rejected or dropped. ``acknowledge`` settles
      everything up to and including a position, and settling twice does nothing.
    * Events that were appended but not settled survive whatever the implementation promises:
      nothing for the one in memory, ``kill -9`` for one on disk.
    """

    def append(self, event_id: str, body: bytes) -> int:
        """Add an event as encoded JSON; return how many are waiting now."""
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

    def has_backlog(self) -> bool:
        """Tell whether ``backlog`` may find something."""
        ...

    def backlog(self) -> Backlog | None:
        """Return what a process that has ended left behind, for this one to send; the oldest first.

        It is returned until it is empty, and then the next.
        """
        ...

    def losses(self) -> Losses:
        """Return what was lost and what the server was not told of yet."""
        ...

    def forget_losses(self) -> None:
        """Note that an event that was appended tells the server of them."""
        ...

    def tend(self) -> Sequence[str]:
        """Do what is due; return sentences that a person should read. Called by the reading thread."""
        ...

    def next_tending(self) -> float | None:
        """Return the seconds after which ``tend`` is to be called, or ``None`` for never."""
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
        self._losses = Losses()
        self._rejected: deque[RejectedEvent] = deque(maxlen=MAX_REJECTED)
        self._clear()

    def _clear(self) -> None:
        # Re-entrant, because a signal handler may log while the same thread is inside append().
        self._lock = threading.RLock()
        self._arriving: deque[tuple[str, bytes]] = deque()
        """Events without a place; more than one only where a signal handler leaves its own."""
        self._is_placing = False
        self._events: deque[SpooledEvent] = deque()
        self._bytes = 0

    def append(self, event_id: str, body: bytes) -> int:
        """Add an event as encoded JSON; return how many are waiting now."""
        self._arriving.append((event_id, body))
        with self._lock:
            self._place_all()
            return len(self._events)

    def _place_all(self) -> None:
        # A signal handler in the middle of this leaves its event to whom it interrupts.
        while self._arriving and not self._is_placing:
            self._is_placing = True
            try:
                while self._arriving:
                    self._place(*self._arriving[0])
                    self._arriving.popleft()
            finally:
                self._is_placing = False

    def _place(self, event_id: str, body: bytes) -> None:
        events = self._events
        self._last += 1
        events.append(SpooledEvent(self._last, event_id, body, time.monotonic()))
        self._bytes += len(body)
        while len(events) > self._max_events or (self._bytes > self._max_bytes and len(events) > 1):
            lost = events.popleft()
            self._bytes -= len(lost.body)
            self._dropped += 1
            moment = now_us() - round((time.monotonic() - lost.appended_at) * 1e6)
            self._losses.add(1, moment, moment)

    def read(self, max_events: int, max_bytes: int) -> list[SpooledEvent]:
        """Return the oldest waiting events within the bounds, but at least one if any waits."""
        batch: list[SpooledEvent] = []
        size = 0
        with self._lock:
            self._place_all()
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
        with self._lock:
            return self._last + len(self._arriving)

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

    def has_backlog(self) -> bool:
        """Tell that there is none: memory ends with its process."""
        return False

    def backlog(self) -> None:
        """Return nothing: memory ends with its process."""

    def losses(self) -> Losses:
        """Return what was lost and what the server was not told of yet."""
        with self._lock:
            return replace(self._losses)

    def forget_losses(self) -> None:
        """Note that the server will be told."""
        with self._lock:
            self._losses = Losses()

    def tend(self) -> Sequence[str]:
        """Do nothing: memory needs no tending."""
        return ()

    def next_tending(self) -> None:
        """Never ask for tending."""

    def forget_parent(self) -> None:
        """Begin empty after a fork."""
        self._clear()

    def close(self) -> None:
        """Do nothing: memory needs no closing."""
