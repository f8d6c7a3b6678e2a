"""A database as files of BSON, as ``mongodump`` writes them and ``mongorestore`` reads them.

Of each collection there are its documents, one after the other, and its indexes as extended JSON.
https://www.mongodb.com/docs/database-tools/mongodump/
"""

from __future__ import annotations

import gzip
import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Final

import bson
from bson import json_util
from bson.raw_bson import RawBSONDocument
from pymongo.client_session import ClientSession
from pymongo.errors import OperationFailure

from madsci.common.errors import StoreDamagedError
from madsci.event_manager.stores.mongo.connection import Client, Collection, Database, is_mongodb
from madsci.event_manager.stores.mongo.turns import TURNS
from madsci.event_manager.stores.mongo.versions import JOURNAL, REPLACED, RESTORING, content
from madsci.event_manager.stores.upkeep import Dumped, Progress

_logger = logging.getLogger(__name__)

_AT_ONCE: Final = 1_000
"""Documents in one request: half a megabyte of events."""
_SMALLEST: Final = 5
_LARGEST: Final = 16 * 1024 * 1024 + 16 * 1024
"""Bytes of a document: an empty one, and the largest that a server gives out."""
_SWAPPING: Final = "swapping"


def dump_database(
    database: Database, folder: Path, progress: Progress, *, session: ClientSession | None = None
) -> Dumped:
    """Write every collection into a new folder; raises the driver's errors.

    What was acknowledged before is in it. With a snapshot session it is of one moment.
    """
    folder.mkdir(parents=True)
    names = content(database)
    events = 0
    for name in names:
        number = _dump(database[name], folder, progress, session)
        events += number if name not in _SMALL else 0
    return Dumped(len(names), events)


_SMALL: Final = frozenset({"facts", "schema_versions", "unreadable_events"})


def _dump(
    collection: Collection, folder: Path, progress: Progress, session: ClientSession | None
) -> int:
    whole = collection.estimated_document_count()
    number = 0
    with (folder / f"{collection.name}.bson").open("wb") as file:
        for raw in collection.find_raw_batches({}, batch_size=_AT_ONCE, session=session):
            batch = bytes(raw)  # type: ignore[arg-type] # the driver's types say documents
            file.write(batch)
            number += sum(1 for _ in _lengths(batch))
            progress(f"writing {collection.name}", number, whole)
        _sync(file)
    indexes = [dict(one) for one in collection.list_indexes()]
    metadata = {"options": {}, "indexes": indexes, "collectionName": collection.name,
                "type": "collection"}  # fmt: skip
    with (folder / f"{collection.name}.metadata.json").open("wb") as file:
        file.write(json_util.dumps(metadata, json_options=json_util.CANONICAL_JSON_OPTIONS).encode())
        _sync(file)
    return number


def _lengths(batch: bytes) -> Iterator[int]:
    place = 0
    while place < len(batch):
        length = int.from_bytes(batch[place : place + 4], "little")
        yield length
        place += length


def _sync(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())


def documents(path: Path) -> Iterator[RawBSONDocument]:
    """Yield the documents of a BSON file, also of a compressed one.

    Raises:
        StoreDamagedError: the file is not BSON, or ends within a document.
    """
    place = 0
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
            while head := file.read(4):
                length = int.from_bytes(head, "little")
                if len(head) < 4 or not _SMALLEST <= length <= _LARGEST:  # noqa: PLR2004
                    raise _damaged(path, place)
                document = head + file.read(length - 4)
                if len(document) < length or document[-1]:
                    raise _damaged(path, place)
                yield RawBSONDocument(document)
                place += length
    except (EOFError, gzip.BadGzipFile, OSError) as error:
        raise _damaged(path, place) from error


def _damaged(path: Path, place: int) -> StoreDamagedError:
    return StoreDamagedError(
        f"{path} is damaged at byte {place:,}. Nothing was changed. Use another backup."
    )


def dumped_files(folder: Path) -> dict[str, Path]:
    """Return the files of documents in a dump by the names of their collections.

    Raises:
        StoreDamagedError: there are none.
    """
    found = {
        path.name.removesuffix(".gz").removesuffix(".bson"): path
        for path in sorted(folder.glob("*.bson*"))
        if path.name.endswith((".bson", ".bson.gz")) and not path.name.startswith("system.")
    }
    if not found:
        raise StoreDamagedError(f"There is no dump of a database in {folder}. Nothing was changed.")
    return found


