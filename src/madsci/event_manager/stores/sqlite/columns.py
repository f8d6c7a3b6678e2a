"""The columns of events in an event file: the one table of them.

What every event has, and what lists sort or filter by, is a typed column; what has members of its own
is JSONB, or JSON where that is written faster. A new column stands at the end, where an upgrade puts
it, and may be NULL: rows of earlier versions end before it.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Column(NamedTuple):
    """A column, as SQL declares it; one that ``changes`` may be another one after an update."""

    name: str
    declared: str
    changes: bool = False

    @property
    def type_name(self) -> str:
        """``INTEGER``, ``TEXT``, or ``BLOB``, which is JSONB."""
        return self.declared.split(" ", 1)[0]

    @property
    def is_json(self) -> bool:
        """Whether it holds JSONB, and is read as JSON text."""
        return self.type_name == "BLOB"

    @property
    def may_be_null(self) -> bool:
        """Whether NULL may stand there."""
        return self.declared == self.type_name


COLUMNS: Final = (
    Column("seq", "INTEGER PRIMARY KEY"),  # the order of commits
    Column("event_id", "TEXT NOT NULL UNIQUE"),
    Column("event_type", "TEXT NOT NULL"),
    Column("log_level", "INTEGER NOT NULL"),
    Column("alert", "INTEGER NOT NULL", changes=True),
    Column("event_timestamp", "INTEGER NOT NULL"),  # this and the other times: microseconds since 1970
    Column("received_at", "INTEGER NOT NULL"),
    Column("node_id", "TEXT"),  # copied from source, for its index
    Column("trace_id", "TEXT"),
    Column("span_id", "TEXT"),
    Column("archived", "INTEGER NOT NULL", changes=True),
    Column("archived_at", "INTEGER", changes=True),
    Column("source", "BLOB NOT NULL"),
    Column("event_data", "BLOB NOT NULL"),
    Column("extra", "BLOB"),
    Column("checksum", "INTEGER", changes=True),  # of all others; none for events of the first versions
    Column("sender", "TEXT"),  # JSON as text, made once for many events: JSONB is made for each
)
"""In the order in which they stand in a row."""
FEWEST: Final = 15
"""Columns of the first version: its rows end before the checksum."""

DECLARATION: Final = ",\n    ".join(f"{column.name} {column.declared}" for column in COLUMNS)

LASTING: Final = tuple(column for column in COLUMNS if not column.changes)
"""What never changes in a row, and what its checksum is taken of, in this order."""
AS_READ: Final = (*LASTING, *(column for column in COLUMNS if column.changes))
"""The order in which a row is written and read."""


def added(name: str) -> str:
    """Return the SQL by which an upgrade adds a column."""
    column = next(one for one in COLUMNS if one.name == name)
    return f"ALTER TABLE events ADD COLUMN {column.name} {column.declared};"
