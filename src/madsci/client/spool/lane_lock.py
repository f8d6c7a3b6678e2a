"""The lock file of a lane: it says whose the lane is, and remembers how far it is settled.

Whoever holds the lock owns the lane. It vanishes with the process that holds it.
"""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import Final

from madsci.client.spool.cursor import CURSOR_BYTES, Cursor, decode_cursor, encode_cursor
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

    def secure(self, cursor: Cursor) -> None:
        """Make directory and file where they are missing, and take the lock, if it is not held.

        Raises:
            OSError: the directory cannot be written, or knows no locks.
        """
        file = self._file
        if file is not None and file.is_ours and is_still_at(file.number, self.path):
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.release()
        for _ in range(_ATTEMPTS):
            if self.take():
                self.write(cursor)
                return
            time.sleep(_PAUSE)  # somebody looks whether the new lane is an orphan
        raise OSError(f"{self.path} is locked by another process")

    def take(self) -> bool:
        """Take the lock; ``False`` when somebody else has it.

        Raises:
            OSError: the file cannot be opened, or knows no locks.
        """
        self._file = file = OwnFile(self.path, os.O_RDWR | os.O_CREAT)
        try:
            if try_lock(file.number) and is_still_at(file.number, self.path):
                return True
        except OSError:
            self.release()
            raise
        self.release()
        return False

    def read(self) -> Cursor:
        """Return what the file remembers.

        Raises:
            OSError: it cannot be read.
        """
        if self._file is None:
            return decode_cursor(b"")
        os.lseek(self._file.number, 0, os.SEEK_SET)
        return decode_cursor(os.read(self._file.number, CURSOR_BYTES))

    def write(self, cursor: Cursor) -> None:
        """Remember a cursor, if the lock is held; one that cannot be written is done without."""
        file = self._file
        if file is not None and file.is_ours:
            with contextlib.suppress(OSError):  # the next may succeed, and none at all is right, too
                os.lseek(file.number, 0, os.SEEK_SET)
                os.write(file.number, encode_cursor(cursor))

    def release(self) -> None:
        """Give the lock back."""
        file, self._file = self._file, None
        if file is not None:
            file.close()

    def delete(self) -> None:
        """Delete the file and give the lock back, if it is held."""
        if self._file is None:
            return
        # Before the lock is given up, so that nobody locks what is going; Windows wants it closed.
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)
        self.release()
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)
