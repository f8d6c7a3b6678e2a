"""Whether the files of an open store are still the ones at their paths.

A file that was deleted or moved stays writable for who has it open, and SQLite goes on committing to
it: all of that would be gone with the process. The same holds for the write-ahead log beside it. So
before a commit is acknowledged the store looks at the paths, as whoever starts next will.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from madsci.common.errors import StoreUnavailableError

LOG: Final = "-wal"
_INDEX: Final = "-shm"
_ENDINGS: Final = ("", LOG, _INDEX)

_REMEDY: Final = (
    "No events are taken, since the next start would not find them. Put the file back, and the server"
    " goes on by itself; or restart it to go on with what is there."
)

Identity = tuple[int, int]
"""Device and number of a file."""


class Presence:
    """Knows the files of one store by more than their names. Thread-safe."""

    def __init__(self, path: Path) -> None:
        self._files = [f"{path}{ending}" for ending in _ENDINGS]
        self._identities: list[Identity | None] = [_look(file)[0] for file in self._files]
        self._log = self._files[1]

    def check(self, log_bytes: int) -> None:
        """Return if every file is where it was, and not emptied: some microseconds.

        ``log_bytes`` are what the log has at least, as far as that is known.

        Raises:
            StoreUnavailableError: one was deleted, moved, replaced or emptied.
        """
        for file, identity in zip(self._files, self._identities, strict=True):
            found, size = _look(file)
            if found != identity:
                raise _gone(file, "is gone: it was deleted or moved" if found is None
                            else "is another file than before: it was replaced")  # fmt: skip
            least = log_bytes if file == self._log else 1
            if size < least:
                raise _gone(file, f"was cut to {size:,} bytes")


def _look(file: str) -> tuple[Identity | None, int]:
    try:
        status = os.stat(file)  # noqa: PTH116 - twice as fast, and done with every commit
    except OSError:
        return None, 0
    return (status.st_dev, status.st_ino), status.st_size


def _gone(file: str, what: str) -> StoreUnavailableError:
    return StoreUnavailableError(f"{file} {what} while this server had it open. {_REMEDY}")
