"""Opening an event file for writing: what it must be, and whether it has all that was acknowledged."""

from __future__ import annotations

import logging
import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import apsw

from madsci.common.clock import from_us, iso, now_us
from madsci.common.durability import sync_file, sync_folder
from madsci.common.errors import StoreUnavailableError
from madsci.common.memory import give_back_memory
from madsci.event_manager.stores.base import Damage
from madsci.event_manager.stores.sqlite import schema
from madsci.event_manager.stores.sqlite.damage.checking import check_at_start
from madsci.event_manager.stores.sqlite.facts import (
    LAST_SEQ,
    begin_lane,
    lanes,
    last_seq,
    set_fact,
)
from madsci.event_manager.stores.sqlite.faults import recover_command, translated
from madsci.event_manager.stores.sqlite.file.checkpoint import BUSY_MS
from madsci.event_manager.stores.sqlite.file.commit_mark import CommitMark, read_mark
from madsci.event_manager.stores.sqlite.file.presence import LOG
from madsci.event_manager.stores.sqlite.file.rescuing import put_back_rescued
from madsci.event_manager.stores.sqlite.transaction import transaction

_logger = logging.getLogger(__name__)

DAMAGED: Final = ".damaged-"
"""Between the name of a log that ends early and the time at which that was found."""
_CACHE_KIB: Final = 262_144
"""Page cache of the writer. The default of 2 MB makes index upkeep 1.6 times slower."""


@dataclass(frozen=True)
class OpenFile:
    """An event file open for writing: how many events it holds, damaged ones too; its last commit."""

    writer: apsw.Connection
    events: int
    last_seq: int
    lane: str
    """The present lane of its feed."""
    damaged: list[Damage]
    """Events that were found to be damaged, and were not known to be."""
    missing: str | None
    """Says what was acknowledged and is not in the file, if anything."""
    is_checked: bool
    """Whether all was checked that was to be; the rest is left to who serves it."""


def open_file(path: Path, integrity_seconds: float) -> OpenFile:
    """Open or make an event file; to be called with its lock.

    Raises:
        StoreDamagedError: the file is damaged.
        SchemaVersionError: the file is not an event store of this version.
        StoreUnavailableError: the file cannot be made or opened.
    """
    location = str(path)
    try:
        put_back_rescued(path)
        mark = read_mark(path)
        kept_log = _keep_log_of_no_file(path) if mark is not None else None
    except OSError as error:
        raise StoreUnavailableError(
            f"The event store {path} cannot be opened: {error}. Let the server's user read and write"
            " there."
        ) from error
    with suppress(OSError):  # for this user alone, where it is to be made
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    with translated(location):
        writer = apsw.Connection(location)
        writer.set_busy_timeout(BUSY_MS)
        if mark is not None and kept_log is None and last_seq(writer) < mark.seq:
            kept_log = _keep_log(path)  # before anything is written over it
        schema.prepare(writer, location)
        _set_up(writer)
        checked = check_at_start(writer, location, integrity_seconds)
        last = last_seq(writer)
        events = _number_of_events(writer, mark, last)
        missing = None
        if mark is not None and last < mark.seq:
            missing = _told(path, mark, events, kept_log)
            last = mark.seq
            with transaction(writer):  # what is found again has its numbers for itself
                set_fact(writer, LAST_SEQ, str(last))
            _logger.error(missing)
        lane = _lane(writer)
        writer.pragma("shrink_memory")  # what the check has read
    give_back_memory()
    return OpenFile(writer, events, last, lane, checked.damaged, missing, checked.is_complete)


def _lane(writer: apsw.Connection) -> str:
    """Return the present lane of the feed; begin the first one where there is none."""
    if known := lanes(writer):
        return known[-1][0]
    with transaction(writer):
        return begin_lane(writer)


def _number_of_events(writer: apsw.Connection, mark: CommitMark | None, last: int) -> int:
    """Return what the mark says of this very commit; else count, which reads an index of a million."""
    if mark is not None and mark.seq == last:
        return mark.events
    return int(writer.execute("SELECT count(*) FROM events").get)


def _set_up(writer: apsw.Connection) -> None:
    writer.pragma("journal_mode", "WAL")
    writer.pragma("synchronous", "FULL")
    writer.pragma("cache_size", -_CACHE_KIB)
    writer.pragma("wal_autocheckpoint", 0)  # the checkpointer does it, beside the writer


def _keep_log_of_no_file(path: Path) -> Path | None:
    """Set the log of a missing or emptied file aside: SQLite would delete it."""
    if path.exists() and path.stat().st_size:
        return None
    return _keep_log(path)


def _keep_log(path: Path) -> Path | None:
    log = Path(f"{path}{LOG}")
    if not log.exists() or not log.stat().st_size:
        return None
    kept = Path(f"{log}{DAMAGED}{from_us(now_us()).astimezone():%Y%m%d_%H%M%S_%f}")
    shutil.copyfile(log, kept)
    kept.chmod(0o600)
    sync_file(kept)
    sync_folder(kept.parent)
    return kept


def _told(path: Path, mark: CommitMark, events: int, kept_log: Path | None) -> str:
    number = max(mark.events - events, 0)
    what = f"{number:,} events" if number else "the last changes (alerts, archiving, deletions)"
    told = (
        f"{path} ends before what was acknowledged at {iso(mark.at)}: {what} of before then are"
        " missing. "
    )
    if kept_log is None:
        return (
            f"{told}It is an older file than the one that was written to, or was emptied. Put the right"
            " one in its place, or restore a backup."
        )
    return (
        f"{told}The end of its log could not be read; the log was kept as {kept_log}. What is left in"
        f" it is saved by: {recover_command(str(path))}"
    )
