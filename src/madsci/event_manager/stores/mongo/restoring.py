"""Putting a dump in the place of a database, whole or not at all.

Everything is loaded into collections beside the others and compared with the files. Then a journal in
the database says which collections are to be swapped. From there on there is only forwards: whoever
opens the database after a crash swaps the rest.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from bson.raw_bson import RawBSONDocument
from pymongo.errors import OperationFailure, PyMongoError

from madsci.common.errors import StoreDamagedError, StoreError, StoreInUseError
from madsci.event_manager.stores.mongo import bson_files, turns
from madsci.event_manager.stores.mongo.bson_files import AT_ONCE, Fingerprint
from madsci.event_manager.stores.mongo.connection import (
    DURABLE,
    Client,
    Collection,
    Database,
    is_mongodb,
)
from madsci.event_manager.stores.mongo.dump import ordinary_collections
from madsci.event_manager.stores.mongo.steps import begin_series
from madsci.event_manager.stores.mongo.tables import DOCUMENTS
from madsci.event_manager.stores.mongo.turns import TURNS
from madsci.event_manager.stores.mongo.versions import JOURNAL, REPLACED, RESTORING_END
from madsci.event_manager.stores.upkeep import Progress

_logger = logging.getLogger(__name__)

_BYTES_AT_ONCE: Final = 16 * 1024 * 1024
"""Bytes in one request, so that large documents do not fill the memory."""
_SWAPPING: Final = "swapping"
_SWAP: Final = "swap"
"""The lease of whoever swaps, so that two that open the database do not do it at once."""
_LEASE: Final = 60.0
"""Seconds; far longer than renaming some collections takes."""
_PATIENCE: Final = 90.0
"""Seconds until somebody else must have swapped, or have lost the lease."""
_LOOK: Final = 0.2


def restore_database(
    client: Client,
    name: str,
    folder: Path,
    progress: Progress,
    *,
    confirm: Callable[[], None] = lambda: None,
) -> int:
    """Put a dump in the place of a database's content; return how many events that are.

    ``confirm`` is called before the first change and raises if the caller must not go on. Collections
    that the dump does not hold do not stay, but for views and leases. Raises the driver's errors, and:

    Raises:
        StoreDamagedError: the dump cannot be read, or did not arrive as it is.
        StoreError: it was interrupted (Ctrl-C); says whether anything was changed.
    """
    database = client.get_database(name, write_concern=DURABLE)
    sources = [one for one in bson_files.collections(folder) if one.name not in (TURNS, JOURNAL)]
    finish_interrupted_restore(database)
    _forget_interrupted(database)
    events = _load_all(database, sources, progress)
    names = [source.name for source in sources]
    stale = [one for one in ordinary_collections(database) if one not in names]
    confirm()
    with _swapping(database) as is_ours:
        if not is_ours:
            raise StoreInUseError(f"Another program restores {name}. Nothing was changed.")
        journal = {"state": _SWAPPING, "names": names, "stale": stale}
        database[JOURNAL].replace_one({"_id": "restore"}, journal, upsert=True)
        progress("swapping", 0, None)
        try:
            _swap(database, names, stale)
        except KeyboardInterrupt:  # too late to go back: so the rest is done
            time.sleep(_LOOK)  # what was under way comes to its end
            _swap(database, names, stale)
    return events


def _load_all(
    database: Database, sources: list[bson_files.DumpedCollection], progress: Progress
) -> int:
    """Load everything beside the database, or nothing; return how many events that are."""
    is_loaded = False
    try:
        events = 0
        for source in sources:
            number = _load(database[source.name + RESTORING_END], source, progress)
            events += number if source.holds_events else 0
        is_loaded = True
    except KeyboardInterrupt as error:
        raise StoreError(
            f"Restoring into {database.name} was interrupted. Nothing was changed."
        ) from error
    finally:
        if not is_loaded:
            with contextlib.suppress(PyMongoError):  # else the next restore does it
                _forget_interrupted(database)
    return events


def _forget_interrupted(database: Database) -> None:
    """Drop what a restore loaded that did not come to the swapping."""
    for name in database.list_collection_names():
        if name.endswith(RESTORING_END):
            database[name].drop()


def _load(side: Collection, source: bson_files.DumpedCollection, progress: Progress) -> int:
    _create(side, source.options)
    sent = Fingerprint()
    for documents in _requests(source.path):
        side.insert_many([RawBSONDocument(one) for one in documents], ordered=False)
        for document in documents:
            sent.add(document)
        progress(f"loading {source.name}", sent.number, None)
    for index in source.indexes:
        _make_index(side, index)
    arrived = Fingerprint()
    for batch in side.find_raw_batches({}, batch_size=AT_ONCE):
        for document in bson_files.split(bytes(batch)):  # type: ignore[arg-type] # as in dump
            arrived.add(document)
        progress(f"comparing {source.name}", arrived.number, sent.number)
    if arrived != sent:
        raise StoreDamagedError(
            f"The {sent.number:,} documents of {source.path} did not arrive in the database as they"
            f" are ({arrived.number:,} are there). Nothing was changed. Use another backup."
        )
    if source.name == DOCUMENTS:
        begin_series(side)
    return sent.number


def _requests(path: Path) -> Iterator[list[bytes]]:
    waiting: list[bytes] = []
    size = 0
    for document in bson_files.documents(path):
        waiting.append(document)
        size += len(document)
        if len(waiting) == AT_ONCE or size >= _BYTES_AT_ONCE:
            yield waiting
            waiting, size = [], 0
    if waiting:
        yield waiting


def _create(side: Collection, options: dict[str, Any]) -> None:
    database = side.database
    try:
        database.command("create", side.name, **options)
    except OperationFailure as error:
        if not options or is_mongodb(database.client):
            raise
        _logger.warning("The server does not make %s with %s: %s", side.name, options, error)
        database.command("create", side.name)


def _make_index(side: Collection, index: dict[str, Any]) -> None:
    spec = {key: value for key, value in index.items() if key not in ("v", "ns", "background")}
    if spec.get("name") == "_id_":
        return
    try:
        side.database.command("createIndexes", side.name, indexes=[spec])
    except OperationFailure as error:
        if is_mongodb(side.database.client):
            raise
        _logger.warning("The server does not make the index %s: %s", spec.get("name"), error)


def finish_interrupted_restore(database: Database) -> bool:
    """Swap the rest, if a restore was killed while it swapped; tell whether there was such a one.

    What another one loaded that did not get that far stays aside, for the next restore to drop.
    Raises the driver's errors, and:

    Raises:
        StoreInUseError: another program is at it, and does not come to an end.
    """
    deadline = time.monotonic() + _PATIENCE
    while _journal(database) is not None:
        with _swapping(database) as is_ours:
            journal = _journal(database)  # somebody may have been quicker
            if is_ours and journal is not None:
                _logger.warning("An interrupted restore of %s is brought to its end.", database.name)
                _swap(database, list(journal["names"]), list(journal["stale"]))
                return True
        if time.monotonic() > deadline:
            raise StoreInUseError(
                f"Another program brings a restore of {database.name} to its end. Try again later."
            )
        time.sleep(_LOOK)
    return False


def _journal(database: Database) -> dict[str, Any] | None:
    return database[JOURNAL].find_one({"_id": "restore", "state": _SWAPPING})


@contextmanager
def _swapping(database: Database) -> Iterator[bool]:
    holder = turns.new_holder()
    is_ours = turns.hold(database, _SWAP, holder, _LEASE)
    try:
        yield is_ours
    finally:
        if is_ours:
            turns.let_go(database, _SWAP, holder)


def _swap(database: Database, names: list[str], stale: list[str]) -> None:
    """Put the collections beside in their places. Called again, it does what is left to do."""
    replaces = is_mongodb(database.client)
    for name in names:
        there = database.list_collection_names()
        if name + RESTORING_END not in there:
            continue  # done already
        if replaces:
            database[name + RESTORING_END].rename(name, dropTarget=True)
            continue
        if name in there:
            database[name + REPLACED].drop()
            database[name].rename(name + REPLACED)
        database[name + RESTORING_END].rename(name)
    for name in [*stale, *(name + REPLACED for name in names)]:
        database[name].drop()
    database[JOURNAL].drop()
