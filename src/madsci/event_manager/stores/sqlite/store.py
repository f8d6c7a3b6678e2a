"""The embedded store: one SQLite file, one writing connection, several reading ones."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, TypeVar

import apsw

from madsci.common.errors import StoreError
from madsci.event_manager.model.query import Page, Query
from madsci.event_manager.model.stored_event import StoredEvent
from madsci.event_manager.model.tally import Count, Tally
from madsci.event_manager.stores.base import SQLITE_SCHEME, AppendOutcome, Disposition
from madsci.event_manager.stores.sqlite import schema, terms
from madsci.event_manager.stores.sqlite.checkpoint import BUSY_MS, Checkpointer
from madsci.event_manager.stores.sqlite.codec import INSERT, to_row
from madsci.event_manager.stores.sqlite.facts import (
    LAST_SEQ,
    done_key,
    fact,
    facts_about_the_lab,
    set_fact,
)
from madsci.event_manager.stores.sqlite.faults import translated
from madsci.event_manager.stores.sqlite.lock import lock
from madsci.event_manager.stores.sqlite.reading import SqliteReader, get_event
from madsci.event_manager.stores.sqlite.retiring import archive, delete
from madsci.event_manager.stores.sqlite.transaction import transaction

_CACHE_KIB: Final = 262_144
"""Page cache of the writer. The default of 2 MB makes index upkeep 1.6 times slower."""
_LAST_SEQ: Final = f"""
SELECT max((SELECT coalesce(max(seq), 0) FROM events),
    (SELECT coalesce(max(CAST(value AS INTEGER)), 0) FROM facts WHERE key = '{LAST_SEQ}'))
