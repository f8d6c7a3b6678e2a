"""Writing events into a collection, each once, and giving them their places in the feed."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from typing import Any

from bson.raw_bson import RawBSONDocument
from pymongo import ReturnDocument
from pymongo.errors import BulkWriteError, PyMongoError

from madsci.common.errors import StoreError
from madsci.event_manager.model.stored_event import StoredEvent
from madsci.event_manager.stores.base import AppendOutcome, Disposition
from madsci.event_manager.stores.mongo.codec import Place, reduced, to_bson, to_event
from madsci.event_manager.stores.mongo.connection import Collection, Database
from madsci.event_manager.stores.mongo.faults import DUPLICATE_KEY, refusals
from madsci.event_manager.stores.mongo.lanes import (
    RAISED_LANE,
    RAISED_NUMBER,
    OwnLane,
    note_unused,
)


class Appender:
    """Writes for one server, one batch at a time. Raises the driver's errors, and ``StoreError``."""

    def __init__(
        self, database: Database, collection: Collection, lane: OwnLane, *, decimals: bool
    ) -> None:
        self._database = database
        self._collection = collection
        self._decimals = decimals
        self._lock = threading.Lock()
        self._lane = lane

    def append(self, events: Sequence[StoredEvent]) -> list[AppendOutcome]:
        """Keep the events in one bulk insert; see ``EventStore``.

        Where the server refuses one of them, the others are kept nevertheless.
        """
        with self._lock:
            try:
                outcomes = self._append(events)
            except (PyMongoError, StoreError):
                self._lane.leave()
                raise
            self._lane.acknowledge()
            return outcomes

    def leave_lane(self) -> None:
        """Go on in another lane: this one may have been ended meanwhile."""
        with self._lock:
            self._lane.leave()

    def _append(self, events: Sequence[StoredEvent]) -> list[AppendOutcome]:
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
        if not events:
            return set()
        lane, number = self._lane.take(len(events))
        places = {event_id: Place(lane, at) for at, event_id in enumerate(events, number)}
        ids = list(events)
        failed = self._insert_many(
            [to_bson(one, places[key], decimals=self._decimals) for key, one in events.items()]
        )
        duplicates = {ids[at] for at, code in failed.items() if code == DUPLICATE_KEY}
        # What a server refuses as it is, it takes as text. What it refuses then, too, is an error.
        refused = [ids[at] for at, code in failed.items() if code != DUPLICATE_KEY]
        if refused:
            again = self._insert_many(
                [reduced(events[one], places[one]) for one in refused], final=True
            )
            duplicates.update(refused[at] for at in again)
        self._give_back(lane, number, [places[one].number for one in ids if one not in duplicates])
        return duplicates

    def _give_back(self, lane: str, first: int, used: list[int]) -> None:
        """Take back the numbers of duplicates, or note that nothing has them."""
        last = used[-1] if used else first - 1
        self._lane.give_back_behind(last)
        note_unused(self._database, lane, first - 1, used)

    def _insert_many(self, documents: list[bytes], *, final: bool = False) -> dict[int, int]:
        """Insert documents in any order; return the code of each that was refused, by its place."""
        if not documents:
            return {}
        try:
            self._collection.insert_many(
                [RawBSONDocument(document) for document in documents], ordered=False
            )
        except BulkWriteError as error:
            codes = refusals(error)
            if final and set(codes.values()) != {DUPLICATE_KEY}:
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
                raised = self._raise_alert(event.event_id)
                if raised is not None:
                    disposition = Disposition.ALERT_RAISED
                known = to_event(raised) if raised is not None else self._get(event.event_id)
            if known is None:
                raise StoreError(f"The stored event {event.event_id} cannot be found again.")
            stored[event.event_id] = known
            outcomes[place] = AppendOutcome(disposition, known)

    def _raise_alert(self, event_id: str) -> Any:
        """Make an event an alert, with a place in the feed; return it, or ``None`` if it is one."""
        lane, number = self._lane.take(1)
        raised = self._collection.find_one_and_update(
            {"_id": event_id, "alert": {"$ne": True}},
            {"$set": {"alert": True, RAISED_LANE: lane, RAISED_NUMBER: number}},
            return_document=ReturnDocument.AFTER,
        )
        if raised is None:  # another server did it first
            self._lane.give_back_behind(number - 1)
        return raised

    def _get(self, event_id: str) -> StoredEvent | None:
        found = self._collection.find_one({"_id": event_id})
        return None if found is None else to_event(found)

    def _stored(self, event_ids: Iterable[str]) -> dict[str, StoredEvent]:
        found = self._collection.find({"_id": {"$in": list(event_ids)}})
        return {event.event_id: event for event in map(to_event, found)}
