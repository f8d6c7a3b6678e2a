"""The bytes of a file that may be cut, damaged, or on a disk that refuses to read some of them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from typing_extensions import Self

_AT_ONCE: Final = 65_536
"""Bytes of one read. A disk that cannot read one sector refuses all, which are then tried alone."""
_SECTOR: Final = 512


class RawFile:
    """An open file, read at places. What is not there, or the disk refuses, is zeros.

    Raises:
        OSError: it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.refused: set[int] = set()
        """Where the disk refused to read, as offsets of sectors."""
        self._descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        self.size = os.fstat(self._descriptor).st_size

    def read(self, offset: int, length: int) -> bytes:
        """Return so many bytes from a place."""
        end = offset + length
        return b"".join(self._part(at, min(_AT_ONCE, end - at)) for at in range(offset, end, _AT_ONCE))

    def _part(self, offset: int, length: int) -> bytes:
        try:
            return self._exactly(offset, length)
        except OSError:
            if length <= _SECTOR:
                self.refused.add(offset)
                return bytes(length)
        return b"".join(
            self._part(at, min(_SECTOR, offset + length - at))
            for at in range(offset, offset + length, _SECTOR)
        )

    def _exactly(self, offset: int, length: int) -> bytes:
        os.lseek(self._descriptor, offset, os.SEEK_SET)
        data = b""
        while len(data) < length:
            more = os.read(self._descriptor, length - len(data))
            if not more:
                break
            data += more
        return data.ljust(length, b"\0")

    def refusals(self) -> list[str]:
        """Return where the disk refused to read, as sentences."""
        places: list[list[int]] = []
        for offset in sorted(self.refused):
            if places and offset <= places[-1][1]:
                places[-1][1] = offset + _SECTOR
            else:
                places.append([offset, offset + _SECTOR])
        return [
            f"the disk refuses to read {end - begin:,} bytes of {self.path.name} from byte {begin:,} on"
            for begin, end in places
        ]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)
