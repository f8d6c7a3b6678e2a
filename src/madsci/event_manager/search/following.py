"""Reading the feed on behalf of somebody who watches it: a part of what was committed before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from madsci.event_manager.export.frames import Frames
from madsci.event_manager.model.budget import Budget
from madsci.event_manager.model.feed import Entry, Position
from madsci.event_manager.model.query import Query
from madsci.event_manager.model.selector import Selector
from madsci.event_manager.model.sorting import LAST_COMMITTED_FIRST
from madsci.event_manager.model.stored_event import size_of
from madsci.event_manager.stores.base import EventReader

PART_BYTES: Final = 262_144
"""Bytes of a part, and one event more: a thousand readers who stop hold as many parts."""

_AROUND: Final = 400
"""Bytes of an event that are not its data, about."""


@dataclass(frozen=True)
class Part:
    """Some of the past as frames, and where it goes on."""

    frames: bytes
    next: Position
    has_more: bool
    missed: int


@dataclass(frozen=True)
class PastJob:
    """What matches behind a position, up to another one: at most ``limit`` events of it."""

    position: Position
    until: Position
    selector: Selector
    frames: Frames
    limit: int
    bytes_at_once: int = PART_BYTES

    def run(self, events: EventReader, budget: Budget) -> Part:
        """Return the part; it ends early where events are large."""
        found = events.since(self.position, self.limit, self.until, self.selector, budget)
        entries = list(_fitting(found.entries, self.bytes_at_once))
        frames = self.frames.entries(found.start, entries, [True] * len(entries))
        if len(entries) < len(found.entries):
            return Part(frames, found.start.behind(*entries), has_more=True, missed=0)
        return Part(frames, found.next, found.has_more, found.missed)


def _fitting(entries: Iterable[Entry], room: int) -> Iterator[Entry]:
    """Yield the first entries, as many as make a part."""
    for entry in entries:
        if room < 0:
            return
        yield entry
        room -= size_of(entry.event) + _AROUND


@dataclass(frozen=True)
class LastJob:
    """Where to begin so that the last ``number`` events that match come."""

    selector: Selector
    number: int

    def run(self, events: EventReader, budget: Budget) -> Position:
        """Return the position before them."""
        query = Query(self.selector, self.number, sort=LAST_COMMITTED_FIRST, budget=budget)
        return events.before([one.event_id for one in events.find(query).events])


@dataclass(frozen=True)
class FromJob:
    """Where to begin so that all comes that happened from a time on, in microseconds since 1970."""

    selector: Selector
    time: int

    def run(self, events: EventReader, budget: Budget) -> Position:
        """Return the position before it."""
        return events.before_time(self.time, budget)
