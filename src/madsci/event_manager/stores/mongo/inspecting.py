"""Reading every document of a collection of events; see ``stores.upkeep``."""

from __future__ import annotations

from bson.errors import BSONError

from madsci.common.errors import InvalidEventError
from madsci.event_manager.stores.mongo.codec import to_event
from madsci.event_manager.stores.mongo.connection import Collection
from madsci.event_manager.stores.upkeep import NAMED, Inspection, Progress


def inspect(events: Collection, progress: Progress) -> Inspection:
    """Return which documents are no events. The server of the database checks its own files.

    Raises the driver's errors.
    """
    number = events.estimated_document_count()
    whole = number_damaged = 0
    damaged: list[str] = []
    for document in events.find({}):
        try:
            to_event(document)
            whole += 1
        except (InvalidEventError, BSONError, ValueError) as error:
            number_damaged += 1
            if len(damaged) < NAMED:
                damaged.append(f"{document.get('_id')!r:.100}: {error}")
        progress("reading events", whole + number_damaged, number)
    return Inspection(whole, damaged, number_damaged, [])
