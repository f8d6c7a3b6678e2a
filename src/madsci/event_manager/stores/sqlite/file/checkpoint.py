"""Moving the write-ahead log into the file, beside the writer instead of in its way.

A commit appends to the log; now and then the log's pages must be copied into the file. Copying takes
tens of milliseconds, in which no request would be answered if the writer did it. So a thread of its
own copies (a passive checkpoint never blocks a writer) until only few pages are left, and the writer
finishes those, after which the log starts from its beginning again. Where the disk has little room the
log stays shorter: copying it needs as much room as it has pages that the file does not have yet.

Somebody who reads an old state keeps the log from starting again, and only what he sees is copied. No
commit waits for that: the log grows, the thread tries again now and then, and it is told. Where the
disk itself copies more slowly than events come, commits are made at its pace.
See https://www.sqlite.org/wal.html#ckpt.
"""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final, cast

import apsw

from madsci.event_manager.stores.sqlite.file.log_holders import LogHolders

_logger = logging.getLogger(__name__)

CHECKPOINT_PAGES: Final = 16_000
"""Pages (of 4 KiB) in the log from which on it is copied: 64 MB, a second of heavy load.

The last pages of the indexes are written again and again; the longer the log, the fewer are copied.
Four times as many pages let a tenth more events through, and are still read in no time at a start."""
_FEWEST_PAGES: Final = 250
"""Pages from which on the log is copied where there is hardly any room: 1 MB, as SQLite does."""
_SHARE_OF_FREE: Final = 8
"""The log takes at most one of so many parts of what is free, before it is copied."""
_FINISHED_BY_WRITER: Final = 4
"""The writer copies at most one of so many parts of the limit, or of a log that is longer: large
appends, each of which is more, would keep that from starting again. The thread goes again for more."""
_AGAIN: Final = 8
"""The log is copied again when it has grown by one of so many parts of the limit."""
_CUT_AT_ONCE: Final = 2_000
_SHARE_CUT: Final = 4
"""What the log gives back at most when it starts again: so many pages, which is 8 MB, or one of so many
parts of what it is too long by, so that also a very long one is short again in time."""
_PACED: Final = 6
"""From so many times as many pages on commits are made at the pace of the copying: 400 MB at most."""
_LONGEST_PAUSE: Final = 1.0
"""Seconds that the pace holds up one commit at most."""
_TOLD: Final = 2
"""From so many times as many pages on it is told who holds the log: 128 MB at most."""
_LOOK_PAGES: Final = 250
"""Pages after which the room on the disk is looked at again."""
_LOOK_SECONDS: Final = 1.0
"""Between two looks whether who holds the log has ended, where nobody writes."""
BUSY_MS: Final = 5_000
"""Patience with a foreign program that has the file locked, such as a copying tool."""
_LOG_HEADER: Final = 32
_FRAME_HEADER: Final = 24
"""Bytes before all pages in the log, and before each (https://www.sqlite.org/fileformat2.html#walformat)."""
_CUT_MS: Final = 200
"""How long a full disk waits for readers so that the log can be cut."""


