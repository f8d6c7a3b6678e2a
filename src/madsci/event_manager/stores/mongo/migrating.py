"""The steps from a database of releases 0.3 to 0.8.1 to ours. Each may be killed and run again.

Documents are brought into the form of ``codec`` in place: times as text of fixed width, ids as text,
missing members with their defaults, unknown ones under ``extra``. One that has this form is left alone,
which is how a step that was interrupted goes on.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import tzinfo
from typing import Any, Final

import bson
from bson.raw_bson import RawBSONDocument
from pymongo import ReplaceOne
from pymongo.errors import BulkWriteError, CursorNotFound, DuplicateKeyError

from madsci.common.errors import InvalidEventError
from madsci.event_manager.model.stored_event import StoredEvent
from madsci.event_manager.stores.mongo.codec import OPTIONS, reduced, to_bson, to_event
from madsci.event_manager.stores.mongo.connection import Collection, Database, Document
from madsci.event_manager.stores.mongo.faults import is_temporary
from madsci.event_manager.stores.mongo.schema import Schema, ensure_indexes
from madsci.event_manager.stores.upkeep import Progress, Step

UNREADABLE: Final = "unreadable_events"
"""Documents that cannot be read as events, kept as they are."""

_AT_ONCE: Final = 500
_SUPERSEDED: Final = {
    "event_timestamp_1": [("event_timestamp", 1)],
    "log_level_1": [("log_level", 1)],
    "archived_1": [("archived", 1)],
    "archived_1_archived_at_1": [("archived", 1), ("archived_at", 1)],
}
"""Indexes that earlier releases made, and others take the place of."""


class Migration:
    """The steps for one collection of events. Raises the driver's errors."""

    def __init__(
        self, database: Database, events: str, schema: Schema, zone: tzinfo | None, *, decimals: bool
    ) -> None:
        self._database = database
        self._events = database[events]
        self._schema = schema
        self._zone = zone
        self._decimals = decimals

    def steps(self) -> list[Step]:
        """Return the steps in their order; what deletes events comes to an end first."""
        return [
            Step(
                "stop expiry",
                "drop indexes that make the database delete events by itself",
                lambda _: len(self._expiring()),
                lambda _: self._drop(self._expiring()),
            ),
            Step(
                "normalise events",
                "times, ids and missing members of old documents, in place",
                lambda progress: sum(1 for _ in self._odd(progress)),
                self._normalise,
            ),
            Step(
                "replace indexes",
                "make the indexes of this version, drop those they take the place of",
                lambda _: len(self._superseded()) + len(self._missing()),
                self._index,
            ),
        ]

    def _expiring(self) -> list[str]:
        return [one["name"] for one in self._events.list_indexes() if "expireAfterSeconds" in one]

    def _superseded(self) -> list[str]:
        return [
            one["name"]
            for one in self._events.list_indexes()
            if _SUPERSEDED.get(one["name"]) == list(one["key"].items())
        ]

    def _missing(self) -> list[str]:
        there = {one["name"] for one in self._events.list_indexes()}
        wanted = self._schema.indexes_of(self._events.name, is_mongodb=self._decimals)
        return [one.name for one in wanted if one.name not in there]

    def _drop(self, names: list[str]) -> int:
        for name in names:
            self._events.drop_index(name)
        return len(names)

    def _index(self, _: Progress) -> int:
        before = len(self._missing())
        ensure_indexes(self._database, self._schema, self._events.name)
        return before - len(self._missing()) + self._drop(self._superseded())

    def _normalise(self, progress: Progress) -> int:
        changed = 0
        waiting: list[tuple[Any, StoredEvent]] = []
        for document, event in self._odd(progress):
            changed += 1
            if event is None:
                _move(document, self._events, self._database[UNREADABLE])
            elif not isinstance(document["_id"], str):
                self._rename(document["_id"], event)
            else:
                waiting.append((document["_id"], event))
                if len(waiting) == _AT_ONCE:
                    self._replace(waiting)
                    waiting = []
        self._replace(waiting)
        return changed

    def _odd(self, progress: Progress) -> Iterator[tuple[Document, StoredEvent | None]]:
        """Yield documents that have another form than ours, with the event that they mean."""
        number, whole = 0, self._events.estimated_document_count()
        while True:
            try:
                for document in self._events.find({}, batch_size=_AT_ONCE):
                    number += 1
                    if number % _AT_ONCE == 0:
                        progress("events", min(number, whole), whole)
                    event = self._event(document)
                    if event is None or not self._is_ours(document, event):
                        yield document, event
            except (
                CursorNotFound
            ):  # a cursor lives half an hour; what is done is left alone from now on
                number = 0
            else:
                return

    def _event(self, document: Document) -> StoredEvent | None:
        try:
            return to_event(document, self._zone)
        except InvalidEventError:
            return None

    def _is_ours(self, document: Document, event: StoredEvent) -> bool:
        made = bson.decode(to_bson(event, decimals=self._decimals), OPTIONS)
        if _canonical(made) == _canonical(document):
            return True
        return "exact" in document and _canonical(bson.decode(reduced(event), OPTIONS)) == _canonical(
            document
        )

    def _replace(self, pairs: list[tuple[Any, StoredEvent]]) -> None:
        if not pairs:
            return
        requests = [
            ReplaceOne({"_id": key}, _raw(to_bson(event, decimals=self._decimals)))
            for key, event in pairs
        ]
        try:
            self._events.bulk_write(requests, ordered=False)
        except BulkWriteError as error:
            if is_temporary(error):
                raise
            for refused in (error.details or {}).get("writeErrors", []):
                key, event = pairs[refused["index"]]
                self._events.replace_one({"_id": key}, _raw(reduced(event)))

    def _rename(self, key: Any, event: StoredEvent) -> None:
        """Give an event an id that is text: first the new document, then away with the old one."""
        name = event.event_id
        while True:
            named = StoredEvent(name, *[getattr(event, one) for one in _OTHER_MEMBERS])
            try:
                self._events.insert_one(_raw(to_bson(named, decimals=self._decimals)))
            except DuplicateKeyError:
                there = self._events.find_one({"_id": name})
                if there is None or to_event(there, self._zone) != named:
                    name += "~"  # another event has that id: both are kept
                    continue
            self._events.delete_one({"_id": key})
            return


_OTHER_MEMBERS: Final = StoredEvent.__struct_fields__[1:]


def _raw(document: bytes) -> Any:
    return RawBSONDocument(document)


def _move(document: Document, source: Collection, target: Collection) -> None:
    target.replace_one({"_id": document["_id"]}, document, upsert=True)
    source.delete_one({"_id": document["_id"]})


def _canonical(document: Document) -> str:
    """Return a text that tells documents apart by members and types, and not by the members' order."""
    return json.dumps(document, sort_keys=True, default=repr)
