"""Disk space that is held for when there is no other."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path
from typing import Final

from madsci.common.durability import sync_file, sync_folder

RESERVE: Final = ".reserve"
"""Ends the name of the file that holds the space."""
_LARGEST: Final = 4 * 1024 * 1024
"""Bytes: what the log of some deletions takes, so that deleting works on a full disk."""
_SHARE: Final = 16
"""Part of the disk that is held at most, one of so many."""
_FOR_OPENING: Final = 256 * 1024
"""Bytes that only a start uses. SQLite makes the index of the log anew then, and maps it into memory:
where a file can have holes, a disk without room for them ends the process with SIGBUS."""
_OPENING_SHARE: Final = 8
"""Part of the reserve that this is at most, one of so many."""
_BLOCK: Final = bytes(4096)


class Reserve:
    """A file beside an event file that is there for its size only.

    Used by the holder of the writing connection.
    """

    def __init__(self, path: Path, disk_bytes: int) -> None:
        self._path = Path(f"{path}{RESERVE}")
        self.size = min(_LARGEST, disk_bytes // _SHARE)
        """Bytes that it holds when it is there."""
        self._for_opening = min(_FOR_OPENING, self.size // _OPENING_SHARE)

    @property
    def is_held(self) -> bool:
        """Whether the space is held now."""
        try:
            return self._path.stat().st_size >= self.size
        except OSError:
            return False

    def hold(self) -> bool:
        """Take the space, durably; tell whether it is held."""
        return self._take(self.size)

    def hold_for_opening(self) -> None:
        """Take what the next start needs, durably, or what there is of it on the disk."""
        with contextlib.suppress(OSError):
            free = shutil.disk_usage(self._path.parent).free
            self._take(min(self._for_opening, free // len(_BLOCK) * len(_BLOCK)))

    def _take(self, size: int) -> bool:
        file = -1
        try:
            file = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o600)
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file, 0, size)
            else:
                for _ in range(size // len(_BLOCK)):
                    os.write(file, _BLOCK)
            os.fsync(file)
        except OSError:
            self.release()
            return False
        finally:
            if file >= 0:
                os.close(file)
        return True

    def release(self) -> None:
        """Give the space back to the disk, but for what the next start needs."""
        with contextlib.suppress(OSError):  # what else should be done with it
            if self._path.stat().st_size > self._for_opening:
                os.truncate(self._path, self._for_opening)

    def release_for_opening(self) -> None:
        """Give all of the space back to the disk, and return when it can be used."""
        with contextlib.suppress(OSError):
            self._path.unlink()
            sync_folder(self._path.parent)

    def touch(self) -> None:
        """Write its last block durably, which takes no room and tells how the disk is.

        Raises:
            OSError: the disk fails, or can be read only.
        """
        with self._path.open("r+b", buffering=0) as file:
            file.seek(max(self.size - len(_BLOCK), 0))
            file.write(_BLOCK)
        sync_file(self._path)
