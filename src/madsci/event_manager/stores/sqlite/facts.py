"""Small facts about a store, kept beside its events."""

from __future__ import annotations

from typing import Final

import apsw

LAST_SEQ: Final = "last_seq"
"""The number of the last commit that was no event's: alerts raised, events archived or deleted, facts.
No number comes again, also when its event is deleted."""
WRONG_INDEXES: Final = "wrong_indexes"
"""Why the indexes are to be made anew at the next start."""
_OF_THIS_FILE: Final = {LAST_SEQ, WRONG_INDEXES}
_DONE: Final = "done/"


def done_key(task: str) -> str:
    """Return the key of the slot for which a task was done last."""
    return f"{_DONE}{task}"


def fact(connection: apsw.Connection, key: str) -> str | None:
    """Return the value of a fact, or ``None`` if there is none."""
    value = connection.execute("SELECT value FROM facts WHERE key = ?", (key,)).get
    return None if value is None else str(value)


def set_fact(connection: apsw.Connection, key: str, value: str) -> None:
    """Keep a fact in place of what was kept under its key."""
    connection.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (key, value))


def facts_about_the_lab(connection: apsw.Connection) -> dict[str, str]:
    """Return the facts that are about more than this file and its tasks."""
    return {
        str(key): str(value)
        for key, value in connection.execute("SELECT key, value FROM facts")
        if key not in _OF_THIS_FILE and not str(key).startswith(_DONE)
    }
