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

    They are as they were appended. Who changes what is stored has them forgotten.
    """

    def __init__(self, lane: str, elapsed: Callable[[], float] = time.monotonic) -> None:
        self._lane = lane
        self._elapsed = elapsed
        self._wanted_until = 0.0
        self._entries: deque[Entry] = deque()
        self._bytes = 0
        self._lock = threading.Lock()

    def add(self, before: int, events: Sequence[StoredEvent]) -> None:
        """Keep events that were committed with the numbers behind one."""
        if self._elapsed() >= self._wanted_until:
            self.forget()
            return
        lane = self._lane
        entries = [Entry(lane, number, event) for number, event in enumerate(events, before + 1)]
        with self._lock:
            if self._entries and self._entries[-1].number != before:
                self._clear()
            self._entries.extend(entries)
            self._bytes += sum([_bytes_of(event) for event in events])
            while self._bytes > MOST_BYTES or len(self._entries) > MOST_ENTRIES:
                self._bytes -= _bytes_of(self._entries.popleft().event)

    def forget(self) -> None:
        """Keep none of them: what is stored has changed."""
        with self._lock:
            self._clear()

    def _clear(self) -> None:
        self._entries.clear()
        self._bytes = 0

    def since(self, position: Position, limit: int, head: int) -> Entries | None:
        """Return what follows a position, or ``None`` where it is to be read.

        ``head`` is the number of the last commit.
        """
        self._wanted_until = self._elapsed() + _WANTED
        if len(position.lanes) != 1 or position.lanes[0][0] != self._lane:
            return None
        number = position.number
        with self._lock:
            skipped = number + 1 - self._entries[0].number if self._entries else -1
            if not 0 <= skipped < len(self._entries):
                return None
            found = list(islice(self._entries, skipped, skipped + limit))
        last = number + len(found)
        return Entries(position, found, Position.of([(self._lane, last)]), last < head)


def _bytes_of(event: StoredEvent) -> int:
    if event.extra is None:
        return len(event.event_data) + _AROUND
    return size_of(event) + _AROUND
