"""Making, listing, verifying and restoring backups of one database."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Final

from madsci.common.clock import Clock, from_us, now_us
from madsci.common.errors import StoreDamagedError, StoreInUseError, StoreUnavailableError
from madsci.common.file_lock import try_lock
from madsci.event_manager.backup import layout
from madsci.event_manager.backup.layout import Backup
from madsci.event_manager.stores.upkeep import DatabaseState, Progress, Upkeep

SAFETY: Final = ("pre_migration", "pre_restore")
"""Descriptions of the backups that are made before something that may go wrong."""
_SAFETY_COPIES: Final = 3
"""So many of those are kept beside the others: one may belong to a migration that is to be repeated."""


def unseen(what: str, done: int, of: int | None) -> None:
    """Show no progress."""


class BackupService:
    """Backups of one database in one folder. Thread-safe; calls block.

    ``max_count`` backups are kept, the oldest goes when another one is made; it touches nothing in the
    folder but complete backups of this database that this program made.
    """

    def __init__(self, upkeep: Upkeep, folder: Path, *, max_count: int, clock: Clock = now_us) -> None:
        self.folder = folder
        self._upkeep = upkeep
        self._max_count = max_count
        self._clock = clock
        self._lock = threading.Lock()

    def create(self, description: str | None = None, progress: Progress = unseen) -> Backup:
        """Make a backup while the database is served, read it back, and return it.

        Everything that was acknowledged before is in it.

        Raises:
            StoreInUseError: one is being made already.
            StoreUnavailableError: the database or the folder cannot be used now.
        """
        name = layout.folder_name(self._upkeep.name, self._moment(), description)
        with self._alone(), _disk_errors(self.folder):
            part = self.folder / f".{name}.part"
            try:
                self._fill(part, progress)
                part.rename(self.folder / name)
                layout.sync_folder(self.folder)
            finally:  # where it did not become a backup, nothing stays
                shutil.rmtree(part, ignore_errors=True)
            self._rotate()
        backup = layout.read_backup(self.folder / name, self._upkeep.name)
        if backup is None:
            raise StoreDamagedError(f"The backup {name} was made, but cannot be read again.")
        return backup

    def _fill(self, part: Path, progress: Progress) -> None:
        moment = self._moment()
        version = self._upkeep.version().version
        part.mkdir(parents=True)
        data = part / self._upkeep.name
        dumped = self._upkeep.dump(data, progress)
        events = self._upkeep.check(data, progress)
        if events != dumped.events:
            raise StoreDamagedError(
                f"Of {dumped.events:,} events {events:,} could be read back from the backup; it was"
                " thrown away. Check the disk, and make another one."
            )
        layout.write_metadata(
            part,
            {
                "format": layout.FORMAT,
                "timestamp": moment.isoformat(),
                "engine": self._upkeep.engine,
                "database_name": self._upkeep.name,
                "database_version": version,
                "collections_count": dumped.collections,
                "events": events,
                "backup_size": sum(file.stat().st_size for file in layout.data_files(part)),
                "checksum": layout.checksum_of(part),
            },
        )

    def backups(self) -> list[Backup]:
        """Return the backups of this database in the folder, the newest first."""
        if not self.folder.is_dir():
            return []
        found = (layout.read_backup(path, self._upkeep.name) for path in self.folder.iterdir())
        return sorted(
            (one for one in found if one is not None), key=lambda one: one.created_at, reverse=True
        )

    def verify(self, path: Path, progress: Progress = unseen) -> int:
        """Read a backup to its end; return how many events it holds.

        Raises:
            StoreDamagedError: its checksum differs, or something in it cannot be read.
        """
        data = layout.data_folder(path)
        told, found = layout.told_checksum(path), layout.checksum_of(path)
        if told is not None and told != found:
            raise StoreDamagedError(
                f"The backup {path} is not what was written: its data have the checksum {found}, and"
                f" should have {told}. Nothing was changed. Use another backup."
            )
        return self._upkeep.check(data, progress)

    def restore(self, path: Path, progress: Progress = unseen) -> int:
        """Put a backup in the place of the database, whole; return how many events it holds.

        It is verified first. What the database holds now is backed up as ``pre_restore``, if anything.

        Raises:
            StoreDamagedError: the backup is damaged; the database is as it was.
            StoreInUseError: a server works with the database.
        """
        self.verify(path, progress)
        with self._upkeep.exclusive():
            if self._upkeep.version().state is not DatabaseState.FRESH:
                self.create("pre_restore", progress)
            return self._upkeep.restore(layout.data_folder(path), progress)

    def put_back(self, path: Path, progress: Progress = unseen) -> int:
        """Restore a backup without making another one first; called inside ``Upkeep.exclusive``."""
        self.verify(path, progress)
        return self._upkeep.restore(layout.data_folder(path), progress)

    def _rotate(self) -> None:
        ours = [backup for backup in self.backups() if backup.is_ours]
        safety = [backup for backup in ours if backup.suffix in SAFETY]
        others = [backup for backup in ours if backup.suffix not in SAFETY]
        for backup in (*others[self._max_count :], *safety[_SAFETY_COPIES:]):
            shutil.rmtree(backup.path, ignore_errors=True)

    def _moment(self) -> datetime:
        return from_us(self._clock()).astimezone()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other threads and processes from this database's backups in the folder."""
        refusal = f"A backup of {self._upkeep.name} is being made already. Wait until it is done."
        if not self._lock.acquire(blocking=False):
            raise StoreInUseError(refusal)
        try:
            with _disk_errors(self.folder):
                self.folder.mkdir(parents=True, exist_ok=True)
                lock = self.folder / f".{self._upkeep.name}.lock"
                descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)
            try:
                if not try_lock(descriptor):
                    raise StoreInUseError(refusal)
                # Nobody else is at work, so these are what a killed process left.
                for part in self.folder.glob(f".{self._upkeep.name}_backup_*.part"):
                    shutil.rmtree(part, ignore_errors=True)
                yield
            finally:
                os.close(descriptor)
        finally:
            self._lock.release()


@contextmanager
def _disk_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreUnavailableError(
            f"The backup could not be written to {folder}: {error}. Free space there, or choose another"
            " folder with EVENT_BACKUP_DIR or --backup-dir."
        ) from error
