"""Keeping a damaged event anew when it is sent again."""

from __future__ import annotations

import logging

import apsw

from madsci.event_manager.model.stored_event import StoredEvent
from madsci.event_manager.stores.sqlite.codec import INSERT, to_row
from madsci.event_manager.stores.sqlite.damage import quarantine

_logger = logging.getLogger(__name__)


def heal(connection: apsw.Connection, damaged: int, event: StoredEvent, seq: int) -> bool:
    """Keep an event under a new number in the place of its damaged row; tell whether that was done.

    What the damaged row had in the inverted index stays there; it leads to a number that is no more,
    and that is noted for who counts what is listed.
    """
    try:
        with connection:  # a savepoint: the transaction around it goes on
            connection.execute("DELETE FROM events WHERE seq = ?", (damaged,))
            connection.execute("INSERT OR IGNORE INTO stale_terms VALUES (?)", (damaged,))
            connection.execute(INSERT, to_row(event, seq))
            quarantine.forget(connection, [damaged])
    except (apsw.CorruptError, apsw.ConstraintError) as error:
        _logger.warning(
            "The damaged event %s (number %d) was sent again, and its row cannot be replaced: %s",
            event.event_id, damaged, error,
        )  # fmt: skip
        return False
    _logger.warning("The damaged event %s was sent again and is whole", event.event_id)
    return True
