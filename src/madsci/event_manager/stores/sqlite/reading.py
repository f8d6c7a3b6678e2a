"""The reading side of an event file, which any process of the machine may have open."""

from __future__ import annotations

from collections.abc import Sequence

import apsw

from madsci.event_manager.model.budget import UNLIMITED
from madsci.event_manager.model.query import Page, Query
from madsci.event_manager.model.stored_event import StoredEvent
from madsci.event_manager.model.tally import Count, Tally
from madsci.event_manager.stores.sqlite.codec import COLUMNS, to_event
from madsci.event_manager.stores.sqlite.counting import count
from madsci.event_manager.stores.sqlite.finding import find
from madsci.event_manager.stores.sqlite.readers import Readers
from madsci.event_manager.stores.sqlite.transaction import snapshot


class SqliteReader:
    """Finds and counts the events of a file; see ``EventReader``."""

    def __init__(self, path: str) -> None:
        self.readers = Readers(path)

    def get(self, event_id: str) -> StoredEvent | None:
        """Return the event with this id, or ``None``."""
        with self.readers.connection() as connection:
            return get_event(connection, event_id)

    def find(self, query: Query) -> Page:
        """Return the events that match; see ``EventReader``."""
        with self.readers.connection(query.budget) as connection:
            return find(connection, query)

    def tally(self, tallies: Sequence[Tally]) -> list[list[Count]]:
        """Count the events that match; see ``EventReader``."""
        budget = min((tally.budget for tally in tallies), key=lambda one: one.left, default=UNLIMITED)
        with self.readers.connection(budget) as connection, snapshot(connection):
            return [count(connection, tally) for tally in tallies]

    def check(self) -> None:
        """Return if the file can be read."""
        with self.readers.connection() as connection:
            connection.execute("SELECT 1 FROM events LIMIT 1").fetchall()


def get_event(connection: apsw.Connection, event_id: str) -> StoredEvent | None:
    """Return the event with an id, as the connection sees it."""
    row = connection.execute(
        f"SELECT {COLUMNS} FROM events WHERE event_id = ?",  # noqa: S608
        (event_id,),
    ).fetchone()
    return None if row is None else to_event(row)
