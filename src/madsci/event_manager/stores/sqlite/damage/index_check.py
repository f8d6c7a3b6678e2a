"""Whether the indexes list each event, under what it holds.

The engine can tell about some of them, in one statement that takes minutes for a large file, in which
its log could not start again; about the index of terms it knows the structure only. Here it is told for
a span of rows at a time, 30 microseconds a row, while others write.
"""

from __future__ import annotations

from typing import Final

import apsw

from madsci.event_manager.model.stored_event import StoredEvent
from madsci.event_manager.stores.base import Damage, DamageOf
from madsci.event_manager.stores.sqlite.damage.rows import read_span
from madsci.event_manager.stores.sqlite.schema import SERIOUS_LEVEL
from madsci.event_manager.stores.sqlite.terms import terms_of, tokens

_INDEXES: Final = {
    "sqlite_autoindex_events_1": ("event_id", "1"),
    "events_by_time": ("event_timestamp event_id log_level event_type archived", "1"),
    "serious_events_by_time": ("event_timestamp event_id", f"{{0}}.log_level >= {SERIOUS_LEVEL}"),
    "events_by_node": (
        "node_id event_timestamp event_id log_level archived",
        "{0}.node_id IS NOT NULL",
    ),
    "archived_events": ("archived_at event_id", "{0}.archived = 1"),
}
"""What each index holds, and of which events."""


def _missing(index: str, columns: str, condition: str) -> str:
    same = " AND ".join(f"entry.{column} IS row.{column}" for column in columns.split())
    return (
        "SELECT row.seq FROM events AS row NOT INDEXED WHERE row.seq BETWEEN ? AND ?"  # noqa: S608
        f" AND {condition.format('row')} AND row.seq NOT IN (SELECT seq FROM damaged_events)"
        f" AND NOT EXISTS (SELECT 1 FROM events AS entry INDEXED BY {index}"
        f" WHERE {same} AND {condition.format('entry')} AND entry.seq = row.seq) LIMIT 1"
    )


_MISSING: Final = {index: _missing(index, *holds) for index, holds in _INDEXES.items()}
_LISTED: Final = """
SELECT rowid FROM event_terms WHERE event_terms MATCH CAST(? AS TEXT) AND rowid BETWEEN ? AND ?
"""


def find_wrong_entry(connection: apsw.Connection, first: int, last: int) -> Damage | None:
    """Return an event between two numbers that an index lacks or has wrong, if there is one.

    What the connection sees must not change meanwhile. Raises ``apsw.CorruptError`` as ``verify`` does.
    """
    for index, sql in _MISSING.items():
        seq = connection.execute(sql, (first, last)).get
        if seq is not None:
            return Damage(seq, None, f"{index} does not list it", DamageOf.INDEX)
    return find_wrong_terms(connection, first, last)


def find_wrong_terms(connection: apsw.Connection, first: int, last: int) -> Damage | None:
    """Return an event that the index of terms lists otherwise; as ``find_wrong_entry``."""
    expected: dict[bytes, set[int]] = {}
    whole: set[int] = set()
    for seq, event in read_span(connection, first, last):
        if isinstance(event, StoredEvent):
            whole.add(seq)
            for token in tokens(terms_of(event)):
                expected.setdefault(token, set()).add(seq)
    for token, seqs in expected.items():
        rows = connection.execute(_LISTED, (b'"%s"' % token, first, last))
        # Of a damaged event, or one that is gone, the terms may be there or not.
        wrong = seqs ^ ({seq for (seq,) in rows} & whole)
        if wrong:
            return Damage(min(wrong), None, "event_terms lists it wrongly", DamageOf.INDEX)
    return None