class Checkpointer:
    """Owns the copying thread. ``after_commit`` is called by the writer only."""

    def __init__(self, path: str, page_size: int) -> None:
        self._path = Path(path)
        self._page = page_size
        self._frame = page_size + _FRAME_HEADER
        self._wanted = threading.Event()
        self._stopping = False
        self._pages = 0
        self._wanted_at = 0
        """Pages in the log from which on it is copied next."""
        self._copied: int | None = None
        """Pages of the log that the thread has copied, where it has left the last few to the writer."""
        self._in_file = 0
        self._large_copy = float("inf")
        self._large_copy_took = 0.0
        """Pages of the log, and the seconds in which they were copied, when many were last."""
        self._began: float | None = None
        """Since when the log is being copied."""
        self._committed_at = 0.0
        self._pages_before = 0
        self._measured_at = 0
        self.free = 0
        """Bytes that were free on the disk when that was looked at last."""
        self.owed = 0
        """Bytes by which the file grows when the log is copied into it, at that time."""
        self._limit = CHECKPOINT_PAGES
        self._kept = 0
        """Pages that the file of the log keeps when it starts again."""
        self.failure: apsw.Error | None = None
        """Why the log was not copied when that was tried last; nothing is lost by that."""
        self._was_busy = False
        self.is_held = False
        """Whether somebody who reads kept the log from being copied when that was tried last."""
        self._holders = LogHolders(self._path)
        self._is_told = False
        self._thread = threading.Thread(target=self._run, name="sqlite-checkpoint", daemon=True)

    def start(self) -> None:
        """Begin to wait for work."""
        self._thread.start()

    def watch(self, connection: apsw.Connection) -> None:
        """Learn from the writer's connection how long the log is after each commit."""
        connection.set_wal_hook(self._learn)
        log = Path(f"{self._path}-wal")
        self._keep(connection, log.stat().st_size // self._frame if log.exists() else 0)
        self.measure(connection)

    @property
    def log_bytes(self) -> int:
        """How many bytes of the log the last commit ended at."""
        return self._bytes_of(self._pages)

    def log_bytes_in_use(self) -> int:
        """Return how many bytes of the log count for whoever reads now.

        They are fewer than those of the last commit while the next one begins the log anew, and when
        another program has copied all of it. Opens the file: for once in a while.
        """
        try:
            with self._opened() as connection:
                # Copies nothing; versions of SQLite that do not know the word copy what they can.
                told = connection.execute("PRAGMA wal_checkpoint(NOOP)").fetchall()
                _, pages, _ = cast("tuple[int, int, int]", told[0])
        except (apsw.CantOpenError, apsw.BusyError):  # that is no word about the log
            return 0
        except apsw.Error:  # nobody can read it any more
            return self.log_bytes
        return max(0, self._bytes_of(pages))

    def _bytes_of(self, pages: int) -> int:
        return pages and _LOG_HEADER + pages * self._frame

    @contextmanager
    def _opened(self) -> Iterator[apsw.Connection]:
        flags = apsw.SQLITE_OPEN_READWRITE  # a file that has gone is not made anew
        with closing(apsw.Connection(str(self._path), flags=flags)) as connection:
            # A connection that has read nothing does not know yet that the file has a log.
            connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()
            yield connection

    def _learn(self, _connection: apsw.Connection, _name: str, pages: int) -> int:
        self._pages = pages
        return apsw.SQLITE_OK

    def after_commit(self, writer: apsw.Connection) -> None:
        """Have the log copied when it has grown long; copy the last few pages of one that was.

        Never waits for the thread, nor for anybody who reads.
        """
        pages, copied = self._pages, self._copied
        if pages < self._pages_before:  # the log has started again
            self._wanted_at, self.is_held = self._limit, False
            excess = self._kept - self._limit
            self._keep(writer, self._kept - max(_CUT_AT_ONCE, excess // _SHARE_CUT))
        elif pages > self._kept + _CUT_AT_ONCE:
            self._keep(writer, pages)
        if copied is not None:
            self._copied = None
            if not self._is_much(pages - copied):
                self._copy(writer, apsw.SQLITE_CHECKPOINT_PASSIVE)
            self._wanted_at = pages + self._limit // _AGAIN
        elif pages >= max(self._wanted_at, self._limit):
            self._wanted_at = pages + self._limit // _AGAIN
            self._wanted.set()
        if not 0 <= pages - self._measured_at < _LOOK_PAGES:
            self.measure(writer)
        self._keep_pace(pages)

    def _keep_pace(self, pages: int) -> None:
        """Hold this commit up if more comes than can be copied, and nobody else is to blame for it."""
        added, self._pages_before = pages - self._pages_before, pages
        if pages >= _PACED * self._limit and added > 0 and not self.is_held:
            # At half the pace of the copying, so that this catches up.
            due = self._committed_at + 2 * added * self._seconds_a_page()
            time.sleep(min(max(0.0, due - time.monotonic()), _LONGEST_PAUSE))
        self._committed_at = time.monotonic()

    def _seconds_a_page(self) -> float:
        """Return how long it takes to copy a page, by the last time or, if that is longer, by now."""
        began = self._began
        takes = 0.0 if began is None else time.monotonic() - began
        return max(self._large_copy_took, takes) / self._large_copy

    def measure(self, writer: apsw.Connection) -> None:
        """Look at the room on the disk, and fit the length of the log to it.

        For the holder of the writing connection.
        """
        self._measured_at = self._pages
        try:
            free = shutil.disk_usage(self._path.parent).free
            size = self._path.stat().st_size
        except OSError:  # the folder has gone, which others tell
            return
        self.free = free
        self.owed = max(0, int(writer.pragma("page_count")) * self._page - size)
        limit = CHECKPOINT_PAGES
        while limit > _FEWEST_PAGES and limit * self._frame > free // _SHARE_OF_FREE:
            limit //= 2
        self._limit = limit
        self._keep(writer, self._kept)

    def _keep(self, writer: apsw.Connection, pages: int) -> None:
        """Set what is left of the log when it starts again; the rest of what a burst left is cut off.

        The commit that starts it waits for that, so it is done step by step, but where room is scarce.
        """
        kept = max(self._limit, pages) if self._limit >= CHECKPOINT_PAGES else self._limit
        if kept != self._kept:
            writer.pragma("journal_size_limit", kept * self._frame)
            self._kept = kept

    def copy(self) -> int | None:
        """Copy what can be copied, in the thread of the caller and beside the writer.

        Return how many pages of the log are copied, ``None`` where that is not nearly all. ``is_held``
        tells whether somebody who reads an old state keeps all that is left from being copied.
        """
        try:
            with self._opened() as connection:
                self._began = began = time.monotonic()
                copied = self._copy(connection, apsw.SQLITE_CHECKPOINT_PASSIVE)
        except apsw.Error as error:  # the file has gone, or there are too many open
            self._note(error)
            return None
        finally:
            self._began = None
        took = time.monotonic() - began
        if copied is None:
            return None
        in_log, in_file = copied
        fresh = in_file - (self._in_file if in_file >= self._in_file else 0)
        self._in_file = in_file
        if fresh > self._limit // _FINISHED_BY_WRITER:
            self._large_copy, self._large_copy_took = fresh, took
        # Those who read for a moment, and each commit while it is made, are met anywhere: they go on.
        self.is_held = in_file < in_log and not fresh
        return None if self.is_held or self._is_much(in_log - in_file) else in_file

    def cut(self, writer: apsw.Connection) -> bool:
        """Copy all of the log and give its room back; tell whether that was done.

        For the holder of the writing connection. Who reads is waited for briefly.
        """
        writer.set_busy_timeout(_CUT_MS)
        before, self._pages = self._pages, 0  # from before it is short: others look at its length
        is_cut = self._copy(writer, apsw.SQLITE_CHECKPOINT_TRUNCATE) is not None
        writer.set_busy_timeout(BUSY_MS)
        if is_cut:
            self.measure(writer)
        else:
            self._pages = before
        self.is_held = not is_cut and self._was_busy
        if self.is_held:
            self._wanted.set()  # the thread looks who it is
        return is_cut

    @property
    def held_by(self) -> str:
        """Who keeps the log from being copied, for people."""
        return self._holders.named or "somebody who reads it, such as a backup"

    def trouble(self) -> str | None:
        """Return a sentence if the log is long since somebody holds it."""
        if not self.is_held or self._pages < _TOLD * self._limit:
            return None
        return (
            f"The write-ahead log of {self._path} grows, since somebody has read an old state of the"
            f" events for long: {self.held_by}. Nothing is lost or held up by that; the log is copied"
            " into the file when that ends, and until then it takes room on the disk."
        )

    def _copy(self, connection: apsw.Connection, mode: int) -> tuple[int, int] | None:
        """Return how many pages the log has, and how many of them the file has now."""
        self._was_busy = False
        try:
            pages = connection.wal_checkpoint(mode=mode)
        except apsw.BusyError:  # another copy is being made, or somebody reads
            self._was_busy = True
            return None
        except apsw.Error as error:
            self._note(error)
            return None
        self.failure = None
        return pages

    def _note(self, error: apsw.Error) -> None:
        """Note that the log was not copied; it keeps the events, and a later commit asks again."""
        if self.failure is None and not isinstance(error, apsw.FullError):  # that is told by others
            _logger.warning("The write-ahead log of %s was not copied: %s", self._path, error)
        self.failure = error

    def close(self) -> None:
        """Stop the thread; the last copy is made when the writer's connection closes."""
        self._stopping = True
        self._wanted.set()
        self._thread.join()

    def _run(self) -> None:
        while True:
            self._wanted.wait(_LOOK_SECONDS if self.is_held else None)
            if self._stopping:
                return
            self._wanted.clear()
            copied = self.copy()
            while copied is not None and self._is_much(self._pages - copied) and not self._stopping:
                copied = self.copy()  # what came meanwhile
            self._copied = copied
            self._look_who_holds()

    def _look_who_holds(self) -> None:
        if not self.is_held:
            self._holders.forget()
            self._is_told = False
            return
        self._holders.look()
        sentence = self.trouble()
        if sentence is not None and not self._is_told:
            self._is_told = True
            _logger.warning("%s", sentence)

    def _is_much(self, pages: int) -> bool:
        return pages > max(self._limit, self._pages) // _FINISHED_BY_WRITER
