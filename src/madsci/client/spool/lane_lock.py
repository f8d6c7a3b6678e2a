"""The lock file of a lane: it says whose the lane is, and remembers how far it is settled.

Whoever holds the lock owns the lane. It vanishes with the process that holds it. What it remembers is
in a page of memory, too, which knows more and lives less long.
"""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import Final

from madsci.client.spool.cursor import CURSOR_BYTES, Cursor, decode_cursor, encode_cursor, later
from madsci.client.spool.flight_recorder import FlightRecorder
from madsci.client.spool.segments import PRIVATE
from madsci.common.durability import begin_private_folders
from madsci.common.file_lock import is_still_at, try_lock
from madsci.common.own_file import OwnFile

LOCK_SUFFIX: Final = ".lock"
_ATTEMPTS: Final = 50
_PAUSE: Final = 0.002


class LaneLock:
    """The lock of a lane, held or not. Calls hold the lane's own lock."""

    def __init__(self, directory: Path, token: str) -> None:
        self.path = directory / f"{token}{LOCK_SUFFIX}"
        self._file: OwnFile | None = None
        self._recorder = FlightRecorder(directory, token)

    @property
    def written(self) -> memoryview | list[int]:
        """The place of one number, the position of the newest event: until ``secure``, our own only."""
        return self._recorder.written

    def secure(self, cursor: Cursor) -> list[Path]:
        """Make directory and file where they are missing, and take the lock, if it is not held.

        Returns folders with new names in them, which are to be synced.

        Raises:
            OSError: the directory cannot be written, or knows no locks.
        """
        file = self._file
        if file is not None and file.is_ours and is_still_at(file.number, self.path):
            return []
        new_folders = begin_private_folders(self.path.parent)
        self.release()
        for _ in range(_ATTEMPTS):
            if self.take():
                self._recorder.begin(cursor.written)
                self.write(cursor)
                return new_folders
            time.sleep(_PAUSE)  # somebody looks whether the new lane is an orphan
        raise OSError(f"{self.path} is locked by another process")

    def take(self) -> bool:
        """Take the lock; ``False`` when somebody else has it.

        Raises:
            OSError: the file cannot be opened, or knows no locks.
        """
        self._file = file = OwnFile(self.path, os.O_RDWR | os.O_CREAT, PRIVATE)
        try:
            if try_lock(file.number) and is_still_at(file.number, self.path):
                return True
        except OSError:
            self.release()
            raise
        self.release()
        return False

    def read(self) -> Cursor | None:
        """Return what a process that has ended remembered; ``None`` if that is missing or damaged.

        Raises:
            OSError: the file cannot be read.
        """
        recalled = self._recorder.recall()
        if self._file is None:
            return recalled
        os.lseek(self._file.number, 0, os.SEEK_SET)
        return later(decode_cursor(os.read(self._file.number, CURSOR_BYTES)), recalled)

    def write(self, cursor: Cursor) -> bool:
        """Remember a cursor, if the lock is held; tell whether that succeeded.

        One that cannot be written is done without: the next may succeed.
        """
        self._recorder.remember(cursor)
        file = self._file
        if file is None:  # nothing is on the disk
            return True
        if not file.is_ours:
            return False
        try:
            os.lseek(file.number, 0, os.SEEK_SET)
            os.write(file.number, encode_cursor(cursor))
        except OSError:
            return False
        return True

    def sync(self) -> None:
        """Have what was remembered brought to the disk, where that is possible."""
        file = self._file
        if file is not None and file.is_ours:
            with contextlib.suppress(OSError):
                os.fsync(file.number)

    def release(self) -> None:
        """Give the lock back."""
        file, self._file = self._file, None
        if file is not None:
            file.close()

    def delete(self) -> None:
        """Delete the file and give the lock back, if it is held."""
        if self._file is None:
            return
        self._recorder.delete()
        # Before the lock is given up, so that nobody locks what is going; Windows wants it closed.
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)
        self.release()
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)
