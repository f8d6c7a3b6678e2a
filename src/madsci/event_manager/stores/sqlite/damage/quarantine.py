"""The list of damaged events, which lies in the file beside them.

The events stay where they are: in a damaged file as little as possible is changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import apsw

from madsci.common.clock import now_us
from madsci.event_manager.model.stored_event import encode_json
from madsci.event_manager.stores.base import Damage

MOST: Final = 10_000
"""Damaged events that are listed. With more, the file is to be recovered or restored as a whole."""


def listed(connection: apsw.Connection) -> list[int]:
    """Return the numbers of the damaged events."""
    return [int(seq) for (seq,) in connection.execute("SELECT seq FROM damaged_events ORDER BY seq")]


def number(connection: apsw.Connection) -> int:
    """Return how many damaged events are listed; none in a file of an earlier version."""
    if not connection.table_exists("main", "damaged_events"):
        return 0
    return int(connection.execute("SELECT count(*) FROM damaged_events").get)


def is_empty(connection: apsw.Connection) -> bool:
    """Tell whether no damaged event is listed; in constant time."""
    return connection.execute("SELECT 1 FROM damaged_events LIMIT 1").fetchone() is None


def note(connection: apsw.Connection, found: Iterable[Damage]) -> list[Damage]:
    """Add damaged events to the list, as far as there is room; return those that were not in it."""
    room = MOST - number(connection)
    fresh: list[Damage] = []
    for one in found:
        if len(fresh) >= room:
            break
        connection.execute(
            "INSERT OR IGNORE INTO damaged_events VALUES (?, ?, ?, ?)",
            (one.seq, one.event_id, one.reason, now_us()),
        )
        if connection.changes():
            fresh.append(one)
    return fresh


def forget(connection: apsw.Connection, seqs: Sequence[int]) -> None:
    """Take events from the list that are gone or whole again."""
    connection.execute(
        "DELETE FROM damaged_events WHERE seq IN (SELECT value FROM json_each(?))",
        (encode_json(list(seqs)),),
    )
