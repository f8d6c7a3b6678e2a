"""The contract of every store. Its words are what ``madsci.event_manager.testing`` checks.

Who writes a store inherits from ``EventStore``: what few engines do otherwise is done there already.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final, Protocol

import msgspec

from madsci.event_manager.model.budget import UNLIMITED, Budget
from madsci.event_manager.model.feed import Entries, Position
from madsci.event_manager.model.query import JsonPage, Page, Query
from madsci.event_manager.model.selector import EVERYTHING, Selector
from madsci.event_manager.model.stored_event import StoredEvent
from madsci.event_manager.model.tables import Change, Step
from madsci.event_manager.model.tally import Count, Tally

SQLITE_SCHEME: Final = "sqlite:///"
"""Begins the URL of an event file."""


class Disposition(Enum):
    """What became of an event that was appended."""

    STORED = "stored"
    DUPLICATE = "duplicate"
    ALERT_RAISED = "alert_raised"
    """A duplicate that asked for an alert of an event stored without one: a first alert."""


class AppendOutcome(msgspec.Struct, frozen=True, gc=False):
    """The fate of one appended event, and the event as it is stored now."""

    disposition: Disposition
    event: StoredEvent

    @property
    def is_duplicate(self) -> bool:
        """Whether the id was there before."""
        return self.disposition is not Disposition.STORED


class DamageOf(Enum):
    """What is damaged."""

    EVENT = "event"
    """One event, which every question passes over from then on."""
    INDEX = "index"
    """An index, which can be made anew from the events."""
    STORE = "store"
    """What holds the events together; some or all of them cannot be read."""
    LAYOUT = "layout"
    """Which part of the store is in use; what is written might take the place of what is whole."""


@dataclass(frozen=True)
class Damage:
    """Something in the store that is not what was written."""

    seq: int
    """The number of the event in the order of commits, which is its place; 0 for none."""
    event_id: str | None
    """Its id as far as it can be read."""
    reason: str
    """What is the matter with it, as a sentence that calls it "it"."""
    of: DamageOf = DamageOf.EVENT


class Space(msgspec.Struct, frozen=True):
    """Room for events, in bytes: what is free and what there is in all, and what the events take."""

    free: int
    total: int
    used: int


class FeedReader(Protocol):
    """Reads the feed: each event that was kept, and each alert that was raised on one, as an entry.

    Both are in the order of commits. Of one append, the new events come in its order, and so do the
    alerts that it raises; those may come behind the new events.

    Calls block; any number of threads may make them.
    """

    def since(
        self,
        position: Position,
        limit: int,
        until: Position | None = None,
        selector: Selector = EVERYTHING,
        budget: Budget = UNLIMITED,
    ) -> Entries:
        """Return the entries behind a position, each lane in order.

        There are at most so many, and fewer where they are large: ``PAGE_BYTES`` together, or one.

        What was read up to ``Entries.next`` is all that there will ever be before it: no entry appears
        there later. Reading again gives the same, but for what was deleted meanwhile, which is counted.
        An entry whose append was acknowledged before the call is found, or waits behind ``next``.

        With ``until`` nothing behind that position is read. With a ``selector`` only entries whose
        event matches are found, as an engine finds them best, and what is missed is not counted; there
        may be none of them although more waits.

        Raises:
            InvalidInputError: a position is not one of this store.
            QueryTimeoutError: the budget is used up.
        """
        ...

    def before(self, event_ids: Sequence[str]) -> Position:
        """Return the last position behind which the entries of these events are, as they were stored.

        Without any of them in the store, that is the end.
        """
        ...

    def before_time(self, time: int, budget: Budget = UNLIMITED) -> Position:
        """Return the last position behind which all events are that happened at a time or later.

        Without any, that is the end. Times are microseconds since 1970.

        Raises:
            QueryTimeoutError: the budget is used up.
        """
        ...


class TableReader(Protocol):
    """Reads small documents beside the events, by the name of a table and a key.

    Calls block; any number of threads may make them.
    """

    def read(self, table: str, key: str) -> str | None:
        """Return a document as JSON text, or ``None`` if there is none with this key."""
        ...

    def scan(
        self, table: str, prefix: str = "", after: str | None = None, limit: int = 1_000
    ) -> list[tuple[str, str]]:
        """Return documents with keys, those that begin with a prefix, in the order of their bytes.

        ``after`` is the key behind which to go on.
        """
        ...


class EventReader(FeedReader, TableReader, Protocol):
    """Answers questions about events. Calls block; any number of threads may make them."""

    def find(self, query: Query) -> Page:
        """Return the events that match, in the order that ``Query`` defines, up to its limit.

        Pages that are cut by ``after`` neither repeat nor skip an event that was stored before the
        first of them was asked for.

        Raises:
            QueryTimeoutError: the query's budget is used up.
        """
        ...

    def find_json(self, query: Query) -> JsonPage:
        """Return what ``find`` does with each event as the REST API shows it; raises the same.

        Where an engine keeps JSON, nothing of an event is decoded for it.
        """
        return self.find(query).as_json()

    def tally(self, tallies: Sequence[Tally]) -> list[list[Count]]:
        """Count the events that match, for all tallies as they are at one moment.

        Counts of nothing are left out. Without buckets the greatest counts come first, equal ones by
        value, and that of the events without a value last. With buckets there is no order.

        Raises:
            QueryTimeoutError: a tally's budget is used up.
            InvalidInputError: there are more counts than ``MAX_GROUPS`` in buckets.
        """
        ...

    def verify(self, place: int | None, budget: Budget) -> int | None:
        """Look for damage from a place on (``None``: from the newest event), until the budget is over.

        The first part looks at the structure, too. What is found is told where this reader tells of
        damage. Return the place at which to go on;
        ``None`` at the end, and where an engine looks after itself.
        """
        del place, budget
        return None


class EventLog(FeedReader, Protocol):
    """The feed, and how far it has come."""

    def head(self) -> Position:
        """Return the position behind everything that was acknowledged, without asking the database."""
        ...


class Tables(TableReader, Protocol):
    """Keeps small documents beside the events, by names of tables, which have no slash, and keys."""

    def apply(self, changes: Sequence[Change], step: Step | None = None) -> bool:
        """Make changes in their order; tell whether they were made.

        Without a step they are on disk when it returns. With a follower's step they are made only if it
        is where the step begins, and then it is where the step ends. So each entry of the feed takes
        effect once, whoever follows and dies meanwhile. The changes of a step and its position become
        durable together, and sometimes only with what is kept next: what a power cut takes is
        concluded anew.

        Where it raises, an engine without transactions may have made some of the changes; those of a
        step that was begun are made before anybody reads where the follower is.

        Raises:
            InvalidInputError: a document, or all changes together, are larger than may be.
        """
        ...


class Leases(Protocol):
    """Says who of all that share a store does something.

    Calls block; any number of threads may make them.
    """

    def hold(self, name: str, holder: str, seconds: float) -> bool:
        """Take a lease for so long from now on, or keep it; tell whether it is the holder's.

        It ends by itself, by a clock that all who share the store go by, so that who dies is in
        nobody's way for long. Who holds it counts the seconds from before the call.
        """
        ...

    def let_go(self, name: str, holder: str) -> None:
        """End a lease; one that somebody else has stays."""
        ...


class EventStore(EventReader, EventLog, Tables, Leases, Protocol):
    """Keeps events durably and finds them again.

    Calls block; services call them from threads of their own, never from the event loop, as many as
    they like. A reader sees everything whose append returned before the read began. What an event may
    hold, and how ids and texts compare, says ``docs/reference/events.md``; a store keeps all of it.

    Every call may raise ``StoreUnavailableError`` (try again later) or ``StoreError`` (trying again
    will not help).
    """

    engine: str
    """The kind of store in a word, for people: ``sqlite``, ``mongodb``, ``memory``."""

    location: str
    """Where the data lie, for people. Never holds a password."""

    @property
    def readable_at(self) -> str | None:
        """A URL at which other processes of this machine may read the same events, if they can."""
        return None

    def append(self, events: Sequence[StoredEvent]) -> list[AppendOutcome]:
        """Keep the events, and return once they are on disk.

        When it raises, nothing was kept, or on an engine without transactions some of the events: the
        same call again keeps the rest and finds the others to be duplicates.

        One outcome per event, in order. An event whose id is stored already, or came earlier in the
        same call, is a duplicate: what is stored stays as it was, except that ``alert`` is raised
        when the duplicate carries it and the stored event does not.
        """
        ...

    def get(self, event_id: str) -> StoredEvent | None:
        """Return the event with this id, archived or not, or ``None``."""
        ...

    def count(self) -> int:
        """Return how many events are stored, in constant time."""
        ...

    def fence(self) -> Position:
        """Return a position behind all whose append returned before, for ``Query`` and ``Tally``.

        What is appended later is beyond it. It may ask the database: where several servers write, the
        head may not know of what another one has acknowledged just now.
        """
        return self.head()

    def archive(self, event_ids: Sequence[str], at: int) -> int:
        """Mark the events as archived at a time, durably; return how many were not yet archived.

        Ids that are not stored are passed over.
        """
        ...

    def delete(self, event_ids: Sequence[str]) -> int:
        """Remove for good those of the events that are archived; return how many."""
        ...

    def check(self) -> None:
        """Return if the store can be read; raise a ``StoreError`` that says why not."""
        ...

    def close(self) -> None:
        """Release everything. Further calls raise ``StoreError``; closing again does nothing."""
        ...

    def probe(self) -> None:
        """Return if events would be kept now, as far as something tiny, written durably, can tell.

        Nobody sees it, and nothing grows by it. Waits while the store is busy. An engine that cannot
        tell looks whether it can be read.
        """
        self.check()

    @property
    def is_checked(self) -> bool:
        """Whether opening has looked for damage; else ``verify`` is to be called soon."""
        return True

    @property
    def damage(self) -> str | None:
        """What is damaged beyond single events and indexes, and what to do about it, as sentences."""
        return None

    @property
    def damaged_events(self) -> int:
        """How many events are known not to be what was written; every answer passes over them."""
        return 0

    def note_damage(self, found: Sequence[Damage]) -> None:
        """Keep in mind what a process met that reads the store at ``readable_at``; say it once.

        Where no other process reads, nobody meets any.
        """
        del found

    def space(self) -> Space | None:
        """Return the room on the disk of the store, in constant time; ``None`` where it cannot tell."""
        return None

    def troubles(self) -> list[str]:
        """Return a sentence for each thing that is not as it should be, though the store works.

        Such as acknowledged events that this start did not find again. Constant time, no waiting.
        """
        return []
