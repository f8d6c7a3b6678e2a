"""The embedded store: one SQLite file, one writing connection, several reading ones."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Final, TypeVar

import apsw

from madsci.common.errors import StoreError, StoreUnavailableError
from madsci.common.memory import give_back_memory
from madsci.event_manager.model.budget import UNLIMITED, Budget
from madsci.event_manager.model.feed import Entries, Position
from madsci.event_manager.model.query import JsonPage, Page, Query
from madsci.event_manager.model.selector import EVERYTHING, Selector, is_everything
from madsci.event_manager.model.stored_event import StoredEvent
from madsci.event_manager.model.tables import Change, Step, check_size
from madsci.event_manager.model.tally import Count, Tally
from madsci.event_manager.stores.base import (
    SQLITE_SCHEME,
    AppendOutcome,
    Damage,
    Space,
)
from madsci.event_manager.stores.local_leases import LocalLeases
from madsci.event_manager.stores.sqlite import tables
from madsci.event_manager.stores.sqlite.appending import append
from madsci.event_manager.stores.sqlite.damage import quarantine
from madsci.event_manager.stores.sqlite.damage.noting import Noting
from madsci.event_manager.stores.sqlite.facts import LAST_SEQ, set_fact
from madsci.event_manager.stores.sqlite.faults import translated
from madsci.event_manager.stores.sqlite.feed import note_other
from madsci.event_manager.stores.sqlite.file.checkpoint import Checkpointer
from madsci.event_manager.stores.sqlite.file.commit_mark import CommitMarker
from madsci.event_manager.stores.sqlite.file.lock import StoreLock
from madsci.event_manager.stores.sqlite.file.opening import open_file
from madsci.event_manager.stores.sqlite.file.presence import Presence
from madsci.event_manager.stores.sqlite.file.rescuing import Rescue
from madsci.event_manager.stores.sqlite.file.room import Room
from madsci.event_manager.stores.sqlite.file.shrinking import Shrinker
from madsci.event_manager.stores.sqlite.reading import SqliteReader
from madsci.event_manager.stores.sqlite.recent import RecentEntries
from madsci.event_manager.stores.sqlite.retiring import archive, delete, in_parts
from madsci.event_manager.stores.sqlite.transaction import transaction, unsynced

Changed = TypeVar("Changed")
_REST: Final = 20.0
"""Seconds without a commit after which the memory of the writer's cache is given back."""


