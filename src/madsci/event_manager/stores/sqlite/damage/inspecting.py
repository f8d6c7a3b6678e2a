"""Reading a whole event file: its structure, and each event."""

from __future__ import annotations

from typing import Final

import apsw

from madsci.event_manager.stores.base import Damage
from madsci.event_manager.stores.sqlite.damage import quarantine
from madsci.event_manager.stores.sqlite.damage.checking import is_of_the_disk
from madsci.event_manager.stores.sqlite.damage.rows import span, verify
from madsci.event_manager.stores.sqlite.transaction import snapshot, transaction
from madsci.event_manager.stores.upkeep import NAMED, Inspection, Progress

_FAULTS: Final = 100
"""Faults of the structure that SQLite tells; with more of them, all is to be recovered."""


def inspect(connection: apsw.Connection, progress: Progress) -> tuple[Inspection, list[Damage]]:
    """Return what is wrong with the file as it is at one moment, and the damaged events to be listed.

    Raises:
        apsw.Error: the file cannot be read at all, or not now.
    """
    with snapshot(connection):
        progress("checking the structure", 0, None)
        faults: list[str] = []
        damaged: list[Damage] = []
        number = number_damaged = 0
        try:
            for (line,) in connection.execute(f"PRAGMA integrity_check({_FAULTS})"):
                faults.append(str(line))
            if is_of_the_disk(faults):
                raise apsw.IOError("; ".join(faults))
            number = int(connection.execute("SELECT count(*) FROM events").get)
            first, last = span(connection)
            for found in verify(connection, first, last):
                number_damaged += len(found)
                damaged += found[: quarantine.MOST - len(damaged)]
                progress("reading events", number_damaged, None)
        except apsw.CorruptError as error:
            faults.append(f"not everything can be reached: {error}")
    faults = [fault for fault in faults if fault != "ok"]
    names = [_name(one) for one in damaged[:NAMED]]
    return Inspection(number - number_damaged, names, number_damaged, faults), damaged


def list_damaged(connection: apsw.Connection, damaged: list[Damage]) -> None:
    """Add damaged events to the list in the file, so that servers pass over them."""
    with transaction(connection):
        quarantine.note(connection, damaged)


def _name(damage: Damage) -> str:
    named = f"{damage.event_id}, " if damage.event_id else ""
    return f"{named}number {damage.seq:,}: {damage.reason}"
