"""Whether the files of an open store are still the ones at their paths.

A file that was deleted or moved stays writable for who has it open, and SQLite goes on committing to
it: all of that would be gone with the process. The same holds for the write-ahead log beside it. So
before a commit is acknowledged the store looks at the paths, as whoever starts next will.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from madsci.common.errors import StoreUnavailableError

LOG: Final = "-wal"
_ENDINGS: Final = ("", LOG, "-shm")

_DELETED: Final = "is gone: it was deleted or moved"
_REMEDY: Final = (
    "No events are taken, since the next start would not find them. Put the file back, and the server"
    " goes on by itself; or restart it to go on with what is there."
)

Identity = tuple[int, int]
"""Device and number of a file."""


class Presence:
    """Knows the files of one store by more than their names. Thread-safe."""

    def __init__(self, path: Path) -> None:
        self._files = [(name, _look(name)[0]) for name in (f"{path}{ending}" for ending in _ENDINGS)]
        self._log = f"{path}{LOG}"

    def check(self) -> None:
        """Return if the file is where it was and not empty, and there is a log: a few microseconds.

        Who asks for the times of a file makes the next write to it take a new one, which is 40 us where
        pages are written over (multigrain timestamps of Linux). So no more is asked of the log.

        Raises:
            StoreUnavailableError: the file was deleted, moved, replaced or emptied, or the log deleted.
        """
        _refuse_empty(*self._files[0])
        if not os.access(self._log, os.F_OK):
            raise _gone(self._log, _DELETED)

    def check_all(self, log_bytes: int, in_use: Callable[[], int]) -> None:
        """Return if all files are where they were and not cut; to be called once in a while.

        ``log_bytes`` is what the log had when the last commit ended. One that is shorter may have been
        begun anew since, so that ``in_use`` is asked, which tells how much of it is in use now. Raises
        what ``check`` raises.
        """
        for file, identity in self._files:
            if file != self._log:
                _refuse_empty(file, identity)
            elif _size(file, identity) < log_bytes:
                _refuse_cut(file, identity, in_use)


def _refuse_empty(file: str, identity: Identity | None) -> None:
    if not _size(file, identity):
        raise _cut(file, 0)


def _refuse_cut(file: str, identity: Identity | None, in_use: Callable[[], int]) -> None:
    before, size = in_use(), _size(file, identity)
    if size < before and size < in_use():  # asked again, since it may have been begun anew meanwhile
        raise _cut(file, size)


def _size(file: str, identity: Identity | None) -> int:
    """Return the size of a file that is where it was."""
    found, size = _look(file)
    if found is None:
        raise _gone(file, _DELETED)
    if found != identity:
        raise _gone(file, "is another file than before: it was replaced")
    return size


def _look(file: str) -> tuple[Identity | None, int]:
    try:
        status = os.stat(file)  # noqa: PTH116 - twice as fast, and done with every commit
    except OSError:
        return None, 0
    return (status.st_dev, status.st_ino), status.st_size


def _cut(file: str, size: int) -> StoreUnavailableError:
    return _gone(file, f"was cut to {size:,} bytes")


def _gone(file: str, what: str) -> StoreUnavailableError:
    return StoreUnavailableError(f"{file} {what} while this server had it open. {_REMEDY}")
