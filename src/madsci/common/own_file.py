"""Files of ours, in folders where others may put things and under numbers that others may take over.

A folder for all users of a machine may hold links and devices under names that look like ours: opening
these would write elsewhere, or wait for ever. And a program that becomes a daemon closes all numbers of
open files, its next files get them, and what we wrote under them would go into these.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from typing import Final

_FLAGS: Final = (
    getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)  # a pipe without a reader would hold us up
    | getattr(os, "O_BINARY", 0)
)
_STRANGE: Final = frozenset({errno.ELOOP, errno.ENXIO, errno.EISDIR, errno.ENODEV})
"""What the system says of links, of pipes without a reader, of folders and of devices."""


_LAST_STREAM: Final = 2
_seek, _write, _HERE = os.lseek, os.write, os.SEEK_CUR


def identity_of(number: int) -> tuple[int, int] | None:
    """Return what tells an open file or socket from all others; ``None`` for a number of nobody's."""
    try:
        status = os.fstat(number)
    except OSError:
        return None
    return status.st_ino, status.st_dev


def fill_streams() -> None:
    """Give the numbers of closed standard streams to the null device for good, as SQLite does it.

    Had a file or a socket of ours such a number even for a moment, another thread could write its line
    for the console into it.
    """
    with contextlib.suppress(OSError):  # there may be no such device, as after ``chroot``
        while (number := os.open(os.devnull, os.O_RDWR)) <= _LAST_STREAM:
            pass
        os.close(number)


def open_number(path: str | os.PathLike[str], flags: int, mode: int = 0o666) -> int:
    """Open a file by a number that is no standard stream's: who closed those may still write there.

    Raises:
        OSError: it cannot be opened.
    """
    fill_streams()
    number = os.open(path, flags, mode)
    taken = []
    while number <= _LAST_STREAM:
        taken.append(number)
        number = os.dup(number)
    for one in taken:
        os.close(one)
    return number


class NotAFileError(OSError):
    """What stands there is a link, a pipe, a device or a folder."""


class OwnFile:
    """An open regular file that is known again by more than its number.

    Calls check that first; in between, another thread would have to close the number and get it anew.
    """

    __slots__ = ("_end", "_identity", "number")

    def __init__(self, path: str | os.PathLike[str], flags: int, mode: int = 0o666) -> None:
        """Open a file, never through a link.

        Raises:
            NotAFileError: there is something else.
            OSError: it cannot be opened.
        """
        try:
            self.number = open_number(path, flags | _FLAGS, mode)
        except OSError as error:
            if error.errno in _STRANGE:
                raise NotAFileError(error.errno, "this is no regular file", str(path)) from None
            raise
        self._end = 0
        self._identity = identity_of(self.number)
        if not stat.S_ISREG(os.fstat(self.number).st_mode):
            self.close()
            raise NotAFileError(errno.EINVAL, "this is no regular file", str(path))

    @property
    def is_ours(self) -> bool:
        """Whether the number still means this file."""
        return identity_of(self.number) == self._identity

    def append(self, content: bytes) -> None:
        """Write at the end of a file that was opened for appending.

        Only that the file stands where our last bytes ended is looked at, where that tells enough:
        it takes a quarter of the time.

        Raises:
            OSError: it could not be written as a whole, or the number means another file; what was
                written of it is taken away.
        """
        number, end = self.number, self._end
        try:
            is_known = _seek(number, 0, _HERE) == end > 0
        except OSError:
            is_known = False
        if not is_known:
            if not self.is_ours:
                raise OSError(errno.EBADF, "the program closed this file, which was not its own")
            end = _seek(number, 0, os.SEEK_CUR)
        written = _write(number, content)
        self._end = end + written
        if written != len(content):
            with contextlib.suppress(OSError):
                os.ftruncate(number, os.fstat(number).st_size - written)
            raise OSError(errno.ENOSPC, "the disk took only a part")

    def close(self) -> None:
        """Close the file; a number that is somebody else's by now is left alone."""
        if self.number >= 0 and self.is_ours:
            with contextlib.suppress(OSError):
                os.close(self.number)
        self.number = -1
