"""Making, listing, verifying and restoring backups of one database."""

from __future__ import annotations

import glob
import logging
import os
import shutil
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from madsci.common.clock import Clock, from_us, now_us
from madsci.common.durability import make_private_folders, sync_folder
from madsci.common.errors import (
    SchemaVersionError,
    StoreDamagedError,
    StoreError,
    StoreInUseError,
    StoreUnavailableError,
)
from madsci.common.file_lock import try_lock
from madsci.event_manager.backup import layout
from madsci.event_manager.backup.keeping import Keeping, has_shrunk, in_order, to_go
from madsci.event_manager.backup.layout import Backup, Origin
from madsci.event_manager.backup.making import Making, MakingHere
from madsci.event_manager.stores.upkeep import DatabaseState, Progress, Upkeep

_logger = logging.getLogger(__name__)

_MICROSECOND: Final = timedelta(microseconds=1)
_SPARE: Final = 64 * 1024 * 1024
"""Bytes that a backup leaves free on the disk, where a server may write, too."""


def unseen(what: str, done: int, of: int | None) -> None:
    """Show no progress."""


class BackupService:
    """Backups of one database in one folder. Thread-safe; calls block.

    When one was made, those go that ``keeping`` does not keep. Nothing in the folder is touched but
    complete backups of this database that this program made. The folder is made for this user only.
    ``making`` says where the data are made, by default by the thread that asks.
    """

    def __init__(
        self,
        upkeep: Upkeep,
        folder: Path,
        *,
        keeping: Keeping,
        making: Making | None = None,
        clock: Clock = now_us,
    ) -> None:
        self.folder = folder.absolute()
        self._upkeep = upkeep
        self._keeping = keeping
        self._making = making or MakingHere(upkeep)
        self._clock = clock
        self._lock = threading.Lock()

    def create(
        self,
        description: str | None = None,
        progress: Progress = unseen,
        *,
        origin: Origin | None = None,
    ) -> Backup:
        """Make a backup while the database is served, read it back, and return it.

        Everything that was acknowledged before is in it. Until it is whole, it is a hidden folder.
        ``origin`` is what it is made for, by default what the description says of that.

        Raises:
            StoreInUseError: one is being made already, by this or another program.
            StoreUnavailableError: the database or the folder cannot be used now.
            StoreDamagedError: what was written cannot be read.
        """
        return self._make(description, progress, origin, rotate=True)

    def _make(
        self, description: str | None, progress: Progress, origin: Origin | None, *, rotate: bool
    ) -> Backup:
        with self._alone(), _disk_errors(self.folder):
            name = self._free_name(description)
            part = self.folder / f".{name}.part"
            self._refuse_without_space()
            try:
                self._fill(part, progress, origin or _origin_of(description))
                part.rename(self.folder / name)
                sync_folder(self.folder)
            finally:  # where it did not become a backup, nothing stays
                shutil.rmtree(part, ignore_errors=True)
            if rotate:
                self._rotate()
            backup = layout.read_backup(self.folder / name, self._upkeep.name)
        if backup is None:
            raise StoreDamagedError(f"The backup {name} was made, but cannot be read again.")
        return backup

    def _free_name(self, description: str | None) -> str:
        """Return a name that no backup has: a clock that was set back comes by the same time again."""
        moment = self._moment()
        while (self.folder / (name := self._name_at(moment, description))).exists():
            moment += _MICROSECOND
        return name

    def _name_at(self, moment: datetime, description: str | None) -> str:
        return layout.folder_name(self._upkeep.name, moment, description)

    def _refuse_without_space(self) -> None:
        wanted = self._upkeep.size() + _SPARE
        free = shutil.disk_usage(self.folder).free
        if free < wanted:
            raise StoreUnavailableError(
                f"A backup of {self._upkeep.name} may take {wanted / 1e6:,.0f} MB, and {self.folder}"
                f" has {free / 1e6:,.0f} MB left. Free space there, or choose another folder with"
                " EVENT_BACKUP_DIR or --backup-dir."
            )

    def _fill(self, part: Path, progress: Progress, origin: Origin) -> None:
        moment = self._moment()
        earlier = self.backups()
        version = self._upkeep.version().version
        part.mkdir(mode=0o700)
        made = self._making.make(part, progress)
        dumped, events = made.dumped, made.events
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
                "location": self._upkeep.location,
                "database_name": self._upkeep.name,
                "database_version": version,
                "collections_count": dumped.collections,
                "events": events,
                "damaged_events": dumped.damaged,
                "origin": origin.value,
                "number": 1 + max((one.number for one in earlier), default=0),
                "shrank": has_shrunk(events, self._ours(earlier)),
                "consistency": dumped.consistency,
                "backup_size": sum(file.stat().st_size for file in layout.data_files(part)),
                "checksum": made.checksum,
            },
        )
        sync_folder(part)

    def backups(self) -> list[Backup]:
        """Return the backups of this database in the folder, the last one made first.

        Raises:
            StoreUnavailableError: the folder cannot be read.
        """
        if not self.folder.is_dir():
            return []
        with _disk_errors(self.folder):
            found = [layout.read_backup(path, self._upkeep.name) for path in self.folder.iterdir()]
        return in_order(one for one in found if one is not None)

    def verify(self, path: Path, progress: Progress = unseen) -> int:
        """Read a backup to its end; return how many events it holds.

        ``path`` is its folder, that of its data, or its name in the folder of backups.

        Raises:
            StoreDamagedError: its checksum differs, or something in it cannot be read.
            SchemaVersionError: a newer version of this program made it.
        """
        backup = layout.backup_folder(self._found(path))
        data = self._data(path)
        with _disk_errors(backup):
            told, found = layout.told_checksum(backup), layout.checksum_of(backup)
        if told is not None and told != found:
            raise StoreDamagedError(
                f"The backup {backup} is not what was written: its data have the checksum {found}, and"
                f" should have {told}. Nothing was changed. Use another backup."
            )
        return self._upkeep.check(data, progress)

    def restore(self, path: Path, progress: Progress = unseen) -> int:
        """Put a backup in the place of the database, whole; return how many events it holds.

        It is verified first. What the database holds now is backed up as ``pre_restore``, if anything,
        and no other backup goes for that. A file that is too damaged, or too new, to be backed up stays
        beside the restored one.

        Raises:
            StoreDamagedError: the backup is damaged; the database is as it was.
            StoreInUseError: a server works with the database.
            SchemaVersionError: a newer version made the backup, or the database is another program's.
        """
        self.verify(path, progress)
        with self._upkeep.exclusive():
            self._back_up_before_restore(progress)
            return self._upkeep.restore(self._data(path), progress)

    def _back_up_before_restore(self, progress: Progress) -> None:
        try:
            if self._upkeep.version().state is DatabaseState.FRESH:
                return
        except StoreDamagedError as error:
            self._go_on_without_backup(error)
            return
        try:
            self._make("pre_restore", progress, Origin.PRE_RESTORE, rotate=False)
        except (StoreDamagedError, SchemaVersionError) as error:  # the latter of a newer version
            self._go_on_without_backup(error)

    def _go_on_without_backup(self, error: StoreError) -> None:
        if not self._upkeep.keeps_replaced:
            raise error
        _logger.warning("No backup could be made before restoring: %s", error.message)

    def put_back(self, path: Path, progress: Progress = unseen) -> int:
        """Restore a backup without making another one first; called inside ``Upkeep.exclusive``."""
        self.verify(path, progress)
        return self._upkeep.restore(self._data(path), progress)

    def _found(self, path: Path) -> Path:
        here = self.folder / path
        return path if path.exists() or path.is_absolute() or not here.exists() else here

    def _data(self, path: Path) -> Path:
        return layout.data_folder(self._found(path), self._upkeep.name)

    def _rotate(self) -> None:
        for backup in to_go(self._ours(self.backups()), self._moment(), self._keeping):
            _logger.info("The backup %s makes room for newer ones", backup.path)
            # Hidden first: what is deleted halfway when the process is killed is no backup any more.
            part = backup.path.rename(self.folder / f".{backup.path.name}.part")
            shutil.rmtree(part, ignore_errors=True)

    def _ours(self, backups: Iterable[Backup]) -> list[Backup]:
        return [one for one in backups if one.is_valid and self._is_ours(one)]

    def _is_ours(self, backup: Backup) -> bool:
        """Tell whether it is of this very database: others may have the same name elsewhere."""
        wanted = {
            "format": layout.FORMAT,
            "engine": self._upkeep.engine,
            "location": self._upkeep.location,
            "database_name": self._upkeep.name,
        }
        return all(backup.metadata.get(name) == value for name, value in wanted.items())

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
                make_private_folders(self.folder)
                lock = self.folder / f".{self._upkeep.name}.lock"
                descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                with _disk_errors(self.folder):
                    is_ours = try_lock(descriptor)
                if not is_ours:
                    raise StoreInUseError(refusal)
                # Nobody else is at work, so these are what a killed process left.
                for part in self.folder.glob(f".{glob.escape(self._upkeep.name)}_backup_*.part"):
                    shutil.rmtree(part, ignore_errors=True)
                yield
            finally:
                os.close(descriptor)
        finally:
            self._lock.release()


def _origin_of(description: str | None) -> Origin:
    return next((one for one in Origin if one.value == description), Origin.REQUEST)


@contextmanager
def _disk_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreUnavailableError(
            f"The backups in {folder} cannot be worked with: {error}. Free space there, let this user"
            " write there, or choose another folder with EVENT_BACKUP_DIR or --backup-dir."
        ) from error
