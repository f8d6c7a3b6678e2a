"""Looking after an event file; see ``stores.upkeep``."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from datetime import tzinfo
from pathlib import Path
from typing import Any, Final

import apsw

from madsci.common.durability import sync_file, sync_folder
from madsci.common.errors import (
    SchemaVersionError,
    StoreDamagedError,
    StoreInUseError,
    StoreUnavailableError,
)
from madsci.event_manager.stores.sqlite import schema
from madsci.event_manager.stores.sqlite.damage import quarantine
from madsci.event_manager.stores.sqlite.damage.checking import is_of_the_disk
from madsci.event_manager.stores.sqlite.damage.inspecting import inspect, list_damaged
from madsci.event_manager.stores.sqlite.facts import begin_lane
from madsci.event_manager.stores.sqlite.faults import FOR_NOW, translated, unavailable
from madsci.event_manager.stores.sqlite.file.copying import copy_file
from madsci.event_manager.stores.sqlite.file.lock import StoreLock
from madsci.event_manager.stores.sqlite.file.swapping import (
    RESTORING_SUFFIX,
    forget_interrupted,
    replace_file,
)
from madsci.event_manager.stores.sqlite.transaction import snapshot, transaction
from madsci.event_manager.stores.upkeep import (
    DatabaseState,
    DatabaseVersion,
    Dumped,
    Inspection,
    Progress,
    Step,
)

_REST: Final = 0.01
"""Seconds after each part of a backup: events come first, and the disk has others to serve, too."""


class SqliteUpkeep:
    """Looks after one event file; see ``Upkeep``. A server may have it open meanwhile."""

    engine = "sqlite"
    keeps_replaced = True

    def __init__(self, path: Path) -> None:
        self.name = path.stem
        self._path = path.absolute()
        self.location = str(self._path)
        self.replaced: str | None = None
        self._is_held = False

    def is_there(self) -> bool:
        """Tell whether the file exists and is not empty."""
        return self._path.exists() and self._path.stat().st_size > 0

    def number_of_events(self) -> int | None:
        """Return how many events the file holds; see ``Upkeep``."""
        if self.version().state is DatabaseState.FRESH:
            return None
        with translated(self.location), closing(self._open(self._path)) as file:
            return int(file.execute("SELECT count(*) FROM events").get)

    def inspect(self, progress: Progress) -> Inspection:
        """Check the structure of the file and read each event; see ``Upkeep``."""
        version = self.version().version
        if version != self.expected_version():
            raise SchemaVersionError(
                f"{self.location} has event store schema {version}; what is checked is schema"
                f" {self.expected_version()}. Start the server once, which brings the file up to date"
                " and keeps a copy, and check again."
            )
        with translated(self.location), closing(self._open(self._path)) as file:
            found, damaged = inspect(file, progress)
        if damaged:
            with (
                suppress(StoreInUseError),  # a server lists what it meets
                self.exclusive(),
                translated(self.location),
                closing(apsw.Connection(self.location)) as file,
            ):
                list_damaged(file, damaged)
                return replace(found, is_listed=True)
        return found

    def version(self) -> DatabaseVersion:
        """Return which schema the file has; see ``Upkeep``."""
        if not self.is_there():
            return DatabaseVersion(DatabaseState.FRESH)
        with translated(self.location), closing(self._open(self._path)) as file:
            return _version(file, self.location)

    def expected_version(self) -> str:
        """Return the schema of this program."""
        return str(schema.SCHEMA_VERSION)

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Keep servers out of the file; see ``Upkeep``."""
        if self._is_held:
            yield
            return
        lock = StoreLock(self._path)
        self._is_held = True
        try:
            forget_interrupted(self._path)
            yield
        finally:
            self._is_held = False
            lock.close()

    def dump(self, folder: Path, progress: Progress) -> Dumped:
        """Copy the file as it is now, while it may be written to."""
        folder.mkdir(parents=True)
        target = folder / f"{self.name}.db"
        with translated(self.location), closing(self._open(self._path)) as file, snapshot(file):
            events = int(file.execute("SELECT count(*) FROM events").get)
            damaged = quarantine.number(file)
            copy_file(
                file, target, lambda done, whole: progress("copying pages", done, whole), rest=_REST
            )
        sync_folder(folder)
        return Dumped(1, events - damaged, damaged=damaged)

    def size(self) -> int:
        """Return how many bytes a dump takes at most."""
        files = (self._path, Path(f"{self._path}-wal"))
        return sum(file.stat().st_size for file in files if file.exists())

    def check(self, folder: Path, progress: Progress) -> int:
        """Check a copy's structure, and that it is of this program; return how many events it holds."""
        return _check(_copy_in(folder), progress)

    def restore(self, folder: Path, progress: Progress) -> int:
        """Put a copy in the place of the file, in one step that happens or does not; see ``Upkeep``.

        The file that it replaces stays beside it as ``<path>.replaced-<time>``, also a damaged one.
        """
        source, beside = _copy_in(folder), Path(f"{self._path}{RESTORING_SUFFIX}")
        try:
            progress(f"copying {source.name}", 0, None)
            shutil.copyfile(source, beside)
            sync_file(beside)
            events = _check(beside, progress)
            _begin_lane(beside)
            progress("swapping", 0, None)
            kept = replace_file(self._path, beside)
            self.replaced = None if kept is None else str(kept)
        except OSError as error:
            raise StoreUnavailableError(
                f"{source} could not be restored to {self.location}: {error}. What was there is as it"
                " was."
            ) from error
        finally:
            beside.unlink(missing_ok=True)
        return events

    def steps(self, naive_zone: tzinfo | None) -> Sequence[Step]:
        """Return the one step of a file of an older schema: its new indexes."""
        del naive_zone

        def pending(_: Progress) -> int:
            return int(
                self.version() != DatabaseVersion(DatabaseState.TRACKED, self.expected_version())
            )

        def run(progress: Progress) -> int:
            changed = pending(progress)
            with translated(self.location), closing(apsw.Connection(self.location)) as file:
                schema.prepare(file, self.location, keeps_copy=False)
            return changed

        return [Step("upgrade the file", "make the tables and indexes of this version", pending, run)]

    def begin(self, backup: str) -> None:
        """Do nothing: the step is one transaction."""

    def begun(self) -> str | None:
        """Return nothing: the step is done, or has not begun."""
        return None

    def record_version(self, note: str) -> None:
        """Do nothing: the step itself says in the file which schema it has."""

    def differences(self) -> dict[str, Any]:
        """Return tables and indexes that are missing, more than wanted, or different."""
        with translated(self.location), closing(self._open(self._path)) as file:
            found = schema.described(file)
        with closing(apsw.Connection(":memory:")) as file:
            schema.prepare(file, ":memory:")
            wanted = schema.described(file)
        differences = {
            "missing": sorted(wanted.keys() - found.keys()),
            "extra": sorted(found.keys() - wanted.keys()),
            "different": sorted(
                name for name in wanted.keys() & found.keys() if wanted[name] != found[name]
            ),
        }
        return differences if any(differences.values()) else {}

    def close(self) -> None:
        """Do nothing: the file is open while it is worked on only."""

    def _open(self, path: Path) -> apsw.Connection:
        file = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        file.set_busy_timeout(5000)
        return file


