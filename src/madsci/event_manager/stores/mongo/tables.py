"""The small tables of a database: one collection, its documents by table and key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from pymongo.errors import DuplicateKeyError

from madsci.event_manager.model.tables import FOLLOWERS, Change, Step, Way
from madsci.event_manager.stores.mongo.connection import Collection, Database
from madsci.event_manager.stores.mongo.steps import finish_step, make_step

DOCUMENTS: Final = "documents"
"""The collection: ``_id`` is the table, a slash and the key; ``value`` is JSON text. What else there is
in it, see ``steps``."""

_BEYOND: Final = "\U0010ffff"


def read(database: Database, table: str, key: str) -> str | None:
    """Return a document; see ``Tables``.

    Before a follower's place is told, its last step is made to its end.
    """
    documents = database[DOCUMENTS]
    found = documents.find_one({"_id": _id(table, key)})
    if found is not None and table == FOLLOWERS:
        finish_step(documents, found)
    return None if found is None else str(found["value"])


def scan(
    database: Database, table: str, prefix: str, after: str | None, limit: int
) -> list[tuple[str, str]]:
    """Return documents in order; see ``Tables``."""
    begin = _id(table, prefix)
    wanted: dict[str, Any] = {"$gte": begin, "$lt": f"{begin}{_BEYOND}"}
    if after is not None:
        wanted["$gt"] = _id(table, after)
    found = database[DOCUMENTS].find({"_id": wanted}, {"value": 1}).sort("_id", 1).limit(limit)
    return [(str(one["_id"])[len(table) + 1 :], str(one["value"])) for one in found]


def apply(database: Database, changes: Sequence[Change], step: Step | None) -> bool:
    """Make changes one after the other, or a step; see ``Tables``."""
    documents = database[DOCUMENTS]
    if step is not None:
        return make_step(documents, changes, step)
    for change in changes:
        _make(documents, change)
    return True


def _make(documents: Collection, change: Change) -> None:
    name = {"_id": _id(change.table, change.key)}
    if change.way is Way.DELETE:
        documents.delete_one(name)
        return
    changed = {"$set": {"value": change.value}}
    if change.way is Way.PUT and documents.update_one(name, changed).matched_count:
        return
    try:
        documents.insert_one({**name, "value": change.value})
    except DuplicateKeyError:
        if change.way is Way.PUT:  # another one came first, and now there is one to be changed
            documents.update_one(name, changed)


def _id(table: str, key: str) -> str:
    return f"{table}/{key}"
