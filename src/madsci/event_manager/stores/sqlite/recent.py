"""The newest entries of a feed, in memory: who follows near its end reads nothing from the file.

Reading an entry costs half as much as taking it in, and several follow while events come in.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Final

from madsci.event_manager.model.feed import Entries, Entry, Position
from madsci.event_manager.model.stored_event import StoredEvent, size_of

MOST_ENTRIES: Final = 16_384
MOST_BYTES: Final = 8_000_000
"""What is kept at most: a third of a second of the heaviest load, in which followers come by."""
_WANTED: Final = 10.0
"""Seconds after which nothing is kept any more, unless somebody asks."""
_AROUND: Final = 100
"""Bytes that an event takes beside its data."""


class RecentEntries:
    """Entries of one lane, one number behind the other, while somebody asks for them. Thread-safe.

    They are as they were appended. Who changes what is stored has them forgotten. What is kept longest
    goes first, with all that was appended with it.
    """

    def __init__(self, lane: str, elapsed: Callable[[], float] = time.monotonic) -> None:
        self._lane = lane
        self._elapsed = elapsed
        self._wanted_until = 0.0
        self._events: deque[StoredEvent] = deque()
        self._last = 0
        """The number of the last of them."""
        self._appended: deque[tuple[int, int]] = deque()
        """How many were appended together, and their bytes."""
        self._bytes = 0
        self._lock = threading.Lock()

    def add(self, before: int, events: Sequence[StoredEvent]) -> None:
        """Keep events that were committed with the numbers behind one."""
        if self._elapsed() >= self._wanted_until:
            self.forget()
            return
        size = _bytes_of(events)
        with self._lock:
            if self._last != before:
                self._clear()
            self._events.extend(events)
            self._last = before + len(events)
            self._appended.append((len(events), size))
            self._bytes += size
            while self._bytes > MOST_BYTES or len(self._events) > MOST_ENTRIES:
                self._drop_oldest()

    def forget(self) -> None:
        """Keep none of them: what is stored has changed."""
        with self._lock:
            self._clear()

    def _clear(self) -> None:
        self._events.clear()
        self._appended.clear()
        self._bytes = 0

    def _drop_oldest(self) -> None:
        count, size = self._appended.popleft()
        self._bytes -= size
        for _ in range(count):
            self._events.popleft()

    def since(self, position: Position, limit: int, head: int) -> Entries | None:
        """Return what follows a position, or ``None`` where it is to be read.

        ``head`` is the number of the last commit.
        """
        self._wanted_until = self._elapsed() + _WANTED
        if len(position.lanes) != 1 or position.lanes[0][0] != self._lane:
            return None
        number = position.number
        with self._lock:
            skipped = len(self._events) - (self._last - number)
            if not 0 <= skipped < len(self._events):
                return None
            events = list(islice(self._events, skipped, skipped + limit))
        lane = self._lane
        found = [Entry(lane, at, event) for at, event in enumerate(events, number + 1)]
        last = number + len(found)
        return Entries(position, found, Position.of([(lane, last)]), last < head)


def _bytes_of(events: Sequence[StoredEvent]) -> int:
    return sum(
        [
            _AROUND + (len(event.event_data) if event.extra is None else size_of(event))
            for event in events
        ]
    )
