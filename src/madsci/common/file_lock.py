"""A lock on an open file that vanishes with the process that holds it, on every system.

The `filelock` library does the same, but imports asyncio, which every robot program would pay for.
"""

from __future__ import annotations

import os
import sys

if sys.platform == "win32":
    import errno
    import msvcrt

    _FAR = 0x7FFF_0000
    """The locked byte. Windows refuses others to read what is locked, so it lies beyond the content."""

    def try_lock(descriptor: int) -> bool:
        """Lock an open file for this process; ``False`` when somebody else has it.

        The lock ends when the descriptor is closed.

        Raises:
            OSError: the file system knows no locks.
        """
        os.lseek(descriptor, _FAR, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EDEADLK):
                return False
            raise
        return True

    def share_lock(descriptor: int) -> bool:  # noqa: ARG001
        """Do nothing: what somebody has open here, nobody else renames or deletes."""
        return True
else:
    import fcntl

    def try_lock(descriptor: int) -> bool:
        """Lock an open file for this process; ``False`` when somebody else has it.

        The lock ends when the descriptor is closed, in forked children that have it, too.

        Raises:
            OSError: the file system knows no locks.
        """
        return _flock(descriptor, fcntl.LOCK_EX)

    def share_lock(descriptor: int) -> bool:
        """Lock an open file together with all who share it; ``False`` when one has it for himself.

        Raises:
            OSError: the file system knows no locks.
        """
        return _flock(descriptor, fcntl.LOCK_SH)

    def _flock(descriptor: int, kind: int) -> bool:
        # Not lockf: its locks end when the process closes *any* descriptor of the file.
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def is_still_at(descriptor: int, path: str | os.PathLike[str]) -> bool:
    """Tell whether the open file is the one at the path: a locked file may have been deleted since."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))  # noqa: PTH116 - of one kind
    except OSError:
        return False
