"""The steps from a database of releases 0.3 to 0.9 to ours. Each may be killed and run again."""

from __future__ import annotations

from datetime import tzinfo
from typing import Final

from madsci.event_manager.model.tables import (
    DONE,
    FACTS,
    Change,
    kept_fact,
    kept_slot,
    put_if_absent,
)
from madsci.event_manager.stores.mongo import tables
from madsci.event_manager.stores.mongo.connection import Database
from madsci.event_manager.stores.mongo.normalising import Normalisation
from madsci.event_manager.stores.mongo.numbering import Numbering
from madsci.event_manager.stores.mongo.schema import Schema, compare_indexes, ensure_indexes
from madsci.event_manager.stores.mongo.turns import done_slots
from madsci.event_manager.stores.upkeep import Progress, Step

_FACTS: Final = "facts"
_IS_FACT: Final = {"value": {"$exists": True}}
"""The collection of facts about the lab in databases of version 2.0.0, and what they look like."""
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
                "move facts",
                "facts about the lab, and which tasks are done, become documents of the small tables",
                lambda _: len(self._facts_to_be_moved()),
                self._move_facts,
            ),
            Step(
                "replace indexes",
                "make the indexes of this version, drop those they take the place of",
                lambda _: len(self._superseded()) + self._lacking(),
                self._index,
            ),
        ]

    def _facts_to_be_moved(self) -> list[Change]:
        """Return what puts facts and done slots into the small tables, as far as it is not there.

        The slots stay among the leases as well: no backup holds those, and a migration may be undone.
        """
        facts = self._database[_FACTS].find(_IS_FACT)
        wanted = [
            *(put_if_absent(FACTS, str(one["_id"]), kept_fact(str(one["value"]))) for one in facts),
            *(
                put_if_absent(DONE, task, kept_slot(slot))
                for task, slot in done_slots(self._database).items()
            ),
        ]
        return [one for one in wanted if tables.read(self._database, one.table, one.key) is None]

    def _move_facts(self, _: Progress) -> int:
        changes = self._facts_to_be_moved()
        tables.apply(self._database, changes, None)
        facts = self._database[_FACTS]
        facts.delete_many(_IS_FACT)
        if facts.find_one({}) is None:
            facts.drop()
        return len(changes)

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
