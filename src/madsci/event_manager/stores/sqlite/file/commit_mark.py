"""The last acknowledged commit, told beside the event file, so that a start sees when one is missing.

SQLite takes a write-ahead log up to the first damage for all there is, and starts short without a word;
an older file in the place of the right one looks as good as that. The mark is written after each commit
and before it is acknowledged. It is not synced: after a power cut it may be behind, and it is ahead of
the file only when something is gone.
"""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from zlib import crc32

from madsci.common.clock import now_us
from madsci.common.durability import sync_file
from madsci.common.errors import StoreUnavailableError

MARK: Final = ".acknowledged"
"""Ends the name of the file of the mark."""
_FORM: Final = re.compile(rb"(seq=(\d{19}) events=(\d{19}) at=(\d{19})) crc=([0-9a-f]{8})\n")


@dataclass(frozen=True)
class CommitMark:
    """The number of the last commit, how many events there were after it, and when it was.

    ``at`` is in microseconds since the Unix epoch.
    """

    seq: int
    events: int
    at: int

    def encode(self) -> bytes:
        """Return the mark as a line of text, always of the same length."""
        text = b"seq=%019d events=%019d at=%019d" % (self.seq, self.events, self.at)
        return b"%s crc=%08x\n" % (text, crc32(text))


def read_mark(path: Path) -> CommitMark | None:
    """Return the mark of an event file; ``None`` where there is none, or only half of one."""
    try:
        found = _FORM.fullmatch(Path(f"{path}{MARK}").read_bytes())
    except OSError:
        return None
    if found is None or crc32(found[1]) != int(found[5], 16):
        return None
    return CommitMark(int(found[2]), int(found[3]), int(found[4]))


def forget_mark(path: Path) -> None:
    """Remove the mark, when another file is to take the place of the one that it is about."""
    Path(f"{path}{MARK}").unlink(missing_ok=True)


class CommitMarker:
    """Writes the mark of one event file. Used by the holder of the writing connection."""

    def __init__(self, path: Path, seq: int, events: int) -> None:
        """Open the file, make it if it is missing, and write the first mark.

        Raises:
            StoreUnavailableError: it cannot be made.
        """
        mark = Path(f"{path}{MARK}")
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0)
        try:
            self._file = os.open(mark, flags, 0o600)
            self.write(seq, events)
            sync_file(mark)  # from here on writing it takes no room on the disk
        except OSError as error:
            raise StoreUnavailableError(
                f"{mark}, which tells the last commit, cannot be written: {error}. Let the server's"
                " user write there."
            ) from error

    def write(self, seq: int, events: int) -> None:
        """Say what the last commit was.

        That takes no room on the disk. So a mark that cannot be written says that the disk fails, also
        where the sync of that commit did not: while a file system gives itself up, it may say of what
        it drops that it is on disk.

        Raises:
            OSError: the disk fails; the commit may be gone with it.
        """
        _write(self._file, CommitMark(seq, events, now_us()).encode())

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


if sys.platform == "win32":

    def _write(file: int, content: bytes) -> None:
        os.lseek(file, 0, os.SEEK_SET)
        os.write(file, content)
else:

    def _write(file: int, content: bytes) -> None:
        os.pwrite(file, content, 0)
