"""Leases in the database: who does what all its servers share, and who is at work with it.

A lease ends by itself, by the clock of the database server, so that a process that was killed is in
nobody's way for long and the clocks of the servers need not agree.
"""

from __future__ import annotations

import os
import socket
from datetime import datetime, timedelta, timezone
from typing import Final

from pymongo.errors import DuplicateKeyError

from madsci.common.ids import new_ulid
from madsci.event_manager.stores.mongo.connection import Database

TURNS: Final = "turns"
"""The collection of leases: ``_id`` is what is held, ``holder`` by whom, ``until`` when."""
LEASE: Final = "lease/"
"""Begins the names of those that are held through the contract of stores."""
_BEYOND: Final = "\uffff"


def new_holder() -> str:
    """Return a name that no other holder has, and that tells people the host and the process."""
    return f"{socket.gethostname()}-{os.getpid()}-{new_ulid()}"


def done_slots(database: Database) -> dict[str, str]:
    """Return for which slot each task was done last, in a database of version 2.0.0 or before.

    There a lease of each slot of a task says so; since then it is a document of the small tables.
    """
    found: dict[str, str] = {}
    for turn in database[TURNS].find({"done": True}):
        task, slot = str(turn["task"]), str(turn["slot"])
        found[task] = max(slot, found.get(task, slot))
    return found


def hold(database: Database, name: str, holder: str, seconds: float) -> bool:
    """Take or renew a lease; tell whether it is the holder's now. Raises the driver's errors.

    One that has ended may be given to two that ask at the same moment, by servers that only speak
    MongoDB's protocol; one that was let go is not.
    """
    now = database_time(database)
    free = {"$or": [{"holder": holder}, {"until": {"$lte": now}}]}
    lease = {"holder": holder, "until": now + timedelta(seconds=seconds)}
    try:
        database[TURNS].update_one({"_id": name, **free}, {"$set": lease}, upsert=True)
    except DuplicateKeyError:  # there is one, and it is not free: so it was to be made anew
        return False
    return True


def let_go(database: Database, name: str, holder: str) -> None:
    """End a lease; one that somebody else has stays."""
    database[TURNS].delete_one({"_id": name, "holder": holder})


def holders(database: Database, prefix: str) -> list[str]:
    """Return the names that begin with a prefix and are held now."""
    names = {"$gte": prefix, "$lt": prefix + _BEYOND}
    held = database[TURNS].find({"_id": names, "until": {"$gt": database_time(database)}})
    return sorted(str(lease["_id"]) for lease in held)


def database_time(database: Database) -> datetime:
    """Return the time by the clock of the database server."""
    now: datetime = database.client.admin.command("hello")["localTime"]  # in UTC, without saying so
    return now.replace(tzinfo=timezone.utc)
