"""Bringing documents of other releases into the form of ``codec``, in place.

Times become text of fixed width, ids text; missing members get their defaults, unknown ones go under
``extra``. A document that has this form is left alone, which is how a run that was killed goes on, and
how one after another release was at work finds what is left.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from datetime import tzinfo
from typing import Any, Final, NamedTuple

import bson
import msgspec
from bson import Binary
from bson.raw_bson import DEFAULT_RAW_BSON_OPTIONS, RawBSONDocument
from pymongo import DeleteOne, ReplaceOne
from pymongo.errors import BulkWriteError, CursorNotFound, DuplicateKeyError, WriteError

from madsci.common.errors import StoreError
from madsci.event_manager.model.stored_event import StoredEvent
from madsci.event_manager.stores.mongo.codec import (
    MAX_DOCUMENT,
    NO_EVENT,
    OPTIONS,
    reduced,
    to_bson,
    to_event,
)
from madsci.event_manager.stores.mongo.connection import Collection, Document
from madsci.event_manager.stores.mongo.faults import is_temporary
from madsci.event_manager.stores.mongo.lanes import PLACES
from madsci.event_manager.stores.mongo.schema import UNREADABLE
from madsci.event_manager.stores.upkeep import Progress

RENAMED: Final = "__renamed"
"""Ends the name of the collection in which events lie while their ids are changed."""

_READ_AT_ONCE: Final = 500
_CHANGED_AT_ONCE: Final = 50
"""Documents changed in one request. FerretDB 1.24 stands still for ever beyond some sixty of them."""
_BYTES_AT_ONCE: Final = 8 * 1024 * 1024
_ROOM: Final = MAX_DOCUMENT - 64 * 1024
"""Bytes of a document that can lie aside, beside what is said about it there."""
_PASSES: Final = 4
"""How often the events are gone through until there is nothing left to change."""


class _Odd(NamedTuple):
    """A document that has another form than ours, and the event it means, if it is one."""

    key: Any
    document: RawBSONDocument
    event: StoredEvent | None

    @property
    def is_renamed(self) -> bool:
        """Whether the event gets another id than its document has: text, and not empty."""
        return self.event is not None and self.key != self.event.event_id


class Normalisation:
    """Changes the documents of one collection. Raises the driver's errors.

    ``zone`` is the zone of times without an offset, by default that of this machine; ``decimals`` says
    whether the server knows BSON's decimal numbers.
    """

    def __init__(self, events: Collection, zone: tzinfo | None, *, decimals: bool) -> None:
        self._events = events
        self._aside = events.database[events.name + RENAMED]
        self._zone = zone
        self._decimals = decimals
        self.unreadable = 0
        """Of the documents that were counted or changed last, those that are no events."""
        self.to_be_moved = 0
        """Of those, the ones that are still among the events."""

    def pending(self, progress: Progress) -> int:
        """Return how many documents would be changed."""
        self.unreadable = 0
        number = self._aside.estimated_document_count()
        for odd in self._odd(progress):
            number += 1
            self.unreadable += odd.event is None
        self.to_be_moved = self.unreadable
        return number

    def run(self, progress: Progress) -> int:
        """Change what is to be changed; return how many documents that were.

        Raises:
            StoreError: there are always more of them, since somebody goes on to write them.
        """
        self.unreadable = self.to_be_moved = 0
        changed = self._finish_renaming()
        for _ in range(_PASSES):
            number = self._pass(progress)
            changed += number
            if not number:
                self._aside.drop()
                return changed
        raise StoreError(
            f"Events of an older form keep arriving in {self._events.full_name}: an Event Manager of"
            " another release works with the database. Stop it and migrate again."
        )

    def _pass(self, progress: Progress) -> int:
        changed = size = 0
        renamed: list[_Odd] = []
        replaced: list[_Odd] = []
        for odd in self._odd(progress):
            changed += 1
            if odd.event is None:
                self._move(odd)
                self.unreadable += 1
                continue
            (renamed if odd.is_renamed else replaced).append(odd)
            size += len(odd.document.raw)
            if len(renamed) + len(replaced) == _CHANGED_AT_ONCE or size > _BYTES_AT_ONCE:
                self._rename(renamed)
                self._replace(replaced)
                renamed, replaced, size = [], [], 0
        self._rename(renamed)
        self._replace(replaced)
        return changed

    def _odd(self, progress: Progress) -> Iterator[_Odd]:
        """Yield the documents that have another form than ours."""
        # As they stand, since what cannot be read is to be kept like that.
        raw = self._events.with_options(codec_options=DEFAULT_RAW_BSON_OPTIONS)
        number, whole = 0, self._events.estimated_document_count()
        while True:
            try:
                for document in raw.find({}, batch_size=_READ_AT_ONCE):
                    number += 1
                    if number % _CHANGED_AT_ONCE == 0:  # between two changes; see upkeep.Progress
                        progress("events", min(number, whole), whole)
                    odd = self._read(document)
                    if odd is not None:
                        yield odd
            except CursorNotFound:  # one lives half an hour; what is changed is left alone from now on
                number = 0
            else:
                return

    def _read(self, raw: RawBSONDocument) -> _Odd | None:
        document = _decoded(bytes(raw.raw))
        key = document["_id"]
        if key is None or key == "":  # has no text of its own, and needs the same one in each run
            document = {**document, "_id": document.get("event_id") or f"unnamed-{type(key).__name__}"}
        try:
            event = to_event(document, self._zone)
            made = to_bson(event, decimals=self._decimals)
        except NO_EVENT:
            return _Odd(key, raw, None)
        if isinstance(key, str) and _is_ours(document, event, made):
            return None
        # Values that JSON does not have may need more room than a document has.
        return _Odd(key, raw, event if len(made) <= _ROOM else None)

    def _replace(self, found: list[_Odd]) -> None:
        if not found:
            return
        try:
            self._events.bulk_write(
                [ReplaceOne({"_id": odd.key}, self._raw(odd.event)) for odd in found], ordered=False
            )
        except (BulkWriteError, KeyError) as error:
            # The driver stumbles (KeyError) over how some servers tell that they refuse a document.
            if isinstance(error, BulkWriteError) and is_temporary(error):
                raise
            for odd in found:
                self._replace_one(odd)

    def _replace_one(self, odd: _Odd) -> None:
        try:
            self._events.replace_one({"_id": odd.key}, self._raw(odd.event))
        except WriteError as error:  # what the server refuses as it is, it takes as text
            if is_temporary(error):
                raise
            self._events.replace_one({"_id": odd.key}, self._raw(odd.event, as_text=True))

    def _rename(self, found: list[_Odd]) -> None:
        """Give events the ids that they have as text.

        Some servers take an ObjectId and its text for one key, so the old document goes before the
        new one comes. Meanwhile the event lies aside: if this run is killed, the next finds it there.
        """
        if not found:
            return
        taken: set[str] = set()
        for odd in found:
            event = self._under_free_id(odd, taken)
            taken.add(event.event_id)
            document = to_bson(event, decimals=self._decimals)
            aside = {"_id": event.event_id, "key": odd.key, "document": Binary(document)}
            self._aside.replace_one({"_id": event.event_id}, aside, upsert=True)
        self._finish_renaming()

    def _under_free_id(self, odd: _Odd, taken: set[str]) -> StoredEvent:
        """Return the event with an id that no other event has: both are kept."""
        assert odd.event is not None  # noqa: S101 - told by is_renamed
        event = odd.event
        while event.event_id in taken or self._events.find_one({"_id": event.event_id}) is not None:
            event = msgspec.structs.replace(event, event_id=event.event_id + "~")
        return event

    def _finish_renaming(self) -> int:
        """Put the events that lie aside in the place of their old documents; return how many."""
        waiting = list(self._aside.find({}))
        if not waiting:
            return 0
        self._events.bulk_write([DeleteOne({"_id": one["key"]}) for one in waiting], ordered=False)
        for one in waiting:
            # Its id was free: a duplicate is the event itself, from a run that was killed.
            with contextlib.suppress(DuplicateKeyError):
                self._insert(one["document"])
        self._aside.delete_many({})
        return len(waiting)

    def _insert(self, document: bytes) -> None:
        try:
            self._events.insert_one(RawBSONDocument(document))
        except DuplicateKeyError:
            raise
        except WriteError as error:  # what the server refuses as it is, it takes as text
            if is_temporary(error):
                raise
            event = to_event(_decoded(document))
            self._events.insert_one(RawBSONDocument(reduced(event)))

    def _move(self, odd: _Odd) -> None:
        unreadable = self._events.database[UNREADABLE]
        try:
            unreadable.insert_one(odd.document)
        except DuplicateKeyError:  # of a run that was killed, or another document of that id before
            there = unreadable.with_options(codec_options=DEFAULT_RAW_BSON_OPTIONS)
            kept = there.find_one({"_id": odd.key})
            if kept is None or kept.raw != odd.document.raw:
                unreadable.insert_one({"document": odd.document})
        self._events.delete_one({"_id": odd.key})

    def _raw(self, event: StoredEvent | None, *, as_text: bool = False) -> Any:
        assert event is not None  # noqa: S101 - what is none is moved
        return RawBSONDocument(reduced(event) if as_text else to_bson(event, decimals=self._decimals))


def _is_ours(document: Document, event: StoredEvent, made: bytes) -> bool:
    there = _text_of({name: document[name] for name in document.keys() - PLACES})
    if there == _text_of(_decoded(made)):
        return True
    return "exact" in document and there == _text_of(_decoded(reduced(event)))


def _decoded(document: bytes) -> Document:
    decoded: Document = bson.decode(document, OPTIONS)
    return decoded


def _text_of(document: Document) -> str:
    """Return a text that tells documents apart by members and kinds, and not by the members' order."""
    return json.dumps(document, sort_keys=True, default=repr)
