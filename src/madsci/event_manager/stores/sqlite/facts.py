"""Small facts about a store, kept beside its events."""

from __future__ import annotations

from typing import Final

import apsw

LAST_SEQ: Final = "last_seq"
"""The greatest number that an event ever had, kept since the event may be deleted and no number may
come again."""


def fact(connection: apsw.Connection, key: str) -> str | None:
    """Return the value of a fact, or ``None`` if there is none."""
    value = connection.execute("SELECT value FROM facts WHERE key = ?", (key,)).get
    return None if value is None else str(value)


def set_fact(connection: apsw.Connection, key: str, value: str) -> None:
    """Keep a fact in place of what was kept under its key."""
    connection.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (key, value))
