"""The folder of a dump: files of BSON and of indexes, as ``mongodump`` writes them.

Of each collection there are its documents, one after the other, and its options and indexes as extended
JSON. Either may be compressed. https://www.mongodb.com/docs/database-tools/mongodump/
"""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, unquote

import bson
from bson import CodecOptions, DatetimeConversion, json_util

from madsci.common.errors import StoreDamagedError, StoreUnavailableError
from madsci.event_manager.stores.mongo.lanes import LANES, UNUSED
from madsci.event_manager.stores.mongo.schema import UNREADABLE
from madsci.event_manager.stores.mongo.tables import DOCUMENTS
from madsci.event_manager.stores.upkeep import Progress

OTHERS: Final = frozenset({DOCUMENTS, LANES, UNUSED, "facts", "schema_versions", UNREADABLE})
"""Collections that hold no events."""
AT_ONCE: Final = 1_000
"""Documents in one request: half a megabyte of events."""

_ENDINGS: Final = (".bson", ".bson.gz")
_METADATA: Final = ".metadata.json"
_SMALLEST: Final = 5
_LARGEST: Final = 16 * 1024 * 1024 + 16 * 1024
"""Bytes of a document: an empty one, and the largest that a server gives out."""
_LENGTH: Final = 4
_LENIENT: Final[CodecOptions[dict[str, Any]]] = CodecOptions(
    datetime_conversion=DatetimeConversion.DATETIME_AUTO, unicode_decode_error_handler="replace"
)
"""Reads what programs in other languages wrote: years beyond 9999, text that is not UTF-8. It is for
checking the form only; what is restored are the bytes."""
_LONGEST_NAME: Final = 200
"""Characters of a file's name before its ending; file systems take 255."""


@dataclass(frozen=True)
class DumpedCollection:
    """A collection in a dump: the file of its documents, and what is said about it."""

    name: str
    path: Path
    options: dict[str, Any]
    indexes: list[dict[str, Any]]

    @property
    def holds_events(self) -> bool:
        """Whether its documents count as events."""
        return self.name not in OTHERS


def file_stem(collection: str) -> str:
    """Return what the files of a collection are called: its name, with escapes as in URLs."""
    stem = quote(collection, safe="$&+=@")
    if len(stem) <= _LONGEST_NAME:
        return stem
    return f"{stem[:_LONGEST_NAME]}%24{hashlib.sha256(collection.encode()).hexdigest()[:24]}"


def metadata_text(collection: str, options: dict[str, Any], indexes: list[dict[str, Any]]) -> str:
    """Return what a dump says about a collection."""
    metadata = {
        "options": options, "indexes": indexes, "collectionName": collection, "type": "collection",
    }  # fmt: skip
    return json_util.dumps(metadata, json_options=json_util.CANONICAL_JSON_OPTIONS)


def metadata_file(folder: Path, collection: str) -> Path:
    """Return the file that says what a dump says about a collection."""
    return folder / f"{file_stem(collection)}{_METADATA}"


def documents_file(folder: Path, collection: str) -> Path:
    """Return the file of a collection's documents."""
    return folder / f"{file_stem(collection)}.bson"


def collections(folder: Path) -> list[DumpedCollection]:
    """Return the collections in a dump by their names; those of the server itself are left out.

    Raises:
        StoreDamagedError: there are none, or what is said about one cannot be read.
    """
    found = [
        _collection(path)
        for path in sorted(folder.iterdir() if folder.is_dir() else ())
        if path.name.endswith(_ENDINGS) and not path.name.startswith("system.")
    ]
    if not found:
        raise StoreDamagedError(f"There is no dump of a database in {folder}. Nothing was changed.")
    return sorted(found, key=lambda one: one.name)


def _collection(path: Path) -> DumpedCollection:
    stem = path.name.removesuffix(".gz").removesuffix(".bson")
    for metadata in (path.with_name(stem + _METADATA), path.with_name(f"{stem}{_METADATA}.gz")):
        if not metadata.exists():
            continue
        try:
            content = metadata.read_bytes()
            text = gzip.decompress(content) if metadata.suffix == ".gz" else content
            said = json_util.loads(text.decode())
            name = str(said.get("collectionName") or unquote(stem))
            return DumpedCollection(name, path, dict(said.get("options") or {}), list(said["indexes"]))
        except OSError as error:
            if isinstance(error, gzip.BadGzipFile):
                raise _damaged(metadata, 0, str(error)) from error
            raise _unreadable(metadata, error) from error
        except (
            EOFError, zlib.error, ValueError, KeyError, TypeError, AttributeError,
            json.JSONDecodeError,
        ) as error:  # fmt: skip
            raise StoreDamagedError(
                f"{metadata} cannot be read ({error}). Nothing was changed. Use another backup."
            ) from error
    return DumpedCollection(unquote(stem), path, {}, [])


def documents(path: Path) -> Iterator[bytes]:
    """Yield the documents of a file, as they stand there.

    Raises:
        StoreDamagedError: one cannot be read, or the file ends within one.
        StoreUnavailableError: the disk does not give it, or not to us.
    """
    place = 0
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
            while head := file.read(_LENGTH):
                length = int.from_bytes(head, "little")
                if len(head) < _LENGTH or not _SMALLEST <= length <= _LARGEST:
                    raise _damaged(path, place, "no document begins there")
                document = head + file.read(length - _LENGTH)
                bson.decode(document, _LENIENT)
                yield document
                place += length
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise _damaged(path, place, str(error)) from error
    except OSError as error:
        raise _unreadable(path, error) from error
    except (bson.errors.BSONError, ValueError) as error:
        raise _damaged(path, place, str(error)) from error


def _damaged(path: Path, place: int, reason: str) -> StoreDamagedError:
    return StoreDamagedError(
        f"{path} is damaged at byte {place:,}: {reason}. Nothing was changed. Use another backup."
    )


def _unreadable(path: Path, error: OSError) -> StoreUnavailableError:
    return StoreUnavailableError(
        f"{path} cannot be read now: {error}. Nothing was changed. Look after the disk and who may read"
        " there, and try again."
    )


def check_dump(folder: Path, progress: Progress) -> int:
    """Read a dump to its end; return how many events it holds.

    Raises:
        StoreDamagedError: something in it cannot be read.
    """
    events = 0
    for collection in collections(folder):
        number = 0
        for number, _ in enumerate(documents(collection.path), 1):
            if number % AT_ONCE == 0:
                progress(f"checking {collection.name}", number, None)
        events += number if collection.holds_events else 0
    return events


class Fingerprint:
    """Tells whether two sets of documents are the same, in whatever order they come."""

    def __init__(self) -> None:
        self._sum = 0
        self.number = 0

    def add(self, document: bytes) -> None:
        """Take a document in."""
        self._sum += int.from_bytes(hashlib.blake2b(document, digest_size=32).digest(), "little")
        self.number += 1

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Fingerprint):
            return NotImplemented
        return (self._sum, self.number) == (other._sum, other.number)

    def __hash__(self) -> int:
        return hash((self._sum, self.number))


def split(batch: bytes) -> Iterator[bytes]:
    """Yield the documents of a batch, one after the other."""
    place = 0
    while place < len(batch):
        length = int.from_bytes(batch[place : place + _LENGTH], "little")
        yield batch[place : place + length]
        place += length
