"""The small tables of a database: one collection, its documents by table and key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from madsci.event_manager.model.tables import FOLLOWERS, Change, Step
from madsci.event_manager.stores.mongo.connection import Database
from madsci.event_manager.stores.mongo.steps import (
    StampedChange,
    document_id,
    finish_step,
    make_change,
    make_step,
)

DOCUMENTS: Final = "documents"
"""The collection: ``_id`` is the table, a slash and the key; ``value`` is JSON text. What else there is
in it, see ``steps``."""

_BEYOND: Final = "\U0010ffff"


def read(database: Database, table: str, key: str) -> str | None:
    """Return a document; see ``Tables``.

    Before a follower's place is told, its last step is made to its end.
    """
    documents = database[DOCUMENTS]
    found = documents.find_one({"_id": document_id(table, key)})
    if found is not None and table == FOLLOWERS:
        finish_step(documents, found)
    return None if found is None else str(found["value"])


def scan(
    database: Database, table: str, prefix: str, after: str | None, limit: int
) -> list[tuple[str, str]]:
    """Return documents in order; see ``Tables``."""
    begin = document_id(table, prefix)
    wanted: dict[str, Any] = {"$gte": begin, "$lt": f"{begin}{_BEYOND}"}
    if after is not None:
        wanted["$gt"] = document_id(table, after)
    found = database[DOCUMENTS].find({"_id": wanted}, {"value": 1}).sort("_id", 1).limit(limit)
    return [(str(one["_id"])[len(table) + 1 :], str(one["value"])) for one in found]


def apply(database: Database, changes: Sequence[Change], step: Step | None) -> bool:
    """Make changes one after the other, or a step; see ``Tables``."""
    documents = database[DOCUMENTS]
    if step is not None:
        return make_step(documents, changes, step)
    for change in changes:
        name = document_id(change.table, change.key)
        make_change(documents, StampedChange(name, change.way, change.value))
    return True
