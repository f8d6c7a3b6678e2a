"""Small facts about an event file, kept beside its events."""

from __future__ import annotations

from typing import Final

import apsw

from madsci.event_manager.model.feed import new_lane
from madsci.event_manager.model.tables import (
    DONE,
    FACTS,
    Change,
    kept_fact,
    kept_slot,
    put_if_absent,
)

LAST_SEQ: Final = "last_seq"
"""The number of the last commit that was no event's: alerts raised, events archived or deleted.
No number comes again, also when its event is deleted."""
NOTED_FROM: Final = "noted_from"
"""The number of the last commit before it was noted what each number is given to."""
WRONG_INDEXES: Final = "wrong_indexes"
"""Why the indexes are to be made anew at the next start."""
_OF_THIS_FILE: Final = {LAST_SEQ, NOTED_FROM, WRONG_INDEXES}
_DONE: Final = "done/"
"""Began the keys of slots for which tasks were done, in files before schema 6."""
_LANE: Final = "lane/"
_LAST_SEQ: Final = f"""
SELECT max((SELECT coalesce(max(seq), 0) FROM events),
    (SELECT coalesce(max(CAST(value AS INTEGER)), 0) FROM facts WHERE key = '{LAST_SEQ}'))
"""  # noqa: S608 - a constant of ours
_LANES: Final = f"""
SELECT substr(key, {len(_LANE) + 1}), CAST(value AS INTEGER) FROM facts
WHERE key >= '{_LANE}' AND key < '{_LANE[:-1]}0' ORDER BY 2, rowid
"""  # noqa: S608 - a constant of ours


def fact(connection: apsw.Connection, key: str) -> str | None:
    """Return the value of a fact, or ``None`` if there is none."""
    value = connection.execute("SELECT value FROM facts WHERE key = ?", (key,)).get
    return None if value is None else str(value)


def set_fact(connection: apsw.Connection, key: str, value: str) -> None:
    """Keep a fact in place of what was kept under its key."""
    connection.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (key, value))


def as_document(key: str, value: str) -> Change | None:
    """Return what keeps a fact that is about more than its file among the small tables, else ``None``.

    Before schema 6 those about the lab, and for which slots tasks were done, stood with the others.
    """
    if key in _OF_THIS_FILE or key.startswith(_LANE):
        return None
    if key.startswith(_DONE):
        return put_if_absent(DONE, key.removeprefix(_DONE), kept_slot(value))
    return put_if_absent(FACTS, key, kept_fact(value))


def last_seq(connection: apsw.Connection) -> int:
    """Return the number of the last commit, 0 in a file without tables."""
    if not connection.table_exists("main", "facts"):
        return 0
    return int(connection.execute(_LAST_SEQ).get)


def lanes(connection: apsw.Connection) -> list[tuple[str, int]]:
    """Return the lanes of the feed, the present one last, and the number before its first of each.

    One begins where numbers may come again that were given out before: in a new or a restored file.
    """
    return [(str(name), int(before)) for name, before in connection.execute(_LANES)]


def begin_lane(connection: apsw.Connection) -> str:
    """Begin a lane of the feed behind all that is in the file; return its name."""
    name = new_lane()
    set_fact(connection, f"{_LANE}{name}", str(last_seq(connection)))
    return name