def check_dump(folder: Path, progress: Progress) -> int:
    """Read a dump to its end; return how many events it holds.

    Raises:
        StoreDamagedError: something in it cannot be read.
    """
    events = 0
    for name, path in dumped_files(folder).items():
        number = 0
        for document in documents(path):
            _decoded(document, path)
            number += 1
            if number % _AT_ONCE == 0:
                progress(f"checking {name}", number, None)
        _indexes(folder, name)
        events += number if name not in _SMALL else 0
    return events


def _decoded(document: RawBSONDocument, path: Path) -> None:
    try:
        bson.decode(document.raw)
    except (bson.errors.BSONError, ValueError) as error:
        raise StoreDamagedError(
            f"A document in {path} cannot be read: {error}. Nothing was changed. Use another backup."
        ) from error


def _indexes(folder: Path, name: str) -> list[dict[str, Any]]:
    for path in (folder / f"{name}.metadata.json", folder / f"{name}.metadata.json.gz"):
        if not path.exists():
            continue
        try:
            data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
            return list(json_util.loads(data.decode())["indexes"])
        except (OSError, ValueError, KeyError, TypeError, json.JSONDecodeError) as error:
            raise StoreDamagedError(
                f"{path} cannot be read ({error}). Nothing was changed. Use another backup."
            ) from error
    return []


def restore_database(client: Client, name: str, folder: Path, progress: Progress) -> int:
    """Put a dump in the place of a database's content; return how many events that are.

    All of it is loaded into collections beside, and counted. Then a journal says that they are to
    be swapped, and they are; whoever opens the database after a crash swaps the rest.

    Raises:
        StoreDamagedError: the dump cannot be read, or did not arrive whole.
    """
    database = client[name]
    sources = {one: path for one, path in dumped_files(folder).items() if one not in (TURNS, JOURNAL)}
    finish_interrupted_restore(database)
    events = 0
    for one, path in sources.items():
        number = _load(database[one + RESTORING], path, _indexes(folder, one), progress)
        events += number if one not in _SMALL else 0
    stale = [one for one in content(database) if one not in sources]
    journal = {"state": _SWAPPING, "names": list(sources), "stale": stale}
    database[JOURNAL].replace_one({"_id": "restore"}, journal, upsert=True)
    _swap(database, list(sources), stale)
    return events


def _load(side: Collection, path: Path, indexes: list[dict[str, Any]], progress: Progress) -> int:
    side.drop()
    number = 0
    waiting: list[RawBSONDocument] = []
    for document in documents(path):
        waiting.append(document)
        number += 1
        if len(waiting) == _AT_ONCE:
            side.insert_many(waiting, ordered=False)
            waiting = []
            progress(f"reading {path.name}", number, None)
    if waiting:
        side.insert_many(waiting, ordered=False)
    else:
        _make_empty(side)
    for index in indexes:
        _make_index(side, index)
    arrived = side.count_documents({})
    if arrived != number:
        side.drop()
        raise StoreDamagedError(
            f"Of {number:,} documents of {path} {arrived:,} arrived: some ids are there twice. Nothing"
            " was changed. Use another backup."
        )
    return number


def _make_empty(side: Collection) -> None:
    if side.name not in side.database.list_collection_names():
        side.database.create_collection(side.name)


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
    """Bring to its end what a restore that was killed left behind; tell whether that was a swap.

    A restore that had not loaded everything leaves the old data as they were.
    """
    journal = database[JOURNAL].find_one({"_id": "restore"})
    if journal is not None and journal.get("state") == _SWAPPING:
        _logger.warning("A restore of %s that was interrupted is brought to its end.", database.name)
        _swap(database, list(journal["names"]), list(journal["stale"]))
        return True
    for name in database.list_collection_names():
        if name.endswith(RESTORING):
            database[name].drop()
    return False


def _swap(database: Database, names: list[str], stale: list[str]) -> None:
    replaces = is_mongodb(database.client)
    for name in names:
        there = database.list_collection_names()
        if name + RESTORING not in there:
            continue  # done already
        if replaces:
            database[name + RESTORING].rename(name, dropTarget=True)
            continue
        if name in there:
            database[name + REPLACED].drop()
            database[name].rename(name + REPLACED)
        database[name + RESTORING].rename(name)
    for name in [*stale, *(name + REPLACED for name in names)]:
        database[name].drop()
    database[JOURNAL].drop()
