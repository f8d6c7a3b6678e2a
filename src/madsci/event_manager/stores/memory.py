"""The reference store: a dictionary. Forgets everything at the end of the process."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from madsci.common.errors import StoreError
from madsci.common.ids import new_ulid
from madsci.event_manager.model.budget import UNLIMITED, Budget
from madsci.event_manager.model.feed import START, Entries, Entry, Position, unknown_position
from madsci.event_manager.model.matcher import matches
from madsci.event_manager.model.query import Filling, Page, Query
from madsci.event_manager.model.selector import EVERYTHING, Selector, is_everything
from madsci.event_manager.model.sorting import in_order, is_behind, place
from madsci.event_manager.model.stored_event import StoredEvent, size_of
from madsci.event_manager.model.tables import (
    FOLLOWERS,
    Change,
    Step,
    Way,
    check_size,
    kept_position,
    position_of,
    put,
)
from madsci.event_manager.model.tally import Count, Tally
from madsci.event_manager.stores.base import AppendOutcome, Disposition, EventStore
from madsci.event_manager.stores.local_leases import LocalLeases
from madsci.event_manager.stores.tallying import tallied


class MemoryStore(EventStore):
    """Keeps events in memory, for tests and trials.

    ``lane`` names the one lane of its feed, where somebody else makes it last.
    """

    engine = "memory"
    location = "memory (nothing is kept when the server stops)"

    def __init__(self, lane: str | None = None) -> None:
        self._lock = threading.Lock()
        self._events: dict[str, StoredEvent] = {}
        self._numbers: dict[str, int] = {}
        self._lane = lane or new_ulid().lower()
        self._log: list[tuple[str, bool]] = []
        """The id of each entry of the feed, and whether an alert was raised there."""
        self._documents: dict[tuple[str, str], str] = {}
        self._leases = LocalLeases()
        self._closed = False

    def append(self, events: Sequence[StoredEvent]) -> list[AppendOutcome]:
        """Keep the events; see ``EventStore``."""
        with self._lock:
            self._check_open()
            return [self._append_one(event) for event in events]

    def _append_one(self, event: StoredEvent) -> AppendOutcome:
        stored = self._events.get(event.event_id)
        if stored is None:
            self._events[event.event_id] = event
            self._numbers[event.event_id] = self._enter(event)
            return AppendOutcome(Disposition.STORED, event)
        if event.alert and not stored.alert:
            raised = msgspec.structs.replace(stored, alert=True)
            self._events[event.event_id] = raised
            self._enter(event, is_raised_alert=True)
            return AppendOutcome(Disposition.ALERT_RAISED, raised)
        return AppendOutcome(Disposition.DUPLICATE, stored)

    def _enter(self, event: StoredEvent, *, is_raised_alert: bool = False) -> int:
        self._log.append((event.event_id, is_raised_alert))
        return len(self._log)

    def head(self) -> Position:
        """Return the position behind the last entry; see ``EventLog``."""
        return Position.of([(self._lane, len(self._log))])

    def since(
        self,
        position: Position,
        limit: int,
        until: Position | None = None,
        selector: Selector = EVERYTHING,
        budget: Budget = UNLIMITED,
    ) -> Entries:
        """Return what follows a position; see ``FeedReader``."""
        before = number = self._number_at(position)
        entries: list[Entry] = []
        missed = 0
        with self._lock:
            self._check_open()
            last = len(self._log)
            if until is not None:
                last = min(last, self._number_at(until))
            while number < last and len(entries) < limit:
                budget.check()
                number += 1
                entry = self._entry(number)
                if entry is None:
                    missed += 1
                elif is_everything(selector) or matches(selector, entry.event.document()):
                    entries.append(entry)
        start, end = (Position.of([(self._lane, at)]) for at in (before, max(before, number)))
        missed = missed if is_everything(selector) else 0
        return Entries(start, entries, end, number < last, missed, before > last)

    def _number_at(self, position: Position) -> int:
        if position != START and [lane for lane, _ in position.lanes] != [self._lane]:
            raise unknown_position(position)
        number = dict(position.lanes).get(self._lane, 0)
        if number > len(self._log):
            raise unknown_position(position)
        return number

    def _entry(self, number: int) -> Entry | None:
        """Return an entry, unless its event was deleted; it may have been sent again since."""
        event_id, is_raised = self._log[number - 1]
        stored = self._numbers.get(event_id, number + 1)
        if stored == number or (is_raised and stored < number):
            return Entry(self._lane, number, self._events[event_id], is_raised)
        return None

    def before(self, event_ids: Sequence[str]) -> Position:
        """Return the last position before events; see ``FeedReader``."""
        with self._lock:
            numbers = [self._numbers[one] for one in event_ids if one in self._numbers]
        return Position.of([(self._lane, min(numbers, default=len(self._log) + 1) - 1)])

    def before_time(self, time: int, budget: Budget = UNLIMITED) -> Position:
        """Return the last position before what happened from a time on; see ``FeedReader``."""
        budget.check()
        events = self._snapshot(None)
        return self.before([one.event_id for one in events if one.event_timestamp >= time])

    def read(self, table: str, key: str) -> str | None:
        """Return a small document; see ``Tables``."""
        with self._lock:
            self._check_open()
            return self._documents.get((table, key))

    def scan(
        self, table: str, prefix: str = "", after: str | None = None, limit: int = 1_000
    ) -> list[tuple[str, str]]:
        """Return small documents in order; see ``Tables``."""
        with self._lock:
            self._check_open()
            found = [
                (key, value)
                for (name, key), value in self._documents.items()
                if name == table and key.startswith(prefix) and (after is None or key > after)
            ]
        return sorted(found)[:limit]

    def apply(self, changes: Sequence[Change], step: Step | None = None) -> bool:
        """Make changes of small documents; see ``Tables``."""
        check_size(changes)
        with self._lock:
            self._check_open()
            if step is not None:
                kept = self._documents.get((FOLLOWERS, step.follower))
                if (START if kept is None else position_of(kept)) != step.before:
                    return False
                changes = [*changes, put(FOLLOWERS, step.follower, kept_position(step.after))]
            for change in changes:
                place = (change.table, change.key)
                if change.value is None:
                    self._documents.pop(place, None)
                elif change.way is Way.PUT:
                    self._documents[place] = change.value
                else:
                    self._documents.setdefault(place, change.value)
            return True

    def get(self, event_id: str) -> StoredEvent | None:
        """Return the event with this id, or ``None``."""
        with self._lock:
            self._check_open()
            return self._events.get(event_id)

    def find(self, query: Query) -> Page:
        """Return the events that match; see ``EventStore``."""
        found = [
            (place({**document, "committed": self._numbers[event.event_id]}, query.sort), event)
            for event, document in _matching(self._snapshot(query.fence), query.selector, query.budget)
        ]
        found = in_order(found, query.sort)
        if query.after is not None:
            found = [pair for pair in found if is_behind(pair[0], query.after, query.sort)]
        filling: Filling[StoredEvent] = Filling(query)
        for where, event in found[query.offset :]:
            if not filling.takes(event, size_of(event), tuple(where)):
                break
        return Page(filling.items, filling.next_place, query.sort)

    def tally(self, tallies: Sequence[Tally]) -> list[list[Count]]:
        """Count the events that match; see ``EventStore``."""
        return [
            tallied(_matching(self._snapshot(one.fence), one.selector, one.budget), one)
            for one in tallies
        ]

    def _snapshot(self, fence: Position | None) -> list[StoredEvent]:
        with self._lock:
            self._check_open()
            if fence is None:
                return list(self._events.values())
            return [one for one in self._events.values() if self._numbers[one.event_id] <= fence.number]

    def count(self) -> int:
        """Return how many events are stored."""
        self._check_open()
        return len(self._events)

    def archive(self, event_ids: Sequence[str], at: int) -> int:
        """Mark the events as archived; see ``EventStore``."""
        with self._lock:
            self._check_open()
            fresh = [one for event_id in dict.fromkeys(event_ids)
                     if (one := self._events.get(event_id)) and not one.archived]  # fmt: skip
            for event in fresh:
                marked = msgspec.structs.replace(event, archived=True, archived_at=at)
                self._events[event.event_id] = marked
            return len(fresh)

    def delete(self, event_ids: Sequence[str]) -> int:
        """Remove those of the events that are archived; see ``EventStore``."""
        with self._lock:
            self._check_open()
            gone = [event_id for event_id in dict.fromkeys(event_ids)
                    if (one := self._events.get(event_id)) and one.archived]  # fmt: skip
            for event_id in gone:
                del self._events[event_id], self._numbers[event_id]
            return len(gone)

    def hold(self, name: str, holder: str, seconds: float) -> bool:
        """Take or keep a lease; see ``Leases``."""
        self._check_open()
        return self._leases.hold(name, holder, seconds)

    def let_go(self, name: str, holder: str) -> None:
        """End a lease; see ``Leases``."""
        self._check_open()
        self._leases.let_go(name, holder)

    def check(self) -> None:
        """Raise if the store is closed."""
        self._check_open()

    def close(self) -> None:
        """Forget everything."""
        with self._lock:
            self._closed = True
            self._events.clear()

    def _check_open(self) -> None:
        if self._closed:
            raise StoreError("The store is closed.")


def _matching(
    events: Iterable[StoredEvent], selector: Selector, budget: Budget
) -> Iterator[tuple[StoredEvent, dict[str, Any]]]:
    for event in events:
        budget.check()
        document = event.document()
        if matches(selector, document):
            yield event, document
