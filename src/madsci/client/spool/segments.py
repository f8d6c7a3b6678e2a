"""The files that waiting events are kept in.

A segment is a file of lines, each an event that can be read with any editor::

    9ae0daaf 000644d4a5b1c2d3 {"event_id":"01J...","event_type":"log_info",...}
    │        │                └ the event as it is sent
    │        └ when it was logged: microseconds since the Unix epoch, hexadecimal
    └ CRC-32 of the event

A line is written by one call to the system: it is there as a whole, or torn by the end of the
machine, which the checksum shows. Reading goes on at the next line whatever a damaged one looks like.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple
from zlib import crc32

from madsci.common.own_file import OwnFile

SUFFIX: Final = ".events"
_MOMENT_AT: Final = 9
_BODY_AT: Final = 26
_CHUNK: Final = 1 << 18
_sync = getattr(os, "fdatasync", os.fsync)


def encode_line(body: bytes, moment: int) -> bytes:
    """Frame an event. Line breaks, which in JSON mean nothing between values, become spaces."""
    if b"\n" in body:
        body = body.replace(b"\n", b" ")
    return b"%08x %016x %b\n" % (crc32(body), moment, body)


class Line(NamedTuple):
    """A line that was read: where the next begins, and the event, ``None`` if it is damaged."""

    end: int
    body: bytes | None
    moment: int
    raw: bytes


def decode_line(raw: bytes, end: int) -> Line:
    """Check a line without its line break."""
    body = raw[_BODY_AT:]
    try:
        if int(raw[: _MOMENT_AT - 1], 16) == crc32(body):
            return Line(end, body, int(raw[_MOMENT_AT : _BODY_AT - 1], 16), raw)
    except ValueError:
        pass
    return Line(end, None, 0, raw)


class Segment:
    """A run of waiting events, in a file. What is counted here, its owner counts under his lock.

    ``base`` is the position before the first event, ``count`` how many were written, ``done`` how
    many of them are settled and ``offset`` where the first unsettled one begins. It is full when it
    would grow beyond ``limit`` bytes.
    """

    is_on_disk = True

    def __init__(self, path: Path | None, number: int, base: int, limit: int = 0) -> None:
        self.path = path
        self.number = number
        self.base = base
        self.limit = limit
        self.size = self.count = self.offset = self.done = 0
        self.first_moment = self.last_moment = 0
        self.is_sealed = self.is_torn = self._is_named = False
        self._file: OwnFile | None = None
        self.write: Callable[[bytes], object] = _refuse
        """Appends a line, which ``note`` counts; raises ``OSError`` if it cannot, as a whole."""

    @classmethod
    def create(cls, path: Path, number: int, base: int, limit: int) -> Segment:
        """Begin a new file, which stays readable when somebody deletes its directory.

        Raises:
            OSError: there is no place for it.
        """
        segment = cls(path, number, base, limit)
        segment._file = OwnFile(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_APPEND)
        segment.write = segment._file.append  # bound once: each event of a robot passes here
        return segment

    @classmethod
    def existing(cls, path: Path, number: int, base: int, offset: int) -> Segment:
        """Take over a file of a process that has ended, of which so many bytes are settled.

        Raises:
            OSError: it cannot be read, or is no file.
        """
        segment = cls(path, number, base)
        segment._file = OwnFile(path, os.O_RDONLY)
        status = os.fstat(segment._file.number)
        segment.size, segment.is_sealed = status.st_size, True
        segment.offset = offset if offset <= status.st_size else 0
        segment.last_moment = status.st_mtime_ns // 1000
        at, ending = segment.offset, b"\n"
        while chunk := segment._read_at(at, _CHUNK):
            at += len(chunk)
            segment.count += chunk.count(b"\n")
            ending = chunk[-1:]
        segment.is_torn = ending != b"\n"  # or all but its line break
        segment.count += segment.is_torn
        first = next(segment.lines(segment.offset, segment.size), None)
        segment.close()
        segment.first_moment = first.moment if first else 0
        return segment

    @property
    def waiting(self) -> int:
        """How many events are not settled."""
        return self.count - self.done

    @property
    def waiting_bytes(self) -> int:
        """How many bytes are not settled."""
        return self.size - self.offset

    def note(self, size: int, moment: int) -> None:
        """Count a line that was written."""
        self.size += size
        self.count += 1
        self.last_moment = moment
        if self.count == 1:
            self.first_moment = moment

    def lines(self, offset: int, limit: int) -> Iterator[Line]:
        """Read line by line. A last one without its line break counts if it is whole, else not.

        Raises:
            OSError: the file cannot be read.
        """
        rest, at = b"", offset
        while at < limit:
            chunk = self._read_at(at, min(_CHUNK, limit - at))
            if not chunk:
                break
            at += len(chunk)
            *whole, rest = (rest + chunk).split(b"\n")
            for raw in whole:
                offset += len(raw) + 1
                yield decode_line(raw, offset)
        if rest:
            line = decode_line(rest, limit)
            if line.body is not None:
                yield line

    def sync(self) -> None:
        """Have the operating system bring everything to the disk.

        Raises:
            OSError: it could not.
        """
        file = self._file
        if file is None or self.path is None or not file.is_ours:
            return
        _sync(file.number)
        if not self._is_named and os.name == "posix":  # the name is in the directory, not in the file
            descriptor = os.open(self.path.parent, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        self._is_named = True

    def close(self) -> None:
        """Close the file. A later read opens it again."""
        self.write = _refuse
        file, self._file = self._file, None
        if file is not None:
            file.close()

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
        self._max_events = max_events
        self.write = self._content.extend

    def note(self, size: int, moment: int) -> None:
        """Count a line that was written."""
        super().note(size, moment)
        if self.count >= self._max_events:
            self.limit = 0

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
