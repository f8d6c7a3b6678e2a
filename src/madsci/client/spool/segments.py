"""The files that waiting events are kept in: runs of lines, appended to and read.

A line is written by one call to the system: it is there as a whole, or torn by the end of the
machine, which the checksum shows. Reading goes on at the next line whatever a damaged one looks like.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from madsci.client.spool.lines import Line, decode_line
from madsci.common.durability import sync_folder
from madsci.common.own_file import OwnFile

SUFFIX: Final = ".events"
PRIVATE: Final = 0o600
_CHUNK: Final = 1 << 18
_sync = getattr(os, "fdatasync", os.fsync)


class Segment:
    """A run of waiting events, in a file. What is counted here, its owner counts under his lock.

    ``base`` is the position before the first event, ``count`` how many there should be, ``done`` how
    many of them are settled and ``offset`` where the first unsettled one begins. It is full when it
    would grow beyond ``limit`` bytes.
    """

    is_on_disk = True
    max_count = 0
    """So many events at most, where that is bounded."""

    def __init__(self, path: Path | None, number: int, base: int = 0, limit: int = 0) -> None:
        self.path = path
        self.number = number
        self.base = base
        self.limit = limit
        self.size = self.count = self.offset = self.done = 0
        self.first_moment = self.last_moment = 0
        self.first_number = 0
        """Of a file that was taken over: the number of its first event that can be read, 0 for none."""
        self.is_sealed = self.is_rewound = self._is_named = False
        self._file: OwnFile | None = None
        self._deleted_files: list[OwnFile] = []  # somebody may be reading there
        self.write: Callable[[bytes], object] = _refuse
        """Appends a line, which ``note`` counts; raises ``OSError`` if it cannot, as a whole."""

    @classmethod
    def create(cls, path: Path, number: int, base: int, limit: int) -> Segment:
        """Begin a new file, which stays readable when somebody deletes its directory.

        Raises:
            OSError: there is no place for it.
        """
        segment = cls(path, number, base, limit)
        segment._file = OwnFile(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_APPEND, PRIVATE)
        segment.write = segment._file.append  # bound once: each event of a robot passes here
        return segment

    @classmethod
    def existing(cls, path: Path, number: int, offset: int) -> Segment:
        """Take over a file of a process that has ended, of which so many bytes are settled.

        How many events it should hold, others know.

        Raises:
            OSError: it cannot be read, or is no file.
        """
        segment = cls(path, number)
        segment._file = OwnFile(path, os.O_RDONLY)
        status = os.fstat(segment._file.number)
        segment.size, segment.is_sealed = status.st_size, True
        if offset <= segment.size and segment._read_at(offset - 1, 1) == b"\n":
            segment.offset = offset
        segment.last_moment = status.st_mtime_ns // 1000
        first = next((line for line in segment.lines(segment.offset) if line.body is not None), None)
        segment.close()
        if first is not None:
            segment.first_moment, segment.first_number = first.moment, first.number
        return segment

    @property
    def waiting(self) -> int:
        """How many events are not settled."""
        return self.count - self.done

    @property
    def waiting_bytes(self) -> int:
        """How many bytes are not settled."""
        return self.size - self.offset

    def lines(self, offset: int, limit: int | None = None) -> Iterator[Line]:
        """Read line by line, to a limit or to the end of the file.

        At the end, a last line without its line break is read, too: it may be whole.

        Raises:
            OSError: the file cannot be read.
        """
        rest, at = b"", offset
        while limit is None or at < limit:
            chunk = self._read_at(at, _CHUNK if limit is None else min(_CHUNK, limit - at))
            if not chunk:
                break
            at += len(chunk)
            *whole, rest = (rest + chunk).split(b"\n")
            for raw in whole:
                yield from decode_line(raw, offset)
                offset += len(raw) + 1
        if rest and limit is None:
            yield from decode_line(rest, offset, is_open=True)

    def last_position(self) -> int:
        """Return the position of the last event that can be read; raises as ``lines`` does."""
        position = self.base
        for line in self.lines(self.offset):
            if line.body is not None:
                position = max(position + 1, line.number)
        return position

    def seal(self) -> None:
        """Have nothing appended any more. Its owner does so under his lock."""
        self.is_sealed, self.limit = True, 0

    def rewind(self) -> bool:
        """Have the file read from its beginning, once; tell whether there is sense in that.

        Somebody who cuts a file has later events stand before those that were read.
        """
        if self.is_rewound or not self.offset:
            return False
        self.is_rewound, self.offset = True, 0
        return True

    def sync(self) -> None:
        """Have the operating system bring everything to the disk.

        Raises:
            OSError: it could not.
        """
        file = self._file
        if file is None or self.path is None or not file.is_ours:
            return
        _sync(file.number)
        if not self._is_named:  # the name is in the directory, not in the file
            sync_folder(self.path.parent)
        self._is_named = True

    def close(self) -> None:
        """Close the file. A later read opens it again."""
        self.write = _refuse
        files, self._file = [self._file, *self._deleted_files], None
        self._deleted_files.clear()
        for file in files:
            if file is not None:
                file.close()

    def is_lost(self) -> bool:
        """Tell whether somebody deleted the file while we did not have it open."""
        return self.path is not None and self._file is None and not self.path.exists()

    def restore(self) -> None:
        """Write the file anew from what we have open of it, if somebody deleted it.

        Raises:
            OSError: it cannot be written; it stays open.
        """
        old = self._file
        if self.path is None or old is None or not old.is_ours or self.path.exists():
            return
        new = OwnFile(self.path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_APPEND, PRIVATE)
        try:
            at = 0
            while chunk := self._read_at(at, _CHUNK):
                new.append(chunk)
                at += len(chunk)
        except OSError:
            self.delete()
            new.close()
            raise
        self._deleted_files.append(old)
        self._file, self._is_named = new, False
        self.sync()

    def has_vanished(self) -> bool:
        """Tell whether somebody deleted the file, or closed it under us."""
        is_closed = self._file is not None and not self._file.is_ours
        return is_closed or (self.path is not None and not self.path.exists())

    def measure(self) -> tuple[int, int]:
        """Return how many bytes and how many events there are, counted or not."""
        try:
            content = self.path.read_bytes() if self.path is not None else b""
        except OSError:  # deleted under us: what was counted is the best that is known
            return self.size, self.count
        return len(content), content.count(b"\n")

    def delete(self) -> None:
        """Delete the file if the system lets us: Windows does not while it is open."""
        if self.path is not None:
            with contextlib.suppress(OSError):
                self.path.unlink(missing_ok=True)

    def _read_at(self, offset: int, length: int) -> bytes:
        if offset < 0:
            return b""
        file = self._file
        if file is None or not file.is_ours:
            if self.path is None:
                return b""
            file = self._file = OwnFile(self.path, os.O_RDONLY)
        if hasattr(os, "pread"):
            return os.pread(file.number, length, offset)
        with self.path.open("rb") as reader:  # type: ignore[union-attr] # Windows: appending has the place
            reader.seek(offset)
            return reader.read(length)


class MemorySegment(Segment):
    """A run of waiting events for which there is no place on the disk; full with so many events."""

    is_on_disk = False

    def __init__(self, number: int, base: int, limit: int, max_events: int) -> None:
        super().__init__(None, number, base, limit)
        self._content = bytearray()
        self.max_count = max_events
        self.write = self._content.extend

    def measure(self) -> tuple[int, int]:
        """Return how many bytes and how many events there are, counted or not."""
        return len(self._content), self._content.count(b"\n")

    def delete(self) -> None:
        """Let the memory go."""
        self._content.clear()

    def _read_at(self, offset: int, length: int) -> bytes:
        return bytes(self._content[offset : offset + length])


def _refuse(_: bytes) -> None:
    raise OSError("the file of waiting events is closed")


def file_name(token: str, number: int) -> str:
    """Return the name of a segment of a process."""
    return f"{token}-{number:06}{SUFFIX}"


def parse_file_name(name: str) -> tuple[str, int] | None:
    """Read the token of the process and the number of the segment from a name."""
    token, _, number = name.removesuffix(SUFFIX).rpartition("-")
    if name.endswith(SUFFIX) and token and number.isascii() and number.isdigit():
        return token, int(number)
    return None
