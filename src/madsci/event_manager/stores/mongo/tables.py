"""The small tables of a database: one collection, its documents by table and key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from pymongo.errors import DuplicateKeyError

from madsci.event_manager.model.feed import START
from madsci.event_manager.model.tables import (
    FOLLOWERS,
    Change,
    Step,
    Way,
    kept_position,
    position_of,
)
from madsci.event_manager.stores.mongo.connection import Database

DOCUMENTS: Final = "documents"
"""The collection: ``_id`` is the table, a slash and the key; ``value`` is JSON text."""

_BEYOND: Final = "\U0010ffff"


def read(database: Database, table: str, key: str) -> str | None:
    """Return a document; see ``Tables``."""
    found = database[DOCUMENTS].find_one({"_id": _id(table, key)})
    return None if found is None else str(found["value"])


def scan(
    database: Database, table: str, prefix: str, after: str | None, limit: int
) -> list[tuple[str, str]]:
    """Return documents in order; see ``Tables``."""
    begin = _id(table, prefix)
    wanted: dict[str, Any] = {"$gte": begin, "$lt": f"{begin}{_BEYOND}"}
    if after is not None:
        wanted["$gt"] = _id(table, after)
    found = database[DOCUMENTS].find({"_id": wanted}).sort("_id", 1).limit(limit)
    return [(str(one["_id"])[len(table) + 1 :], str(one["value"])) for one in found]


def apply(database: Database, changes: Sequence[Change], step: Step | None) -> bool:
    """Make changes one after the other, and the step last; see ``Tables``.

    Done again, each of them changes nothing, so that who goes on after a crash may make them again.
    """
    kept = None if step is None else read(database, FOLLOWERS, step.follower)
    if step is not None and (START if kept is None else position_of(kept)) != step.before:
        return False
    for change in changes:
        _make(database, change)
    return step is None or _move(database, step, kept)


def _make(database: Database, change: Change) -> None:
    documents, name = database[DOCUMENTS], {"_id": _id(change.table, change.key)}
    if change.way is Way.DELETE:
        documents.delete_one(name)
    elif change.way is Way.PUT:
        try:
            documents.replace_one(name, {"value": change.value}, upsert=True)
        except DuplicateKeyError:  # another one came first, and now there is one to be replaced
            documents.replace_one(name, {"value": change.value})
    else:
        _insert(database, name["_id"], change.value)


def _move(database: Database, step: Step, kept: str | None) -> bool:
    """Say where the follower is now; tell whether it was where it was seen before."""
    name, value = _id(FOLLOWERS, step.follower), kept_position(step.after)
    if kept is None:
        return _insert(database, name, value)
    moved = database[DOCUMENTS].update_one({"_id": name, "value": kept}, {"$set": {"value": value}})
    return moved.matched_count == 1


def _insert(database: Database, name: str, value: str | None) -> bool:
    try:
        database[DOCUMENTS].insert_one({"_id": name, "value": value})
    except DuplicateKeyError:
        return False
    return True


def _id(table: str, key: str) -> str:
    return f"{table}/{key}"
