"""Leases in the database: who does what all its servers share, and who is at work with it.

A lease ends by itself, by the clock of the database server, so that a process that was killed is in
nobody's way for long and the clocks of the servers need not agree.
"""

from __future__ import annotations

import os
import socket
from datetime import datetime, timedelta, timezone
from typing import Any, Final

from pymongo.errors import DuplicateKeyError

from madsci.common.ids import new_ulid
from madsci.event_manager.stores.mongo.connection import Database

TURNS: Final = "turns"
"""The collection of leases: ``_id`` is what is held, ``holder`` by whom, ``until`` when. Those of tasks
also have ``task``, ``slot`` and whether it is ``done``."""

_LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)
_BEYOND: Final = "\uffff"


def new_holder() -> str:
    """Return a name that no other holder has, and that tells people the host and the process."""
    return f"{socket.gethostname()}-{os.getpid()}-{new_ulid()}"


def take_turn(  # noqa: PLR0913 - as in the contract
    database: Database, task: str, slot: str, holder: str, *, seconds: float, horizon: str
) -> bool:
    """Reserve a task for a slot; see ``EventStore.take_turn``. Raises the driver's errors.

    Each slot is a document of its own: inserting it is what only one of several servers can do, also
    where a server imitates MongoDB and its updates are not atomic. That of the slot for which the task
    was done last stays until it is done again.
    """
    now = database_time(database)
    for turn in database[TURNS].find({"task": task}):
        is_done = turn["done"] and slot <= turn["slot"] <= horizon
        if is_done or (turn["holder"] != holder and turn["until"] > now):
            return False
    name = _name(task, slot)
    details = {"task": task, "slot": slot, "done": False}
    if not _take(database, name, holder, now + timedelta(seconds=seconds), details):
        return False
    database[TURNS].delete_many({"task": task, "_id": {"$ne": name}, "done": False})
    return True


def give_back_turn(database: Database, task: str, holder: str, done: str | None) -> None:
    """End the holder's turn, and say for which slot the task was done, if it was."""
    turns = database[TURNS]
    if done is not None:
        name = _name(task, done)
        found = turns.update_one({"_id": name, "holder": holder}, {"$set": {"done": True}})
        if found.matched_count:  # what was done before, or by a clock that was ahead, is past
            turns.delete_many({"task": task, "_id": {"$ne": name}, "done": True})
    turns.update_many({"task": task, "holder": holder}, {"$set": {"until": _LONG_AGO}})


def last_done(database: Database, task: str) -> str | None:
    """Return the slot for which a task was done last."""
    slots = [str(turn["slot"]) for turn in database[TURNS].find({"task": task, "done": True})]
    return max(slots, default=None)


def hold(database: Database, name: str, holder: str, seconds: float) -> bool:
    """Take or renew a lease; tell whether it is the holder's now."""
    return _take(database, name, holder, database_time(database) + timedelta(seconds=seconds), {})


def let_go(database: Database, name: str, holder: str) -> None:
    """End a lease; one that somebody else has stays."""
    database[TURNS].delete_one({"_id": name, "holder": holder})


def holders(database: Database, prefix: str) -> list[str]:
    """Return the names that begin with a prefix and are held now."""
    names = {"$gte": prefix, "$lt": prefix + _BEYOND}
    held = database[TURNS].find({"_id": names, "until": {"$gt": database_time(database)}})
    return sorted(str(lease["_id"]) for lease in held)


def _take(database: Database, name: str, holder: str, until: datetime, details: dict[str, Any]) -> bool:
    free = {
        "$or": [{"holder": holder}, {"until": {"$lte": database_time(database)}}],
        "done": {"$ne": True},  # of a task: since it was looked at
    }
    lease = {"holder": holder, "until": until, **details}
    try:
        database[TURNS].update_one({"_id": name, **free}, {"$set": lease}, upsert=True)
    except DuplicateKeyError:  # there is one, and it is not free: so it was to be made anew
        return False
    return True


def _name(task: str, slot: str) -> str:
    return f"{task}@{slot}"


def database_time(database: Database) -> datetime:
    """Return the time by the clock of the database server."""
    now: datetime = database.client.admin.command("hello")["localTime"]  # in UTC, without saying so
    return now.replace(tzinfo=timezone.utc)
