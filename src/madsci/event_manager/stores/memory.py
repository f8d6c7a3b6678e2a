"""The reference store: a dictionary. Forgets everything at the end of the process."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import msgspec

from madsci.common.errors import StoreError
from madsci.event_manager.model.matcher import matches
from madsci.event_manager.model.query import Page, Query, page_of
from madsci.event_manager.model.stored_event import StoredEvent
from madsci.event_manager.stores.base import AppendOutcome, Disposition


class MemoryStore:
    """Keeps events in memory, for tests and trials."""

    engine = "memory"
    location = "memory (nothing is kept when the server stops)"

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._events: dict[str, StoredEvent] = {}
        self._facts: dict[str, str] = {}
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
            return AppendOutcome(Disposition.STORED, event)
        if event.alert and not stored.alert:
            raised = msgspec.structs.replace(stored, alert=True)
            self._events[event.event_id] = raised
            return AppendOutcome(Disposition.ALERT_RAISED, raised)
        return AppendOutcome(Disposition.DUPLICATE, stored)

    def get(self, event_id: str) -> StoredEvent | None:
        """Return the event with this id, or ``None``."""
        with self._lock:
            self._check_open()
            return self._events.get(event_id)

    def find(self, query: Query) -> Page:
        """Return the events that match; see ``EventStore``."""
        with self._lock:
            self._check_open()
            events = list(self._events.values())
        if query.after is not None:
            events = [event for event in events if event.order < query.after]
        found = [event for event in events if matches(query.selector, event.document())]
        found.sort(key=lambda event: event.order, reverse=True)
        return page_of(found[query.offset : query.offset + query.limit + 1], query.limit)

    def count(self) -> int:
        """Return how many events are stored."""
        self._check_open()
        return len(self._events)

    def remember(self, key: str, value: str) -> str:
        """Keep a fact the first time it is given; return the one that is kept."""
        self._check_open()
        return self._facts.setdefault(key, value)

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
