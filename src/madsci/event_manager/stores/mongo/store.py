"""The store for labs that outgrow one machine: a collection on a MongoDB server."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import pymongo

from madsci.common.clock import iso
from madsci.common.errors import StoreDamagedError, StoreError
from madsci.event_manager.model.budget import UNLIMITED, Budget
from madsci.event_manager.model.feed import Entries, Position
from madsci.event_manager.model.query import Page, Query
from madsci.event_manager.model.selector import EVERYTHING, Selector
from madsci.event_manager.model.stored_event import StoredEvent
from madsci.event_manager.model.tables import FOLLOWERS, Change, Step, check_size
from madsci.event_manager.model.tally import Count, Tally
from madsci.event_manager.stores.base import AppendOutcome, EventStore, Space
from madsci.event_manager.stores.mongo import counting, tables, turns
from madsci.event_manager.stores.mongo.appending import Appender
from madsci.event_manager.stores.mongo.codec import NO_EVENT, to_event
from madsci.event_manager.stores.mongo.connection import (
    connect,
    database_of,
    is_mongodb,
    masked,
)
from madsci.event_manager.stores.mongo.faults import translated
from madsci.event_manager.stores.mongo.feed import Feed
from madsci.event_manager.stores.mongo.finding import Events
from madsci.event_manager.stores.mongo.lane_keeper import LaneKeeper
from madsci.event_manager.stores.mongo.lanes import OwnLane
from madsci.event_manager.stores.mongo.passing_over import PassedOver
from madsci.event_manager.stores.mongo.presence import SERVERS, Presence
from madsci.event_manager.stores.mongo.restoring import finish_interrupted_restore
from madsci.event_manager.stores.mongo.versions import check_version
from madsci.event_manager.stores.tallying import tallied

_CHECK_SECONDS: Final = 1.0
"""How long a database may take to show that it is there; who asks how the server is waits as long."""
_IDS_AT_ONCE: Final = 10_000
"""Ids in one command: 2.5 MB at most, of the 16 MB that a command may have."""


class MongoStore(EventStore):
    """Keeps events in one collection, each append one bulk insert that most members have on disk.

    Any number of servers may share the database. Opening it makes what is missing in a fresh database.

    Raises:
        SettingsError: the URL is not one of MongoDB's.
        SchemaVersionError: the database has another version, or does not say which; see ``versions``.
        StoreInUseError: the database is being migrated or restored.
        StoreUnavailableError: no server answers.
    """

    engine = "mongodb"

    def __init__(
        self, url: str, *, database: str = "madsci_events", collection: str = "events"
    ) -> None:
        self.location = f"{database}.{collection} at {masked(url)}"
        self._client = connect(url)
        self._database = database_of(self._client, database, collection)
        self.collection = self._database[collection]
        self._shown_url = masked(url)
        server = f"{SERVERS}{turns.new_holder()}"
        self._presence = Presence(self._database, self.location, server, self._return)
        self._passed_over = PassedOver(self.location)
        self._closed = False
        try:
            with translated(self.location):
                self._events = Events(self.collection, is_mongodb(self._client), self._passed_over)
                self._feed = Feed(self._database, self._events)
                self._lane = OwnLane(self._database, server)
                self._appender = Appender(
                    self._database, self.collection, self._lane, decimals=self._events.is_mongodb
                )
                self._keeper = LaneKeeper(self._database, self.collection, self._lane, server)
                self._presence.start()
                self._take_up()
                self._keeper.start()
        except StoreError:
            self._presence.close()
            self._client.close()
            raise

    def _take_up(self) -> None:
        """Bring the database into order; raises if it is not of this version."""
        finish_interrupted_restore(self._database)
        check_version(self._database, self.location, self._shown_url, self.collection.name)

    def _return(self) -> None:
        """Go on after others may have taken this server for gone."""
        self._take_up()
        self._appender.leave_lane()

    def append(self, events: Sequence[StoredEvent]) -> list[AppendOutcome]:
        """Keep the events in one bulk insert; see ``EventStore``.

        Where the server refuses one of them, the others are kept nevertheless.
        """
        with self._writing():
            outcomes = self._appender.append(events)
        self._keeper.wake()
        return outcomes

    def head(self) -> Position:
        """Return the position at the heads of all lanes, as far as they were seen; see ``EventLog``."""
        return self._keeper.head()

    def since(
        self,
        position: Position,
        limit: int,
        until: Position | None = None,
        selector: Selector = EVERYTHING,
        budget: Budget = UNLIMITED,
    ) -> Entries:
        """Return what follows a position; see ``FeedReader``."""
        with self._using():
            return self._feed.since(position, limit, self._lane.heads(), until, selector, budget)

    def before(self, event_ids: Sequence[str]) -> Position:
        """Return the last position before events; see ``FeedReader``."""
        with self._using():
            return self._feed.before(event_ids, self.head())

    def before_time(self, time: int, budget: Budget = UNLIMITED) -> Position:
        """Return the last position before what happened from a time on; see ``FeedReader``."""
        with self._using():
            return self._feed.before_time(time, self.head(), budget)

    def get(self, event_id: str) -> StoredEvent | None:
        """Return the event with this id, or ``None``."""
        with self._using():
            return self._get(event_id)

    def _get(self, event_id: str) -> StoredEvent | None:
        found = self.collection.find_one({"_id": event_id})
        try:
            return None if found is None else to_event(found)
        except NO_EVENT as error:
            reason = self._passed_over.note(event_id, error)
            raise StoreDamagedError(
                f"The document {event_id!r:.300} in {self.location} is no event: {reason} It is there"
                " as it was; the migration tool puts it aside."
            ) from error

    def find(self, query: Query) -> Page:
        """Return the events that match; see ``EventReader``."""
        with self._using():
            return self._up_to(query.fence).find(query)

    def tally(self, tallies: Sequence[Tally]) -> list[list[Count]]:
        """Count the events that match; see ``EventReader``.

        MongoDB has no moment that several questions share; each tally has its own.
        """
        with self._using():
            return [self._tally(tally, self._up_to(tally.fence)) for tally in tallies]

    def _up_to(self, fence: Position | None) -> Events:
        return self._events if fence is None else self._feed.up_to(fence)

    def _tally(self, tally: Tally, events: Events) -> list[Count]:
        condition, left = events.asked(tally.selector)
        if left is not None or not events.is_mongodb:
            return tallied(events.matching(tally.selector, tally.budget), tally)
        groups = self.collection.aggregate(
            counting.pipeline(condition, tally),
            allowDiskUse=True,
            maxTimeMS=tally.budget.milliseconds(),
        )
        return counting.counts(list(groups), tally)

    def count(self) -> int:
        """Return how many events are stored, as the collection's metadata say it."""
        with self._using():
            return self.collection.estimated_document_count()

    def read(self, table: str, key: str) -> str | None:
        """Return a small document; see ``Tables``."""
        # A follower's place may have a step to be made to its end.
        with self._writing() if table == FOLLOWERS else self._using():
            return tables.read(self._database, table, key)

    def scan(
        self, table: str, prefix: str = "", after: str | None = None, limit: int = 1_000
    ) -> list[tuple[str, str]]:
        """Return small documents in order; see ``Tables``."""
        with self._using():
            return tables.scan(self._database, table, prefix, after, limit)

    def apply(self, changes: Sequence[Change], step: Step | None = None) -> bool:
        """Make changes of small documents; see ``Tables``."""
        check_size(changes)
        with self._writing():
            return tables.apply(self._database, changes, step)

    def fence(self) -> Position:
        """Return a position behind all that is there; see ``EventStore``."""
        with self._using():
            return self._feed.end(self.head())

    def archive(self, event_ids: Sequence[str], at: int) -> int:
        """Mark the events as archived; see ``EventStore``."""
        mark = {"$set": {"archived": True, "archived_at": iso(at)}}
        with self._writing():
            return sum(
                self.collection.update_many(
                    {"_id": {"$in": chunk}, "archived": {"$ne": True}}, mark
                ).modified_count
                for chunk in _chunks(event_ids)
            )

    def delete(self, event_ids: Sequence[str]) -> int:
        """Remove those of the events that are archived; see ``EventStore``."""
        with self._writing():
            return sum(
                self.collection.delete_many({"_id": {"$in": chunk}, "archived": True}).deleted_count
                for chunk in _chunks(event_ids)
            )

    def hold(self, name: str, holder: str, seconds: float) -> bool:
        """Take or keep a lease by the clock of the database server; see ``Leases``."""
        with self._writing():
            return turns.hold(self._database, f"{turns.LEASE}{name}", holder, seconds)

    def let_go(self, name: str, holder: str) -> None:
        """End a lease; see ``Leases``."""
        with self._writing():
            turns.let_go(self._database, f"{turns.LEASE}{name}", holder)

    @property
    def damaged_events(self) -> int:
        """How many documents were met that are no events; see ``EventStore``."""
        return self._passed_over.number

    def check(self) -> None:
        """Return if the collection can be read, within a second."""
        with self._using(), pymongo.timeout(_CHECK_SECONDS):
            self.collection.find_one({}, projection={"_id": 1})

    def probe(self) -> None:
        """Say in the database that the server is there, which most members have then on disk."""
        with self._using():
            self._presence.renew()

    def space(self) -> Space | None:
        """Return the room on the disk of the member that answers, where the server tells it."""
        with self._using():
            stats = self._database.command("dbStats")
        total = int(stats.get("fsTotalSize") or 0)
        if not total:
            return None
        used = int(stats.get("storageSize") or 0) + int(stats.get("indexSize") or 0)
        return Space(total - int(stats.get("fsUsedSize") or 0), total, used)

    def troubles(self) -> list[str]:
        """Return why nothing is written, where somebody else has the database for himself."""
        trouble = self._presence.trouble()
        return [] if trouble is None else [trouble]

    def close(self) -> None:
        """Tell other servers that this one has gone, and end the connections."""
        if not self._closed:
            self._closed = True
            self._keeper.close()
            self._presence.close()
            self._client.close()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with self._using():
            self._presence.confirm()
            yield

    def _using(self) -> Any:
        if self._closed:
            raise StoreError("The store is closed.")
        return translated(self.location)


def _chunks(event_ids: Sequence[str]) -> Iterator[list[str]]:
    for start in range(0, len(event_ids), _IDS_AT_ONCE):
        yield list(event_ids[start : start + _IDS_AT_ONCE])
