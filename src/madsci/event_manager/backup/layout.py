"""The folder of a backup: its name, its data, and what is written about it.

``madsci_events_backup_20260131_020000_000000_nightly/`` holds ``madsci_events/`` with the data,
``backup_metadata.json`` and ``backup.checksum``, the SHA-256 of the data files in the order of their
names. Earlier releases made the same, some without microseconds; these are listed and restored, too.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Any, Final

from madsci.common.durability import sync_folder, write_durably
from madsci.common.errors import StoreDamagedError

METADATA: Final = "backup_metadata.json"
CHECKSUM: Final = "backup.checksum"
FORMAT: Final = 1
"""Stands in the metadata of backups that this program made."""
SCHEDULED: Final = "scheduled"
"""The description of those that a schedule makes."""

_ENDINGS: Final = (".bson", ".bson.gz", ".db")
_NAME: Final = re.compile(r"(?P<day>\d{8})_(?P<time>\d{6})(?:_(?P<us>\d{6}))?(?:_(?P<suffix>.+))?")
_CHUNK: Final = 1024 * 1024
_MAX_SUFFIX: Final = 60


class Origin(Enum):
    """What a backup was made for. It stands in the metadata; earlier versions said it in the name."""

    REQUEST = "request"
    SCHEDULE = "schedule"
    PRE_MIGRATION = "pre_migration"
    PRE_RESTORE = "pre_restore"
    PRE_PURGE = "pre_purge"


@dataclass(frozen=True)
class Backup:
    """A backup, as its folder tells of it.

    ``is_valid`` says that its files have the sizes they should have; whether their content is whole
    is told by ``BackupService.verify`` only. ``events`` and ``database_version`` are ``None`` where
    its maker did not say. Sizes are in bytes.
    """

    path: Path
    created_at: datetime
    size_bytes: int
    is_valid: bool
    suffix: str | None
    metadata: dict[str, Any]

    @property
    def events(self) -> int | None:
        """How many events it holds."""
        number = self.metadata.get("events")
        return number if isinstance(number, int) else None

    @property
    def damaged(self) -> int:
        """How many events of the database could not be read, and are not in it."""
        return _count(self.metadata.get("damaged_events"))

    @property
    def shrank(self) -> bool:
        """Whether the database held far fewer events than in the backup before."""
        return self.metadata.get("shrank") is True

    @property
    def number(self) -> int:
        """Its place in the order in which those of a folder were made; 0 of earlier versions."""
        return _count(self.metadata.get("number"))

    @property
    def origin(self) -> Origin:
        """What it was made for."""
        told = self.metadata.get("origin")
        if told is None:
            told = "schedule" if self.suffix == SCHEDULED else self.suffix
        return next((one for one in Origin if one.value == told), Origin.REQUEST)

    @property
    def content(self) -> str:
        """What it holds, in words: ``999 events and 1 that is damaged``."""
        return content_in_words(self.events, self.damaged)

    @property
    def checksum(self) -> str | None:
        """The SHA-256 of its data, as hexadecimal digits."""
        return _text(self.metadata.get("checksum"))

    @property
    def database_version(self) -> str | None:
        """The version of the database that it was made of."""
        return _text(self.metadata.get("database_version"))

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "path": str(self.path),
            "created_at": self.created_at.isoformat(),
            "size_bytes": self.size_bytes,
            "is_valid": self.is_valid,
            "events": self.events,
            "damaged_events": self.damaged,
            "shrank": self.shrank,
            "origin": self.origin.value,
            "database_version": self.database_version,
            "checksum": self.checksum,
            "description": self.suffix,
        }


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _count(value: object) -> int:
    return value if type(value) is int and value > 0 else 0


def content_in_words(events: int | None, damaged: int) -> str:
    """Return what a backup holds: ``999 events and 1 that is damaged``."""
    told = "events" if events is None else f"{events:,} event{'s' * (events != 1)}"
    return f"{told} and {damaged:,} that {'is' if damaged == 1 else 'are'} damaged" if damaged else told


def folder_name(database: str, moment: datetime, description: str | None) -> str:
    """Return the name of a backup's folder; of the description what a file name may hold."""
    suffix = re.sub(r"[^A-Za-z0-9-]+", "_", description or "").strip("_-")[:_MAX_SUFFIX]
    name = f"{database}_backup_{moment:%Y%m%d_%H%M%S_%f}"
    return f"{name}_{suffix}" if suffix else name


