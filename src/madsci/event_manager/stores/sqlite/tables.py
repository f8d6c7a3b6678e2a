"""The small tables of an event file: one table in it, by name and key."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby, islice
from typing import Final

import apsw

from madsci.event_manager.model.feed import START
from madsci.event_manager.model.tables import (
    FOLLOWERS,
    Change,
    Step,
    Way,
    kept_position,
    position_of,
    put,
)

TABLE: Final = """
CREATE TABLE documents (                -- small tables: what followers of the feed conclude, and such
    name TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,                -- JSON
    PRIMARY KEY (name, key)
) STRICT, WITHOUT ROWID;
"""
_READ: Final = "SELECT value FROM documents WHERE name = ? AND key = ?"
_SCAN: Final = """
SELECT key, value FROM documents
WHERE name = ?1 AND key {bound} ?2 AND key < ?3 || char(0x10FFFF) ORDER BY key LIMIT ?4
"""
_SCAN_FROM: Final = _SCAN.format(bound=">=")
_SCAN_BEHIND: Final = _SCAN.format(bound=">")
_PUT: Final = "INSERT OR REPLACE INTO documents VALUES "
_PUT_IF_ABSENT: Final = "INSERT OR IGNORE INTO documents VALUES "
_DELETE: Final = "DELETE FROM documents WHERE (name, key) IN (VALUES "
_TOGETHER: Final = 1_000
"""Changes of one statement: between two statements the thread gives up Python's lock, and those who
send events wait for it to have it again."""


def read(connection: apsw.Connection, table: str, key: str) -> str | None:
    """Return a document; see ``Tables``."""
    value = connection.execute(_READ, (table, key)).get
    return None if value is None else str(value)


def scan(
    connection: apsw.Connection, table: str, prefix: str, after: str | None, limit: int
) -> list[tuple[str, str]]:
    """Return documents in order; see ``Tables``."""
    is_behind = after is not None and after >= prefix
    statement, bound = (_SCAN_BEHIND, after) if is_behind else (_SCAN_FROM, prefix)
    found = connection.execute(statement, (table, bound, prefix, limit))
    return [(str(key), str(value)) for key, value in found]


def apply(connection: apsw.Connection, changes: Sequence[Change], step: Step | None) -> bool:
    """Make changes in the transaction under way; see ``Tables``."""
    if step is not None:
        kept = read(connection, FOLLOWERS, step.follower)
        if (START if kept is None else position_of(kept)) != step.before:
            return False
        changes = [*changes, put(FOLLOWERS, step.follower, kept_position(step.after))]
    for way, alike in groupby(changes, key=lambda one: one.way):
        while some := list(islice(alike, _TOGETHER)):
            _make(connection, way, some)
    return True


def _make(connection: apsw.Connection, way: Way, changes: Sequence[Change]) -> None:
    if way is Way.DELETE:
        rows = ",".join(["(?,?)"] * len(changes))
        keys = [text for one in changes for text in (one.table, one.key)]
        connection.execute(f"{_DELETE}{rows})", keys)
        return
    rows = ",".join(["(?,?,?)"] * len(changes))
    values = [text for one in changes for text in (one.table, one.key, one.value)]
    connection.execute(f"{_PUT if way is Way.PUT else _PUT_IF_ABSENT}{rows}", values)
