"""Moving the write-ahead log into the file, beside the writer instead of in its way.

A commit appends to the log; now and then the log's pages must be copied into the file. Copying takes
tens of milliseconds, in which no request would be answered if the writer did it. So a thread of its own
copies (a passive checkpoint never blocks a writer), and the writer only finishes the few pages that
came meanwhile, after which the log starts from its beginning again. Where the disk has little room the
log stays shorter: copying it needs as much room as it has pages that the file does not have yet.
See https://www.sqlite.org/wal.html#ckpt.
"""

from __future__ import annotations

import logging
import shutil
import threading
from contextlib import closing
from pathlib import Path
from typing import Final

import apsw

_logger = logging.getLogger(__name__)

CHECKPOINT_PAGES: Final = 16_000
"""Pages (of 4 KiB) in the log from which on it is copied: 64 MB, a second of heavy load.

The last pages of the indexes are written again and again; the longer the log, the fewer are copied.
Four times as many pages let a tenth more events through, and are still read in no time at a start."""
_FEWEST_PAGES: Final = 250
"""Pages from which on the log is copied where there is hardly any room: 1 MB, as SQLite does."""
_SHARE_OF_FREE: Final = 8
"""The log takes at most one of so many parts of what is free, before it is copied."""
_BLOCKING: Final = 6
"""From so many times as many pages on the writer waits for the copying, at 400 MB at most."""
_LOOK_PAGES: Final = 250
"""Pages after which the room on the disk is looked at again."""
BUSY_MS: Final = 5_000
"""Patience with a foreign program that has the file locked, such as a copying tool."""
_LOG_HEADER: Final = 32
_FRAME_HEADER: Final = 24
"""Bytes before all pages in the log, and before each (https://www.sqlite.org/fileformat2.html#walformat)."""
_RESTART_MS: Final = 50
"""How long a commit waits for readers so that an overlong log can start again."""
_CUT_MS: Final = 200
"""How long a full disk waits for readers so that the log can be cut."""


class Checkpointer:
    """Owns the copying thread. ``after_commit`` is called by the writer only."""

    def __init__(self, path: str, page_size: int) -> None:
        self._path = Path(path)
        self._page = page_size
        self._frame = page_size + _FRAME_HEADER
        self._wanted = threading.Event()
        self._copied = threading.Event()
        self._stopping = False
        self._pages = 0
        self._measured_at = 0
        self.free = 0
        """Bytes that were free on the disk when that was looked at last."""
        self.owed = 0
        """Bytes by which the file grows when the log is copied into it, at that time."""
        self._limit = CHECKPOINT_PAGES
        self._limit_set = 0
        self.failure: apsw.Error | None = None
        """Why the log was not copied when that was tried last; nothing is lost by that."""
        self._was_busy = False
        self.is_held = False
        """Whether somebody who reads kept the log from being cut when that was tried last."""
        self._thread = threading.Thread(target=self._run, name="sqlite-checkpoint", daemon=True)

    def start(self) -> None:
        """Begin to wait for work."""
        self._thread.start()

    def watch(self, connection: apsw.Connection) -> None:
        """Learn from the writer's connection how long the log is after each commit."""
        connection.set_wal_hook(self._learn)
        self.measure(connection)

    @property
    def log_bytes(self) -> int:
        """How many bytes of the log the last commit ended at."""
        return self._pages and _LOG_HEADER + self._pages * self._frame

    def _learn(self, _connection: apsw.Connection, _name: str, pages: int) -> int:
        self._pages = pages
        return apsw.SQLITE_OK

    def after_commit(self, writer: apsw.Connection) -> None:
        """Start a copy when the log has grown long; finish one that has been made."""
        if self._copied.is_set():
            self._copied.clear()
            self._copy(writer, apsw.SQLITE_CHECKPOINT_PASSIVE)
        elif self._pages >= _BLOCKING * self._limit:
            # Readers that hold the log open are waited for briefly; the next commit tries again.
            writer.set_busy_timeout(_RESTART_MS)
            self._copy(writer, apsw.SQLITE_CHECKPOINT_RESTART)
            writer.set_busy_timeout(BUSY_MS)
        elif self._pages >= self._limit:
            self._wanted.set()
        if not 0 <= self._pages - self._measured_at < _LOOK_PAGES:
            self.measure(writer)

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
        if limit != self._limit_set:
            # What a burst left is cut off when the log starts from its beginning again.
            writer.pragma("journal_size_limit", limit * self._frame)
            self._limit = self._limit_set = limit

    def copy(self) -> bool:
        """Copy what can be copied, in the thread of the caller and beside the writer."""
        try:
            flags = apsw.SQLITE_OPEN_READWRITE  # a file that has gone is not made anew
            with closing(apsw.Connection(str(self._path), flags=flags)) as connection:
                # A connection that has read nothing does not know yet that the file has a log.
                connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()
                return self._copy(connection, apsw.SQLITE_CHECKPOINT_PASSIVE)
        except apsw.Error as error:  # the file has gone, or there are too many open
            self._note(error)
            return False

    def cut(self, writer: apsw.Connection) -> bool:
        """Copy all of the log and give its room back; tell whether that was done.

        For the holder of the writing connection. Who reads is waited for briefly.
        """
        writer.set_busy_timeout(_CUT_MS)
        before, self._pages = self._pages, 0  # from before it is short: others look at its length
        is_cut = self._copy(writer, apsw.SQLITE_CHECKPOINT_TRUNCATE)
        writer.set_busy_timeout(BUSY_MS)
        if is_cut:
            self.measure(writer)
        else:
            self._pages = before
        self.is_held = not is_cut and self._was_busy
        return is_cut

    def _copy(self, connection: apsw.Connection, mode: int) -> bool:
        self._was_busy = False
        try:
            connection.wal_checkpoint(mode=mode)
        except apsw.BusyError:  # another copy is being made, or somebody reads
            self._was_busy = True
            return False
        except apsw.Error as error:
            self._note(error)
            return False
        self.failure = None
        return True

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
            self._wanted.wait()
            if self._stopping:
                return
            self._wanted.clear()
            if self.copy():
                self._copied.set()
