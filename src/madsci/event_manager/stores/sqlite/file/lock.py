"""The lock of an event file: one process at a time writes to it, or replaces it."""

from __future__ import annotations

import os
from pathlib import Path

from madsci.common.durability import make_private_folders
from madsci.common.errors import StoreInUseError, StoreUnavailableError
from madsci.common.file_lock import is_still_at, try_lock


class StoreLock:
    """A lock on a file beside the event file, which the system gives back however the process ends.

    Raises:
        StoreInUseError: another process has it.
        StoreUnavailableError: the folder cannot be written to.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            make_private_folders(path.parent)
            self._file = self._take()
        except OSError as error:
            raise StoreUnavailableError(
                f"The event store {path} cannot be made: {error}. Choose a folder that the server's"
                " user may write to with EVENT_DB_URL=sqlite:///path/to/events.db."
            ) from error

    def _take(self) -> int:
        lock = f"{self._path}.lock"
        while True:
            file = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                is_ours = try_lock(file)
                is_there = is_still_at(file, lock)
            except OSError:
                os.close(file)
                raise
            if is_ours and is_there:
                return file
            os.close(file)
            if is_there:
                raise StoreInUseError(
                    f"The event store {self._path} is open in another Event Manager. Stop that one, or"
                    " give this one a file of its own with EVENT_DB_URL=sqlite:///path/to/events.db."
                )

    def check(self) -> None:
        """Take the lock anew if its file was deleted, before somebody else does.

        Raises:
            StoreInUseError: somebody else was first.
            StoreUnavailableError: the folder cannot be written to.
        """
        if is_still_at(self._file, f"{self._path}.lock"):
            return
        try:
            taken = self._take()
        except OSError as error:
            raise StoreUnavailableError(
                f"{self._path}.lock is gone, and cannot be made: {error}"
            ) from error
        self.close()
        self._file = taken

    def close(self) -> None:
        """Give the lock back."""
        os.close(self._file)
