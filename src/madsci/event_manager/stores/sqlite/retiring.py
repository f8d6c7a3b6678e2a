"""Taking events out of sight, and out of the file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import apsw

from madsci.event_manager.model.stored_event import encode_json
from madsci.event_manager.stores.sqlite import terms
from madsci.event_manager.stores.sqlite.codec import COLUMNS, to_event

_AMONG: Final = "event_id IN (SELECT value FROM json_each(?))"


def archive(connection: apsw.Connection, event_ids: Sequence[str], at: int) -> int:
    """Mark events as archived; return how many were not yet."""
    connection.execute(
        f"UPDATE events SET archived = 1, archived_at = ? WHERE {_AMONG} AND archived = 0",  # noqa: S608
        (at, encode_json(list(event_ids))),
    )
    return connection.changes()


def delete(connection: apsw.Connection, event_ids: Sequence[str]) -> int:
    """Delete those of the events that are archived, with their terms; return how many."""
    chosen = f"FROM events WHERE {_AMONG} AND archived = 1"
    listed = encode_json(list(event_ids))
    rows: list[Any] = connection.execute(f"SELECT seq, {COLUMNS} {chosen}", (listed,)).fetchall()
    # The inverted index holds no text of its own: it has to be told which terms a row had.
    terms.delete(connection, [(seq, terms.terms_of(to_event(row))) for seq, *row in rows])
    connection.execute(f"DELETE {chosen}", (listed,))
    return len(rows)
