"""The steps from a database of releases 0.3 to 0.9 to ours. Each may be killed and run again."""

from __future__ import annotations

from datetime import tzinfo
from typing import Final

from madsci.event_manager.stores.mongo.connection import Database
from madsci.event_manager.stores.mongo.normalising import Normalisation
from madsci.event_manager.stores.mongo.numbering import Numbering
from madsci.event_manager.stores.mongo.schema import Schema, compare_indexes, ensure_indexes
from madsci.event_manager.stores.upkeep import Progress, Step

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
        self._decimals = decimals
        self._numbering = Numbering(database, self._events)
        self._documents = Normalisation(self._events, zone, decimals=decimals)

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
                self._documents.pending,
                self._documents.run,
                lambda: self._documents.unreadable,
            ),
            Step(
                "number events",
                "give each event its place in the order of commits",
                lambda progress: self._numbering.pending(progress) - self._documents.to_be_moved,
                self._numbering.run,
            ),
            Step(
                "replace indexes",
                "make the indexes of this version, drop those they take the place of",
                lambda _: len(self._superseded()) + self._lacking(),
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

    def _lacking(self) -> int:
        wanted = self._schema.indexes_of(self._events.name, is_mongodb=self._decimals)
        difference = compare_indexes(self._events, wanted)
        return len(difference["missing_indexes"]) + len(difference["different_indexes"])

    def _drop(self, names: list[str]) -> int:
        for name in names:
            self._events.drop_index(name)
        return len(names)

    def _index(self, _: Progress) -> int:
        before = self._lacking()
        ensure_indexes(self._database, self._schema, self._events.name)
        return before - self._lacking() + self._drop(self._superseded())
