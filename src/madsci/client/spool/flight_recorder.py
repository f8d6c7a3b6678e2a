"""What a process knew of its lane to its last moment, in memory that outlives it.

How many events were logged must be known when the end of a file is missing, and another write for each
event would make log calls slower. So the count is kept in a page that the process shares with the
system (POSIX shared memory, on Linux: a file in ``/dev/shm``): storing a number there takes 30 ns, and
a ``kill -9`` does not undo it. A copy of the cursor lies there, too, for when the lock file is damaged.

It is not in the folder of the spool, since who empties a file that others have in their memory kills
them. It also tells of lanes of which somebody deleted every file. After a loss of power it is gone, and
on other systems there is none: then what the lock file remembers holds, which is a quarter of a second
old at most.
"""

from __future__ import annotations

import contextlib
import hashlib
import mmap
import os
import time
from pathlib import Path
from typing import Final

from madsci.client.spool.cursor import CURSOR_BYTES, Cursor, decode_cursor, encode_cursor

FOLDER: Final = Path("/dev/shm")  # noqa: S108 - what POSIX shared memory is on Linux
_PREFIX: Final = "madsci-spool-"
_BYTES: Final = 4096
_CURSOR_AT: Final = 64
_DIRECTORY_AT: Final = 512
_KEPT_SECONDS: Final = 3600
"""Within this time a program that was killed is usually started again, and asks what is missing."""
_FLAGS: Final = os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


class FlightRecorder:
    """The page of a lane. Where there can be none, nothing is recorded, and nothing recalled."""

    def __init__(self, directory: Path, token: str, folder: Path = FOLDER) -> None:
        self._directory = directory
        self._path = folder / f"{_prefix(directory)}{token}"
        self._page: mmap.mmap | None = None
        self.written: memoryview | list[int] = [0]
        """Holds one number: the position of the newest event."""

    def begin(self, position: int) -> None:
        """Make the page, unless there is one."""
        if self._page is not None:
            return
        with contextlib.suppress(OSError):
            self._open(os.O_CREAT | os.O_EXCL)
            where = os.fsencode(self._directory.absolute())
            if self._page is not None and len(where) < _BYTES - _DIRECTORY_AT:
                self._page[_DIRECTORY_AT : _DIRECTORY_AT + len(where)] = where
        self.written[0] = position

    def recall(self) -> Cursor | None:
        """Return what a process that has ended knew, and go on for it."""
        with contextlib.suppress(OSError):
            self._open(0)
        if self._page is None:
            return None
        return decode_cursor(self._page[_CURSOR_AT : _CURSOR_AT + CURSOR_BYTES])

    def remember(self, cursor: Cursor) -> None:
        """Keep a copy of the cursor."""
        if self._page is not None:
            line = encode_cursor(cursor)
            self._page[_CURSOR_AT : _CURSOR_AT + len(line)] = line

    def delete(self) -> None:
        """Give the page up: nothing of the lane is left."""
        if self._page is not None:
            with contextlib.suppress(OSError):
                self._path.unlink()

    def _open(self, flags: int) -> None:
        number = os.open(self._path, _FLAGS | flags, 0o600)
        try:
            if flags:
                self._reserve(number)
            status = os.fstat(number)
            if status.st_size == _BYTES and status.st_uid in (os.geteuid(), os.getuid()):
                self._page = mmap.mmap(number, _BYTES)
                self.written = memoryview(self._page)[:8].cast("Q")
        finally:
            os.close(number)

    def _reserve(self, number: int) -> None:
        """Have the memory now: where it is missing later, the system kills who writes there."""
        try:
            os.posix_fallocate(number, 0, _BYTES)
        except OSError:
            self._path.unlink()
            raise


def recorded_lanes(directory: Path, folder: Path = FOLDER) -> list[str]:
    """List the tokens of lanes of a directory whose processes have ended, also if no file is left."""
    prefix = _prefix(directory)
    names = [path.name.removeprefix(prefix) for path in folder.glob(f"{prefix}*")]
    return [token for token in names if not _is_alive(token)]


def forget_deleted_directories(own: Path, folder: Path = FOLDER) -> None:
    """Delete the pages of directories that have long been gone, but one's own: nobody asks for them."""
    for path in folder.glob(f"{_PREFIX}*"):
        if path.name.startswith(_prefix(own)):
            continue
        with contextlib.suppress(OSError):
            status = path.stat()
            is_old = time.time() - status.st_mtime > _KEPT_SECONDS
            if is_old and status.st_uid == os.geteuid() and not _is_alive(path.name):
                where = path.read_bytes()[_DIRECTORY_AT:].rstrip(b"\0")
                if not os.path.isdir(where):  # noqa: PTH112 - of bytes
                    path.unlink()


def _prefix(directory: Path) -> str:
    digest = hashlib.sha256(os.fsencode(directory.absolute())).hexdigest()
    return f"{_PREFIX}{digest[:16]}-"


def _is_alive(token: str) -> bool:
    """Tell whether there is a process with the number with which a token ends."""
    try:
        os.kill(int(token.rpartition("-")[2]), 0)
    except (ProcessLookupError, ValueError, OverflowError):
        return False
    except OSError:
        pass
    return True