class SqliteStore:
    """Keeps events in one file, each append one transaction that is on disk when it returns.

    The file is opened by one process at a time. Opening makes the file and its folder where they are
    missing, recovers what a killed process left, and checks a small file for at most
    ``integrity_seconds``; whether something is left to be checked tells ``is_checked``.

    Raises:
        StoreInUseError: another process has the file open.
        StoreDamagedError: the file is damaged.
        SchemaVersionError: the file is not an event store of this version.
        StoreUnavailableError: the file cannot be made or opened.
    """

    engine = "sqlite"

    def __init__(self, path: Path, *, integrity_seconds: float = 5.0) -> None:
        path = path.absolute()  # whatever becomes the working directory
        self.location = str(path)
        self.readable_at = f"{SQLITE_SCHEME}{path}"
        self._lock = StoreLock(path)
        try:
            self._room = Room(path)
            opened = open_file(path, integrity_seconds)
            self._marker = CommitMarker(path, opened.last_seq, opened.events)
        except StoreError:
            self._lock.close()
            raise
        self._writer = opened.writer
        self._lane = opened.lane
        self._count, self._last_seq, self._missing = opened.events, opened.last_seq, opened.missing
        self._recent = RecentEntries(self._lane)
        self._writing = threading.Lock()
        """Held by the thread that uses the writing connection."""
        self._presence = Presence(path)
        self._rescue = Rescue(path, self._writer, self._writing)
        self._noting = Noting(self.location, self._change, quarantine.number(self._writer))
        self._noting.say(opened.damaged)
        self.is_checked = opened.is_checked
        self._reader = SqliteReader(self.location, self.note_damage)
        self._pulse = SqliteReader(self.location, self.note_damage)
        """For looking how the store is, however many questions the other one answers."""
        self._checkpointer = Checkpointer(self.location, int(self._writer.pragma("page_size")))
        self._checkpointer.watch(self._writer)
        self._checkpointer.start()
        self._room.watch(self._checkpointer)
        self._shrinker = Shrinker(self._step_of_shrinking, self._checkpointer)
        self._leases = LocalLeases()
        """Nobody else has the file open."""
        self._closed = False
        self._used_at = time.monotonic()
        """When something was committed last; infinite while nothing was since the cache was emptied."""
        self._shrinker.start(self._writer)

    def append(self, events: Sequence[StoredEvent]) -> list[AppendOutcome]:
        """Keep the events in one transaction; see ``EventStore``."""
        return self._room.with_room(lambda: self._append(events), self._using)

    def _append(self, events: Sequence[StoredEvent]) -> list[AppendOutcome]:
        with self._using():
            self._room.admit()
            before = self._last_seq
            with transaction(self._writer):
                outcomes, stored, last = append(self._writer, events, before)
            self._acknowledge(last, self._count + stored)
            if stored == len(events):
                self._recent.add(before, events)
            else:  # an alert may have been raised on one of them
                self._recent.forget()
            self._room.has_failed = False
            if stored < len(events):  # among the others may have been a damaged one that is whole now
                self._noting.number = quarantine.number(self._writer)
        return outcomes

    def get(self, event_id: str) -> StoredEvent | None:
        """Return the event with this id, or ``None``."""
        return self._reader.get(event_id)

    def find(self, query: Query) -> Page:
        """Return the events that match; see ``EventReader``."""
        return self._reader.find(query)

    def find_json(self, query: Query) -> JsonPage:
        """Return the events that match as JSON; see ``EventReader``."""
        return self._reader.find_json(query)

    def tally(self, tallies: Sequence[Tally]) -> list[list[Count]]:
        """Count the events that match; see ``EventReader``."""
        return self._reader.tally(tallies)

    def count(self) -> int:
        """Return how many events are stored."""
        self._check_open()
        return self._count - self._noting.number

    def head(self) -> Position:
        """Return the position behind the last commit; see ``EventLog``."""
        return Position.of([(self._lane, self._last_seq)])

    def since(
        self,
        position: Position,
        limit: int,
        until: Position | None = None,
        selector: Selector = EVERYTHING,
        budget: Budget = UNLIMITED,
    ) -> Entries:
        """Return what follows a position; see ``FeedReader``."""
        self._check_open()
        if until is None and is_everything(selector):
            recent = self._recent.since(position, limit, self._last_seq)
            if recent is not None:
                return recent
        return self._reader.since(position, limit, until, selector, budget)

    def before(self, event_ids: Sequence[str]) -> Position:
        """Return the last position before events; see ``FeedReader``."""
        return self._reader.before(event_ids)

    def before_time(self, time: int, budget: Budget = UNLIMITED) -> Position:
        """Return the last position before what happened from a time on; see ``FeedReader``."""
        return self._reader.before_time(time, budget)

    def read(self, table: str, key: str) -> str | None:
        """Return a small document; see ``Tables``."""
        return self._reader.read(table, key)

    def scan(
        self, table: str, prefix: str = "", after: str | None = None, limit: int = 1_000
    ) -> list[tuple[str, str]]:
        """Return small documents in order; see ``Tables``."""
        return self._reader.scan(table, prefix, after, limit)

    def apply(self, changes: Sequence[Change], step: Step | None = None) -> bool:
        """Make changes of small documents in one transaction; see ``Tables``."""
        check_size(changes)
        return self._room.with_room(
            lambda: self._applied(changes, step), self._using, for_deleting=True
        )

    def _applied(self, changes: Sequence[Change], step: Step | None) -> bool:
        """Make changes that take no number: what is not found again after a crash is not missed.

        Those of a step are not synced by themselves, so that followers do not slow down what comes in.
        """
        with self._using():
            with nullcontext() if step is None else unsynced(self._writer), transaction(self._writer):
                made = tables.apply(self._writer, changes, step)
            self._acknowledge(self._last_seq, self._count)
        return made

    def fence(self) -> Position:
        """Return the position behind the last commit; see ``EventStore``."""
        return self.head()

    def archive(self, event_ids: Sequence[str], at: int) -> int:
        """Mark the events as archived; see ``EventStore``."""
        return in_parts(event_ids, lambda ids: self._change(lambda writer: archive(writer, ids, at)))

    def delete(self, event_ids: Sequence[str]) -> int:
        """Remove those of the events that are archived; see ``EventStore``."""
        damaged: list[Damage] = []

        def remove(writer: apsw.Connection, ids: Sequence[str]) -> int:
            number, found = delete(writer, ids)
            damaged.extend(found)
            return number

        deleted = in_parts(
            event_ids,
            lambda ids: self._change(lambda writer: remove(writer, ids), is_deletion=True),
        )
        self.note_damage(damaged)
        self._shrinker.tell(deleted, self._count)
        return deleted

    @property
    def damage(self) -> str | None:
        """What is damaged beyond single events; see ``EventStore``."""
        return self._noting.damage

    @property
    def damaged_events(self) -> int:
        """How many events are listed as damaged; see ``EventStore``."""
        return self._noting.number

    def note_damage(self, found: Sequence[Damage]) -> None:
        """Pass over damaged events from now on; see ``EventStore``."""
        self._noting.note(found)

    def hold(self, name: str, holder: str, seconds: float) -> bool:
        """Take or keep a lease among those who share this process; see ``Leases``."""
        self._check_open()
        return self._leases.hold(name, holder, seconds)

    def let_go(self, name: str, holder: str) -> None:
        """End a lease; see ``Leases``."""
        self._check_open()
        self._leases.let_go(name, holder)

    def _change(
        self, change: Callable[[apsw.Connection], Changed], *, is_deletion: bool = False
    ) -> Changed:
        """Return what a change of the file gives, made in a transaction of its own.

        Of a deletion that is the number of events.
        """
        return self._room.with_room(
            lambda: self._changed(change, is_deletion=is_deletion), self._using, for_deleting=True
        )

    def _changed(self, change: Callable[[apsw.Connection], Changed], *, is_deletion: bool) -> Changed:
        with self._using():
            last, before = self._last_seq, self._writer.total_changes()
            with transaction(self._writer):
                changed = change(self._writer)
                if self._writer.total_changes() != before:
                    last = self._number_change(last)
            self._recent.forget()
            deleted = changed if is_deletion and isinstance(changed, int) else 0
            self._acknowledge(last, self._count - deleted)
        return changed

    def _number_change(self, last: int) -> int:
        """Give a change that is not in the feed the next number of commits; return it."""
        set_fact(self._writer, LAST_SEQ, str(last + 1))
        note_other(self._writer, last + 1)
        return last + 1

    def _step_of_shrinking(self, step: Callable[[apsw.Connection], Changed]) -> Changed:
        """Return what a step gives that changes how the file is laid out, and nothing that is in it."""

        def work() -> Changed:
            with self._using():
                done = step(self._writer)
                self._checkpointer.after_commit(self._writer)
                return done

        return self._room.with_room(work, self._using, for_deleting=True)

    @contextmanager
    def _using(self) -> Iterator[apsw.Connection]:
        """Lend the writing connection, unless the next start would not find what it writes.

        What is committed while the file vanishes is saved with all the rest that is open.
        """
        with self._writing, translated(self.location):
            self._check_open()
            self._noting.admit()
            with self._rescuing():
                self._presence.check()
            with self._noting.watching(), self._room.watching():
                yield self._writer

    def _acknowledge(self, last_seq: int, events: int) -> None:
        """Note what was committed, and leave word of it for the next start."""
        self._last_seq, self._count = last_seq, events
        self._used_at = time.monotonic()
        try:
            self._marker.write(last_seq, events)
        except OSError as error:
            self._room.has_failed = True
            raise StoreUnavailableError(
                f"The disk of the event store {self.location} failed after a commit: {error}. The"
                " server goes on trying."
            ) from error
        self._checkpointer.after_commit(self._writer)

    @contextmanager
    def _rescuing(self) -> Iterator[None]:
        try:
            yield
        except StoreUnavailableError:
            self._rescue.begin()
            raise

    def troubles(self) -> list[str]:
        """Say what this start found missing, and what else is not well; see ``EventStore``."""
        missing = [] if self._missing is None else [self._missing]
        return missing + self._noting.troubles() + self._room.troubles()

    def verify(self, place: int | None, budget: Budget) -> int | None:
        """Look for damage; see ``EventReader``."""
        return self._reader.verify(place, budget)

    def check(self) -> None:
        """Return if the file can be read, and is the one at its path."""
        self._check_open()
        with self._rescuing():
            self._check_files()
        self._lock.check()
        self._pulse.check()

    def probe(self) -> None:
        """Return if an append would be kept; see ``EventStore``."""
        with self._using():
            self._room.probe(self._writer, self._last_seq)
            if time.monotonic() - self._used_at < _REST:
                return
            self._used_at = float("inf")
            self._writer.pragma("shrink_memory")
        give_back_memory()

    def space(self) -> Space:
        """Return the room on the disk of the file; see ``EventStore``."""
        with self._pulse.readers.connection() as reader:
            return self._room.space(reader)

    def close(self) -> None:
        """Write everything into the one file and let others open it."""
        with self._writing:
            if self._closed:
                return
            self._closed = True
        self._shrinker.close()
        self._rescue.close()
        self._checkpointer.close()
        self._reader.readers.close()
        self._pulse.readers.close()
        try:
            self._noting.admit()
            self._check_files()
        except StoreError:  # copying the log would spoil what is left of the file
            self._writer.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        self._writer.close()
        self._marker.close()
        self._lock.close()

    def _check_files(self) -> None:
        log = self._checkpointer
        self._presence.check_all(log.log_bytes, log.log_bytes_in_use)

    def _check_open(self) -> None:
        if self._closed:
            raise StoreError("The store is closed.")
