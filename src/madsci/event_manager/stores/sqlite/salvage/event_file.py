"""Saving what can be read of a damaged event file; see ``stores.salvage``."""

from __future__ import annotations

import glob
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from madsci.common.durability import sync_folder
from madsci.common.errors import (
    StoreDamagedError,
    StoreError,
    StoreInUseError,
    StoreUnavailableError,
)
from madsci.event_manager.stores.salvage import Salvaged, Trouble, TroubleKind
from madsci.event_manager.stores.sqlite.faults import translated
from madsci.event_manager.stores.sqlite.file.commit_mark import CommitMark, read_mark
from madsci.event_manager.stores.sqlite.file.lock import StoreLock
from madsci.event_manager.stores.sqlite.file.opening import DAMAGED
from madsci.event_manager.stores.sqlite.file.swapping import RESTORING_SUFFIX, replace_file
from madsci.event_manager.stores.sqlite.salvage.pages import Pages
from madsci.event_manager.stores.sqlite.salvage.raw_file import RawFile
from madsci.event_manager.stores.sqlite.salvage.rows import RowReader
from madsci.event_manager.stores.sqlite.salvage.salvaging import Salvaging
from madsci.event_manager.stores.sqlite.salvage.target import Target, TroubleList
from madsci.event_manager.stores.upkeep import Progress

_LIST: Final = ".troubles.ndjson"
"""Ends the name of the list of what was not saved."""


class SqliteSalvage:
    """Saves what can be read of one event file and its log; see ``Salvage``."""

    def __init__(self, path: Path) -> None:
        self._path = path.absolute()
        self.location = str(self._path)

    def save(self, target: Path, progress: Progress) -> Salvaged:
        """Write all events that can be read into a new file; see ``Salvage``."""
        self._refuse_nothing()
        target = target.absolute()
        part = target.with_name(f".{target.name}.part")
        with self._alone(), self._disk_errors(target):
            _refuse_existing(target)
            target.parent.mkdir(parents=True, exist_ok=True)
            salvaged = self._save(target, part, progress)
            _refuse_existing(target)
            part.rename(target)
            sync_folder(target.parent)
        return _listed(salvaged, part, target)

    def save_in_place(self, progress: Progress) -> Salvaged:
        """Put the new file in the place of the damaged one; see ``Salvage``."""
        self._refuse_nothing()
        part = Path(f"{self._path}{RESTORING_SUFFIX}")
        with self._alone(), self._disk_errors(self._path):
            try:
                salvaged = self._save(self._path, part, progress)
                salvaged.kept = replace_file(self._path, part, keeps_log=True)
            finally:
                part.unlink(missing_ok=True)
        return _listed(salvaged, part, salvaged.kept or self._path)

    def _refuse_nothing(self) -> None:
        """Refuse what has no bytes at all: there is nothing to save, and no store is made."""
        files = (self._path, self._log)
        if not any(file.exists() for file in files):
            raise StoreError(f"There is no file {self._path}. Name the event file with --db-url.")
        if not any(file.exists() and file.stat().st_size for file in files):
            raise StoreDamagedError(
                f"{self._path} is empty: there is nothing in it that could be saved. Restore a backup."
            )

    @property
    def _log(self) -> Path:
        return Path(f"{self._path}-wal")

    def _save(self, target: Path, part: Path, progress: Progress) -> Salvaged:
        salvaged = Salvaged(self.location, str(target))
        listed = TroubleList(Path(f"{part}{_LIST}"), salvaged)
        mark = read_mark(self._path)
        with _gone_on_failure(part), ExitStack() as open_files, translated(str(part)):
            file = self._opened(self._path, open_files)
            pages = Pages(file, self._opened(self._log, open_files))
            with Target(part) as new, RowReader() as reader:
                salvaging = Salvaging(pages, new, reader, progress)
                salvaging.run()
                for log in self._logs_set_aside():
                    salvaging.save_left_over(Pages(file, self._opened(log, open_files)))
                new.set_facts(salvaging.facts(), max(salvaging.greatest, mark.seq if mark else 0))
                new.put(salvaging.documents())
                if not new.events and not salvaging.events_walk.is_complete:
                    raise StoreDamagedError(
                        f"Nothing in {self._path} can be read as an event: it is no event file, or"
                        " encrypted, or all of it is destroyed. No store was made. Restore a backup."
                    )
                listed.write(salvaging.places())
                listed.write(new.troubles())
                if mark is not None:
                    listed.write(_missing_since(mark, new.events + salvaged.lost, salvaging.greatest))
                progress("checking the new file", 0, None)
                new.finish()
                salvaged.events = new.events
        if self._path.exists():
            shutil.copymode(self._path, part)
        return salvaged

    def _logs_set_aside(self) -> list[Path]:
        """Return the logs whose ends could not be read at a start, the latest first."""
        names = self._path.parent.glob(f"{glob.escape(self._log.name)}{DAMAGED}*")
        return sorted(names, reverse=True)

    @staticmethod
    def _opened(path: Path, open_files: ExitStack) -> RawFile | None:
        if not path.exists() or not path.stat().st_size:
            return None
        return open_files.enter_context(RawFile(path))

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep servers out; where nothing can be written beside the file, there can be none."""
        try:
            lock = StoreLock(self._path)
        except StoreInUseError as error:
            raise StoreInUseError(
                f"{self._path} is open in an Event Manager. Stop it, and recover again."
            ) from error
        except StoreUnavailableError:
            yield
            return
        try:
            yield
        finally:
            lock.close()

    @contextmanager
    def _disk_errors(self, target: Path) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StoreUnavailableError(
                f"{self._path} could not be saved to {target}: {error}. Nothing was changed. Free space"
                " there, or name a file on another disk with --to."
            ) from error


@contextmanager
def _gone_on_failure(part: Path) -> Iterator[None]:
    """Remove the half of a new file, and its list, if the block fails in any way."""
    is_whole = False
    try:
        yield
        is_whole = True
    finally:
        if not is_whole:
            for ending in ("", "-journal", _LIST):
                Path(f"{part}{ending}").unlink(missing_ok=True)


def _refuse_existing(target: Path) -> None:
    if target.exists():
        raise StoreError(f"{target} exists and is not overwritten. Name a new file with --to.")


def _missing_since(mark: CommitMark, known: int, greatest: int) -> Iterator[Trouble]:
    """Say how many events were acknowledged that nothing tells of any more."""
    number = mark.events - known
    if number > 0:
        reason = f"{number:,} more events were acknowledged until {mark.at}, of which nothing is left"
        first = min(greatest + 1, mark.seq)
        yield Trouble(TroubleKind.UNREADABLE, reason, first=first, last=mark.seq)


def _listed(salvaged: Salvaged, part: Path, beside: Path) -> Salvaged:
    """Give the list of troubles its name beside the file that it is about."""
    if salvaged.list_path is not None:
        salvaged.list_path = Path(f"{part}{_LIST}").rename(f"{beside}{_LIST}")
    return salvaged