def read_backup(path: Path, database: str) -> Backup | None:
    """Return the backup of a database in a folder; ``None`` where it is something else."""
    beginning = f"{database}_backup_"
    match = _NAME.fullmatch(path.name.removeprefix(beginning))
    if not path.name.startswith(beginning) or match is None or not path.is_dir():
        return None
    metadata, files = _metadata(path), data_files(path)
    created_at = _told_moment(metadata) or _named_moment(match)
    if created_at is None:
        return None
    size = sum(file.stat().st_size for file in files)
    # Earlier releases did not say of what their size is.
    is_as_told = metadata.get("format") != FORMAT or metadata.get("backup_size") == size
    return Backup(
        path, created_at, size, bool(files and metadata and is_as_told), match["suffix"], metadata
    )


def _told_moment(metadata: dict[str, Any]) -> datetime | None:
    """Return when it was made, where that is told with an offset; names have none."""
    try:
        moment = datetime.fromisoformat(metadata.get("timestamp") or "")
    except (TypeError, ValueError):
        return None
    return None if moment.tzinfo is None else moment


def _named_moment(match: re.Match[str]) -> datetime | None:
    text = match["day"] + match["time"] + (match["us"] or "000000")
    try:
        return datetime.strptime(text, "%Y%m%d%H%M%S%f").astimezone()  # in local time, as the name says
    except (ValueError, OverflowError, OSError):
        return None


def _metadata(path: Path) -> dict[str, Any]:
    try:
        metadata = json.loads((path / METADATA).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return metadata if isinstance(metadata, dict) else {}


def backup_folder(path: Path) -> Path:
    """Return the folder of a backup that is named by it, or by the folder of its data."""
    is_inside = not (path / METADATA).exists() and (path.parent / METADATA).exists()
    return path.parent if is_inside else path


def data_folder(path: Path, database: str) -> Path:
    """Return the folder of the data files of a backup: that of the database, its only one, or itself.

    Raises:
        StoreDamagedError: there are no data in it, or those of several databases.
    """
    found = [folder for folder in _subfolders(path) if any(_data_files_in(folder))]
    named = [folder for folder in found if folder.name == database]
    if len(found) > 1 and not named:
        names = ", ".join(folder.name for folder in found)
        raise StoreDamagedError(
            f"{path} holds several databases ({names}), and none of them is {database}. Name the folder"
            " of one. Nothing was changed."
        )
    for folder in (*named, *found, path):
        if any(_data_files_in(folder)):
            return folder
    raise StoreDamagedError(f"There is no backup in {path}. Nothing was changed.")


def _subfolders(path: Path) -> list[Path]:
    return sorted(one for one in path.iterdir() if one.is_dir()) if path.is_dir() else []


def data_files(path: Path) -> list[Path]:
    """Return the data files of a backup in the order of their names."""
    return [file for folder in (*_subfolders(path), path) for file in _data_files_in(folder)]


def _data_files_in(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        for file in sorted(folder.iterdir()):
            if file.name.endswith(_ENDINGS) and file.is_file():
                yield file


def checksum_of(path: Path) -> str:
    """Return the SHA-256 of the data of a backup, as hexadecimal digits."""
    digest = hashlib.sha256()
    for file in data_files(path):
        with file.open("rb") as data:
            while chunk := data.read(_CHUNK):
                digest.update(chunk)
    return digest.hexdigest()


def told_checksum(path: Path) -> str | None:
    """Return the checksum that a backup was given, if it was."""
    try:
        return (path / CHECKSUM).read_text(encoding="utf-8").split()[0].lower()
    except (OSError, IndexError, ValueError):
        return _text(_metadata(path).get("checksum"))


def write_metadata(path: Path, metadata: dict[str, Any]) -> None:
    """Write what is told of a backup beside its data, durably."""
    write_durably(path / CHECKSUM, metadata["checksum"])
    write_durably(path / METADATA, json.dumps(metadata, indent=2))
    sync_folder(path)
