"""Writing a database into files while it is served; see ``bson_files`` for their form."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from pymongo import ReadPreference
from pymongo.client_session import ClientSession
from pymongo.errors import OperationFailure

from madsci.common.durability import sync_folder, write_durably
from madsci.event_manager.stores.mongo import bson_files
from madsci.event_manager.stores.mongo.bson_files import AT_ONCE, OTHERS
from madsci.event_manager.stores.mongo.connection import Collection, Database, is_mongodb
from madsci.event_manager.stores.mongo.versions import content
from madsci.event_manager.stores.upkeep import ONE_MOMENT, Dumped, Progress

_logger = logging.getLogger(__name__)

_NO_SNAPSHOT: Final = frozenset({20, 72, 123, 238, 239, 246, 263})
"""Codes of servers that have no snapshot: not in a replica set, an older release, or no longer (239),
since they keep one for minutes only (``minSnapshotHistoryWindowInSeconds``)."""
_AT_LEAST: Final = "all that was acknowledged before it began"


def dump_as_of_now(database: Database, folder: Path, progress: Progress) -> Dumped:
    """Write the database as it is at one moment, where the server lets one; else see ``dump_database``.

    Raises the driver's errors.
    """
    if is_mongodb(database.client):
        try:
            with database.client.start_session(snapshot=True) as session:
                return dump_database(database, folder, progress, session=session)
        except OperationFailure as error:
            if error.code not in _NO_SNAPSHOT:
                raise
            _logger.info("No snapshot of %s: %s", database.name, error)
            shutil.rmtree(folder)
    return dump_database(database, folder, progress)


def dump_database(
    database: Database, folder: Path, progress: Progress, *, session: ClientSession | None = None
) -> Dumped:
    """Write every collection into a new folder, durably; raises the driver's errors.

    What was acknowledged before is in it, as it was then or became meanwhile. With a snapshot session
    it is of one moment. Leases are left out: they are about who is at work now.
    """
    folder.mkdir(parents=True)
    # A member that lags behind would leave out what was acknowledged.
    primary = database.with_options(read_preference=ReadPreference.PRIMARY)
    numbers = {
        name: _dump(primary[name], options, folder, progress, session)
        for name, options in ordinary_collections(primary).items()
    }
    sync_folder(folder)
    events = sum(number for name, number in numbers.items() if name not in OTHERS)
    return Dumped(len(numbers), events, _AT_LEAST if session is None else ONE_MOMENT)


def ordinary_collections(database: Database) -> dict[str, dict[str, Any]]:
    """Return the options of the collections that hold what the database is for, by their names.

    Views are not among them: they hold nothing of their own.
    """
    kept = set(content(database))
    return {
        one["name"]: dict(one.get("options") or {})
        for one in sorted(database.list_collections(), key=lambda one: str(one["name"]))
        if one["name"] in kept and one.get("type", "collection") == "collection"
    }


def _dump(
    collection: Collection,
    options: dict[str, Any],
    folder: Path,
    progress: Progress,
    session: ClientSession | None,
) -> int:
    whole = collection.estimated_document_count()
    number = 0
    path = bson_files.documents_file(folder, collection.name)
    with path.open("wb") as file:
        for batch in _batches(collection, session):
            file.write(batch)
            number += sum(1 for _ in bson_files.split(batch))
            progress(f"writing {collection.name}", number, whole)
        file.flush()
        os.fsync(file.fileno())
    indexes = [dict(one) for one in collection.list_indexes()]
    text = bson_files.metadata_text(collection.name, options, indexes)
    write_durably(bson_files.metadata_file(folder, collection.name), text)
    return number


def _batches(collection: Collection, session: ClientSession | None) -> Iterator[bytes]:
    """Yield the documents in the order in which the server has them.

    A document keeps its place there, so that none is passed over while others are inserted. Each batch
    that is asked for keeps the cursor and the session alive.
    """
    for batch in collection.find_raw_batches({}, batch_size=AT_ONCE, session=session):
        yield bytes(batch)  # type: ignore[arg-type] # the driver's types say documents
