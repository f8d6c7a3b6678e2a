"""Disk space that is held for when there is no other."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Final

from madsci.common.durability import sync_file

RESERVE: Final = ".reserve"
"""Ends the name of the file that holds the space."""
_LARGEST: Final = 4 * 1024 * 1024
"""Bytes: what the log of some deletions takes, so that deleting works on a full disk."""
_SHARE: Final = 16
"""Part of the disk that is held at most, one of so many."""
_BLOCK: Final = bytes(4096)


class Reserve:
    """A file beside an event file that is there for its size only.

    Used by the holder of the writing connection.
    """

    def __init__(self, path: Path, disk_bytes: int) -> None:
        self._path = Path(f"{path}{RESERVE}")
        self.size = min(_LARGEST, disk_bytes // _SHARE)
        """Bytes that it holds when it is there."""

    @property
    def is_held(self) -> bool:
        """Whether the space is held now."""
        try:
            return self._path.stat().st_size >= self.size
        except OSError:
            return False

    def hold(self) -> bool:
        """Take the space, durably; tell whether it is held."""
        file = -1
        try:
            file = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o600)
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file, 0, self.size)
            else:
                for _ in range(self.size // len(_BLOCK)):
                    os.write(file, _BLOCK)
            os.fsync(file)
        except OSError:
            with contextlib.suppress(OSError):
                self._path.unlink(missing_ok=True)  # half of it is no use
            return False
        finally:
            if file >= 0:
                os.close(file)
        return True

    def release(self) -> None:
        """Give the space back to the disk."""
        with contextlib.suppress(OSError):  # what else should be done with it
            self._path.unlink(missing_ok=True)

    def touch(self) -> None:
        """Write its last block durably, which takes no room and tells how the disk is.

        Raises:
            OSError: the disk fails, or can be read only.
        """
        with self._path.open("r+b", buffering=0) as file:
            file.seek(max(self.size - len(_BLOCK), 0))
            file.write(_BLOCK)
        sync_file(self._path)
