"""The store for labs that outgrow one machine: a collection on a MongoDB server."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final

import pymongo
from bson.raw_bson import RawBSONDocument
from pymongo import ReturnDocument
from pymongo.errors import BulkWriteError, PyMongoError

from madsci.common.clock import iso, now_us
from madsci.common.errors import StoreDamagedError, StoreError
from madsci.event_manager.model.budget import Budget
from madsci.event_manager.model.query import JsonPage, Page, Query
from madsci.event_manager.model.selector import And, Compare, Selector
from madsci.event_manager.model.stored_event import StoredEvent
from madsci.event_manager.model.tally import Count, Tally
from madsci.event_manager.stores.base import AppendOutcome, Damage, Disposition, Space
from madsci.event_manager.stores.mongo import counting, turns
from madsci.event_manager.stores.mongo.codec import NO_EVENT, reduced, to_bson, to_event
from madsci.event_manager.stores.mongo.connection import (
    connect,
    database_of,
    is_mongodb,
    masked,
)
from madsci.event_manager.stores.mongo.faults import is_temporary, translated
from madsci.event_manager.stores.mongo.finding import Events
from madsci.event_manager.stores.mongo.passing_over import PassedOver
from madsci.event_manager.stores.mongo.presence import SERVERS, Presence
from madsci.event_manager.stores.mongo.restoring import finish_interrupted_restore
from madsci.event_manager.stores.mongo.selecting import split
from madsci.event_manager.stores.mongo.versions import check_version
from madsci.event_manager.stores.tallying import tallied

_DUPLICATE_KEY: Final = 11000
_CHECK_SECONDS: Final = 1.0
"""How long a database may take to show that it is there; who asks how the server is waits as long."""
_IDS_AT_ONCE: Final = 10_000
"""Ids in one command: 2.5 MB at most, of the 16 MB that a command may have."""


class MongoStore:
    """Keeps events in one collection, each append one bulk insert that most members have on disk.

    Any number of servers may share the database. Opening it makes what is missing in a fresh database.

    Raises:
        SettingsError: the URL is not one of MongoDB's.
        SchemaVersionError: the database has another version, or does not say which; see ``versions``.
        StoreInUseError: the database is being migrated or restored.
        StoreUnavailableError: no server answers.
    """

    engine = "mongodb"
    readable_at = None
    """Questions are asked from threads of the server, since it is the database that works on them."""

    def __init__(
        self, url: str, *, database: str = "madsci_events", collection: str = "events"
    ) -> None:
        self.location = f"{database}.{collection} at {masked(url)}"
        self._client = connect(url)
        self._database = database_of(self._client, database, collection)
        self.collection = self._database[collection]
        self._shown_url = masked(url)
        self._presence = Presence(
            self._database, self.location, f"{SERVERS}{turns.new_holder()}", self._take_up
        )
        self._passed_over = PassedOver(self.location)
        self._closed = False
        try:
            with translated(self.location):
                self._events = Events(self.collection, is_mongodb(self._client), self._passed_over)
                self._presence.start()
                self._take_up()
        except StoreError:
            self._presence.close()
            self._client.close()
            raise

    def _take_up(self) -> None:
        """Bring the database into order; raises if it is not of this version."""
        finish_interrupted_restore(self._database)
        check_version(self._database, self.location, self._shown_url, self.collection.name)

    def append(self, events: Sequence[StoredEvent]) -> list[AppendOutcome]:
        """Keep the events in one bulk insert; see ``EventStore``.

        Where the server refuses one of them, the others are kept nevertheless.
        """
        with self._writing():
            first: dict[str, int] = {}
            for place, event in enumerate(events):
                first.setdefault(event.event_id, place)
            duplicates = self._insert({event_id: events[place] for event_id, place in first.items()})
            outcomes: list[AppendOutcome | None] = [None] * len(events)
            repeated: list[int] = []
            for place, event in enumerate(events):
                if first[event.event_id] == place and event.event_id not in duplicates:
                    outcomes[place] = AppendOutcome(Disposition.STORED, event)
                else:
                    repeated.append(place)
            if repeated:
                self._tell_duplicates(events, repeated, outcomes)
        return [outcome for outcome in outcomes if outcome is not None]

    def _insert(self, events: dict[str, StoredEvent]) -> set[str]:
        """Insert the events; return the ids of those that were there before."""
        ids = list(events)
        failed = self._insert_many(
            [to_bson(event, decimals=self._events.is_mongodb) for event in events.values()]
        )
        duplicates = {ids[place] for place, code in failed.items() if code == _DUPLICATE_KEY}
        # What a server refuses as it is, it takes as text. What it refuses then, too, is an error.
        refused = [ids[place] for place, code in failed.items() if code != _DUPLICATE_KEY]
        if refused:
            again = self._insert_many([reduced(events[event_id]) for event_id in refused], final=True)
            duplicates.update(refused[place] for place in again)
        return duplicates

    def _insert_many(self, documents: list[bytes], *, final: bool = False) -> dict[int, int]:
        """Insert documents in any order; return the code of each that was refused, by its place."""
        if not documents:
            return {}
        try:
            self.collection.insert_many(
                [RawBSONDocument(document) for document in documents], ordered=False
            )
        except BulkWriteError as error:
            details: Any = error.details or {}
            codes = {int(one["index"]): int(one["code"]) for one in details["writeErrors"]}
            if is_temporary(error) or (final and set(codes.values()) != {_DUPLICATE_KEY}):
                raise
            return codes
        return {}

    def _tell_duplicates(
        self,
        events: Sequence[StoredEvent],
        repeated: list[int],
        outcomes: list[AppendOutcome | None],
    ) -> None:
        stored = self._stored({events[place].event_id for place in repeated})
        for place in repeated:
            event = events[place]
            disposition = Disposition.DUPLICATE
            known = stored.get(event.event_id)
            if event.alert and known is not None and not known.alert:
                raised = self.collection.find_one_and_update(
                    {"_id": event.event_id, "alert": {"$ne": True}},
                    {"$set": {"alert": True}},
                    return_document=ReturnDocument.AFTER,
                )
                if raised is not None:
                    disposition = Disposition.ALERT_RAISED
                known = to_event(raised) if raised is not None else self._get(event.event_id)
            if known is None:
                raise StoreError(f"The stored event {event.event_id} cannot be found again.")
            stored[event.event_id] = known
            outcomes[place] = AppendOutcome(disposition, known)

    def _stored(self, event_ids: Iterable[str]) -> dict[str, StoredEvent]:
        found = self.collection.find({"_id": {"$in": list(event_ids)}})
        return {event.event_id: event for event in map(to_event, found)}

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
            return self._events.find(replace(query, selector=_fenced(query.selector, query.fence)))

    def find_json(self, query: Query) -> JsonPage:
        """Return the events that match as JSON; see ``EventReader``."""
        return self.find(query).as_json()

    def tally(self, tallies: Sequence[Tally]) -> list[list[Count]]:
        """Count the events that match; see ``EventReader``.

        MongoDB has no moment that several questions share; each tally has its own.
        """
        with self._using():
            return [
                self._tally(replace(tally, selector=_fenced(tally.selector, tally.fence)))
                for tally in tallies
            ]

    def _tally(self, tally: Tally) -> list[Count]:
        condition, left = split(tally.selector, all_of_it=self._events.is_mongodb)
        if left is not None or not self._events.is_mongodb:
            return tallied(self._events.matching(tally.selector, tally.budget), tally)
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

    def fence(self) -> int:
        """Return the present: servers that share a database have no order of commits, but clocks.

        What a server with a fast clock received lies behind it, as what was imported from one.
        """
        return now_us()

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

    def take_turn(self, task: str, slot: str, holder: str, seconds: float, horizon: str) -> bool:
        """Reserve a task among all servers of the database; see ``EventStore``."""
        with self._writing():
            return turns.take_turn(self._database, task, slot, holder, seconds=seconds, horizon=horizon)

    def last_done(self, task: str) -> str | None:
        """Return the slot for which a task was done last."""
        with self._using():
            return turns.last_done(self._database, task)

    def give_back_turn(self, task: str, holder: str, done: str | None) -> None:
        """End the holder's turn; see ``EventStore``."""
        with self._writing():
            turns.give_back_turn(self._database, task, holder, done)

    def remember(self, key: str, value: str) -> str:
        """Keep a fact the first time it is given; return the one that is kept."""
        with self._writing():
            facts = self._database["facts"]
            try:
                facts.insert_one({"_id": key, "value": value})
            except PyMongoError as error:
                kept = facts.find_one({"_id": key})
                if kept is None:
                    raise error from None
                return str(kept["value"])
            return value

    def facts(self) -> dict[str, str]:
        """Return everything that ``remember`` has kept."""
        with self._using():
            return {str(one["_id"]): str(one["value"]) for one in self._database["facts"].find()}

    is_checked = True
    damage = None

    @property
    def damaged_events(self) -> int:
        """How many documents were met that are no events; see ``EventStore``."""
        return self._passed_over.number

    def verify(self, place: int | None, budget: Budget) -> None:
        """Do nothing; see ``EventReader``."""

    def note_damage(self, found: Sequence[Damage]) -> None:
        """Do nothing: nobody else reads what this store keeps, and so nobody meets damage."""

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


def _fenced(selector: Selector, fence: int | None) -> Selector:
    if fence is None:
        return selector
    return And((selector, Compare(("received_at",), "$lte", fence)))


def _chunks(event_ids: Sequence[str]) -> Iterator[list[str]]:
    for start in range(0, len(event_ids), _IDS_AT_ONCE):
        yield list(event_ids[start : start + _IDS_AT_ONCE])