"""  # noqa: S608 - a constant of ours

Changed = TypeVar("Changed")


class SqliteStore:
    """Keeps events in one file, each append one transaction that is on disk when it returns.

    The file is opened by one process at a time. Opening makes the file and its folder where they are
    missing, recovers what a killed process left, and checks the file for at most
    ``integrity_seconds``.

    Raises:
        StoreInUseError: another process has the file open.
        StoreDamagedError: the file is damaged.
        SchemaVersionError: the file is not an event store of this version.
        StoreUnavailableError: the file cannot be made or opened.
    """

    engine = "sqlite"

    def __init__(self, path: Path, *, integrity_seconds: float = 5.0) -> None:
        self.location = str(path)
        self.readable_at = f"{SQLITE_SCHEME}{path.absolute()}"
        self._lock = lock(path)
        try:
            with translated(self.location):
                self._writer = apsw.Connection(self.location)
                schema.prepare(self._writer, self.location)
                _set_up_writer(self._writer)
                schema.check_integrity(self._writer, self.location, integrity_seconds)
                self._count = int(self._writer.execute("SELECT count(*) FROM events").get)
                self._last_seq = int(self._writer.execute(_LAST_SEQ).get)
        except StoreError:
            os.close(self._lock)
            raise
        self._reader = SqliteReader(self.location)
        self._checkpointer = Checkpointer(self.location)
        self._checkpointer.watch(self._writer)
        self._checkpointer.start()
        self._turn = threading.Lock()
        """Held by the thread that uses the writing connection."""
        self._closed = False

    def append(self, events: Sequence[StoredEvent]) -> list[AppendOutcome]:
        """Keep the events in one transaction; see ``EventStore``."""
        with self._turn:
            self._check_open()
            return self._append(events)

    def _append(self, events: Sequence[StoredEvent]) -> list[AppendOutcome]:
        first = self._last_seq + 1
        rows = [to_row(event, seq) for seq, event in enumerate(events, first)]
        with translated(self.location):
            with transaction(self._writer):
                before = self._writer.total_changes()
                self._writer.executemany(INSERT, rows)
                stored = self._writer.total_changes() - before
                if stored == len(rows):
                    outcomes = [AppendOutcome(Disposition.STORED, event) for event in events]
                else:
                    outcomes = self._tell_duplicates(events, first)
                terms.insert(self._writer, first, [_terms_of(outcome) for outcome in outcomes])
            self._last_seq += len(rows)
            self._count += stored
            self._checkpointer.after_commit(self._writer)
        return outcomes

    def _tell_duplicates(self, events: Sequence[StoredEvent], first: int) -> list[AppendOutcome]:
        inserted = {row[0] for row in self._writer.execute(
            "SELECT seq FROM events WHERE seq >= ?", (first,)
        )}  # fmt: skip
        return [
            AppendOutcome(Disposition.STORED, event) if seq in inserted else self._duplicate(event)
            for seq, event in enumerate(events, first)
        ]

    def _duplicate(self, event: StoredEvent) -> AppendOutcome:
        disposition = Disposition.DUPLICATE
        if event.alert:
            self._writer.execute(
                "UPDATE events SET alert = 1 WHERE event_id = ? AND alert = 0", (event.event_id,)
            )
            if self._writer.changes():
                disposition = Disposition.ALERT_RAISED
        stored = get_event(self._writer, event.event_id)
        if stored is None:
            raise StoreError(f"The stored event {event.event_id} cannot be found again.")
        return AppendOutcome(disposition, stored)

    def get(self, event_id: str) -> StoredEvent | None:
        """Return the event with this id, or ``None``."""
        return self._reader.get(event_id)

    def find(self, query: Query) -> Page:
        """Return the events that match; see ``EventReader``."""
        return self._reader.find(query)

    def tally(self, tallies: Sequence[Tally]) -> list[list[Count]]:
        """Count the events that match; see ``EventReader``."""
        return self._reader.tally(tallies)

    def count(self) -> int:
        """Return how many events are stored."""
        self._check_open()
        return self._count

    def fence(self) -> int:
        """Return the number of the last commit; see ``EventStore``."""
        return self._last_seq

    def archive(self, event_ids: Sequence[str], at: int) -> int:
        """Mark the events as archived; see ``EventStore``."""
        return self._change(lambda writer: archive(writer, event_ids, at))

    def delete(self, event_ids: Sequence[str]) -> int:
        """Remove those of the events that are archived; see ``EventStore``."""
        deleted = self._change(lambda writer: delete(writer, event_ids, self._last_seq))
        with self._turn:
            self._count -= deleted
        return deleted

    def take_turn(self, task: str, slot: str, holder: str, seconds: float) -> bool:
        """Tell whether the task is still to be done; nobody else has this file open."""
        del holder, seconds
        return self._change(lambda writer: fact(writer, done_key(task)) or "") < slot

    def give_back_turn(self, task: str, holder: str, done: str | None) -> None:
        """Remember what was done."""
        del holder
        if done is not None:
            self._change(lambda writer: set_fact(writer, done_key(task), done))

    def remember(self, key: str, value: str) -> str:
        """Keep a fact the first time it is given; return the one that is kept."""

        def keep(writer: apsw.Connection) -> str:
            kept = fact(writer, key)
            if kept is None:
                set_fact(writer, key, value)
            return value if kept is None else kept

        return self._change(keep)

    def facts(self) -> dict[str, str]:
        """Return everything that ``remember`` has kept."""
        return self._change(facts_about_the_lab)

    def _change(self, change: Callable[[apsw.Connection], Changed]) -> Changed:
        """Return what a change of the file gives, made in a transaction of its own."""
        with self._turn:
            self._check_open()
            with translated(self.location):
                with transaction(self._writer):
                    changed = change(self._writer)
                self._checkpointer.after_commit(self._writer)
                return changed

    def check(self) -> None:
        """Return if the file can be read."""
        self._reader.check()

    def close(self) -> None:
        """Write everything into the one file and let others open it."""
        with self._turn:
            if self._closed:
                return
            self._closed = True
            self._checkpointer.close()
            self._reader.readers.close()
            self._writer.close()
            os.close(self._lock)

    def _check_open(self) -> None:
        if self._closed:
            raise StoreError("The store is closed.")


def _set_up_writer(connection: apsw.Connection) -> None:
    connection.set_busy_timeout(BUSY_MS)
    connection.pragma("journal_mode", "WAL")
    connection.pragma("synchronous", "FULL")
    connection.pragma("cache_size", -_CACHE_KIB)
    connection.pragma("wal_autocheckpoint", 0)  # the checkpointer does it, beside the writer


def _terms_of(outcome: AppendOutcome) -> str | None:
    return terms.terms_of(outcome.event) if outcome.disposition is Disposition.STORED else None