def _version(file: apsw.Connection, path: str) -> DatabaseVersion:
    application, version = file.pragma("application_id"), file.pragma("user_version")
    if application == schema.APPLICATION_ID:
        return DatabaseVersion(DatabaseState.TRACKED, str(version))
    if not file.execute("SELECT count(*) FROM sqlite_schema").get:
        return DatabaseVersion(DatabaseState.FRESH)
    raise SchemaVersionError(
        f"{path} is a SQLite database of another program. Name another file, or another URL."
    )


def _copy_in(folder: Path) -> Path:
    found = sorted(folder.glob("*.db"))
    if len(found) != 1:
        raise StoreDamagedError(
            f"{folder} holds {len(found)} files that end in .db, and a backup of an event file has one."
            " Nothing was changed."
        )
    log = Path(f"{found[0]}-wal")
    if log.exists() and log.stat().st_size:
        raise StoreDamagedError(
            f"{found[0]} is no backup but the file of a server, some of whose changes are in {log.name}"
            " only. Nothing was changed. Back that server up, and restore the backup."
        )
    return found[0]


def _check(path: Path, progress: Progress) -> int:
    progress(f"checking {path.name}", 0, None)
    try:
        with closing(_open_unchanging(path)) as file:
            found = [row[0] for row in file.execute("PRAGMA quick_check(3)")]
            if is_of_the_disk(found):
                raise unavailable(str(path), apsw.IOError("; ".join(found)))
            if found != ["ok"]:
                raise _damaged(path, "; ".join(found))
            version = int(_version(file, str(path)).version or 0)
            if version > schema.SCHEMA_VERSION:
                raise SchemaVersionError(
                    f"{path} has event store schema {version}, this version of the Event Manager reads"
                    f" up to {schema.SCHEMA_VERSION}. Use the version that made the backup."
                )
            return int(file.execute("SELECT count(*) FROM events").get)
    except FOR_NOW as error:  # of a disk, not of what was written to it
        raise unavailable(str(path), error) from error
    except apsw.Error as error:
        raise _damaged(path, str(error)) from error


def _begin_lane(path: Path) -> None:
    """Begin a lane of the feed: the numbers of what is not in the backup come again in a restored file.

    Positions from before it stay valid up to there.
    """
    with closing(apsw.Connection(str(path))) as file, transaction(file):
        begin_lane(file)
    sync_file(path)


def _open_unchanging(path: Path) -> apsw.Connection:
    return apsw.Connection(
        f"{path.absolute().as_uri()}?immutable=1",
        flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI,
    )


def _damaged(path: Path, reason: str) -> StoreDamagedError:
    return StoreDamagedError(f"{path} is damaged: {reason}. Nothing was changed. Use another backup.")
