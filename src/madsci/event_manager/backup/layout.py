"""The folder of a backup: its name, its data, and what is written about it.

``madsci_events_backup_20260131_020000_000000_nightly/`` holds ``madsci_events/`` with the data,
``backup_metadata.json`` and ``backup.checksum``, the SHA-256 of the data files in the order of their
names. Earlier releases made the same, some without microseconds; these are listed and restored, too.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from madsci.common.errors import StoreDamagedError

METADATA: Final = "backup_metadata.json"
CHECKSUM: Final = "backup.checksum"
FORMAT: Final = 1
"""Stands in the metadata of backups that this program made."""

_ENDINGS: Final = (".bson", ".bson.gz", ".db")
_NAME: Final = re.compile(r"(?P<day>\d{8})_(?P<time>\d{6})(?:_(?P<us>\d{6}))?(?:_(?P<suffix>.+))?")
_CHUNK: Final = 1024 * 1024
_MAX_SUFFIX: Final = 60


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
    events: int | None = None
    database_version: str | None = None
    checksum: str | None = None
    suffix: str | None = None
    is_ours: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "path": str(self.path),
            "created_at": self.created_at.isoformat(),
            "size_bytes": self.size_bytes,
            "is_valid": self.is_valid,
            "events": self.events,
            "database_version": self.database_version,
            "description": self.suffix,
        }


def folder_name(database: str, moment: datetime, description: str | None) -> str:
    """Return the name of a backup's folder; of the description what a file name may hold."""
    suffix = re.sub(r"[^A-Za-z0-9-]+", "_", description or "").strip("_-")[:_MAX_SUFFIX]
    name = f"{database}_backup_{moment:%Y%m%d_%H%M%S_%f}"
    return f"{name}_{suffix}" if suffix else name


def read_backup(path: Path, database: str) -> Backup | None:
    """Return the backup of a database in a folder; ``None`` where it is something else."""
    match = _NAME.fullmatch(path.name.removeprefix(f"{database}_backup_"))
    if not path.name.startswith(f"{database}_backup_") or match is None or not path.is_dir():
        return None
    metadata = _metadata(path)
    files = data_files(path)
    size = sum(file.stat().st_size for file in files)
    told = metadata.get("backup_size")
    return Backup(
        path,
        _created_at(match),
        size,
        bool(files) and bool(metadata) and told in (None, size),
        metadata.get("events"),
        metadata.get("database_version"),
        metadata.get("checksum"),
        match["suffix"],
        metadata.get("format") == FORMAT and metadata.get("database_name") == database,
    )


def _created_at(match: re.Match[str]) -> datetime:
    text = match["day"] + match["time"] + (match["us"] or "000000")
    try:
        return datetime.strptime(text, "%Y%m%d%H%M%S%f").astimezone()  # in local time, as the name says
    except ValueError:
        return datetime.fromtimestamp(0).astimezone()


def _metadata(path: Path) -> dict[str, Any]:
    try:
        metadata = json.loads((path / METADATA).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return metadata if isinstance(metadata, dict) else {}


def data_folder(path: Path) -> Path:
    """Return the folder of the data files of a backup: its only subfolder, or itself.

    Raises:
        StoreDamagedError: there are no data in it.
    """
    for folder in (*_subfolders(path), path):
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
        return (path / CHECKSUM).read_text(encoding="utf-8").split()[0]
    except (OSError, IndexError):
        told = _metadata(path).get("checksum")
        return told if isinstance(told, str) else None


def write_metadata(path: Path, metadata: dict[str, Any]) -> None:
    """Write what is told of a backup beside its data, durably."""
    _write(path / CHECKSUM, metadata["checksum"])
    _write(path / METADATA, json.dumps(metadata, indent=2))
    sync_folder(path)


def _write(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(path: Path) -> None:
    """Make names in a folder durable, where the system can."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:  # Windows opens no folders
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
