"""Moving the write-ahead log into the file, beside the writer instead of in its way.

A commit appends to the log; now and then the log's pages must be copied into the file. Copying takes
tens of milliseconds, in which no request would be answered if the writer did it. So a thread of its own
copies (a passive checkpoint never blocks a writer), and the writer only finishes the few pages that
came meanwhile, after which the log starts from its beginning again.
See https://www.sqlite.org/wal.html#ckpt.
"""

from __future__ import annotations

import logging
import threading
from typing import Final

import apsw

_logger = logging.getLogger(__name__)

CHECKPOINT_PAGES: Final = 16_000
"""Pages (of 4 KiB) in the log from which on it is copied: 64 MB, a second of heavy load.

The last pages of the indexes are written again and again; the longer the log, the fewer are copied.
Four times as many pages let a tenth more events through, and are still read in no time at a start."""
BLOCKING_PAGES: Final = 100_000
"""Pages from which on the writer waits for the copying: the log never outgrows 400 MB."""
BUSY_MS: Final = 5_000
"""Patience with a foreign program that has the file locked, such as a copying tool."""
_LOG_HEADER: Final = 32
_FRAME_HEADER: Final = 24
"""Bytes before all pages in the log, and before each (https://www.sqlite.org/fileformat2.html#walformat)."""
_RESTART_MS: Final = 50
"""How long a commit waits for readers so that an overlong log can start again."""


class Checkpointer:
    """Owns the copying thread. ``after_commit`` is called by the writer only."""

    def __init__(self, path: str, page_size: int) -> None:
        self._path = path
        self._frame = page_size + _FRAME_HEADER
        self._wanted = threading.Event()
        self._copied = threading.Event()
        self._stopping = False
        self._pages = 0
        self._thread = threading.Thread(target=self._run, name="sqlite-checkpoint", daemon=True)

    def start(self) -> None:
        """Begin to wait for work."""
        self._thread.start()

    def watch(self, connection: apsw.Connection) -> None:
        """Learn from the writer's connection how long the log is after each commit."""
        connection.set_wal_hook(self._learn)

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
        elif self._pages >= BLOCKING_PAGES:
            # Readers that hold the log open are waited for briefly; the next commit tries again.
            writer.set_busy_timeout(_RESTART_MS)
            self._copy(writer, apsw.SQLITE_CHECKPOINT_RESTART)
            writer.set_busy_timeout(BUSY_MS)
        elif self._pages >= CHECKPOINT_PAGES:
            self._wanted.set()

    def _copy(self, connection: apsw.Connection, mode: int) -> bool:
        try:
            connection.wal_checkpoint(mode=mode)
        except apsw.BusyError:
            return False  # another copy is being made; a later commit asks again
        except apsw.Error as error:
            # Nothing is lost: the log keeps the events, and a later commit asks again.
            _logger.warning("The write-ahead log of %s was not copied: %s", self._path, error)
            return False
        return True

    def close(self) -> None:
        """Stop the thread; the last copy is made when the writer's connection closes."""
        self._stopping = True
        self._wanted.set()
        self._thread.join()

    def _run(self) -> None:
        connection = apsw.Connection(self._path)
        # A connection that has read nothing does not know yet that the file has a log.
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()
        try:
            while True:
                self._wanted.wait()
                if self._stopping:
                    return
                self._wanted.clear()
                if self._copy(connection, apsw.SQLITE_CHECKPOINT_PASSIVE):
                    self._copied.set()
        finally:
            connection.close()
