"""Events that no server will ever take, kept in a file for people to look at.

One JSON object per line: ``time``, ``reason``, and the ``event`` as it was to be sent (or ``raw``, what
was found instead of one). The file is shared by all processes of a server's spool directory.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Final

import msgspec

from madsci.client.spool.segments import PRIVATE
from madsci.common.clock import iso, now_us
from madsci.common.durability import make_private_folders
from madsci.common.file_lock import try_lock
from madsci.common.own_file import OwnFile

FILE_NAME: Final = "rejected.ndjson"
MAX_BYTES: Final = 10_485_760
"""Size at which the file makes room for a new one; one predecessor is kept."""


class RejectedFile:
    """The file of a directory. What cannot be written is done without: the caller counts it anyway."""

    def __init__(self, directory: Path, max_bytes: int = MAX_BYTES) -> None:
        self.path = directory / FILE_NAME
        self._max_bytes = max_bytes

    def add(self, body: bytes, reason: str) -> None:
        """Append an event with its reason and the present time."""
        told = {"time": iso(now_us()), "reason": reason}
        try:
            msgspec.json.decode(body, type=msgspec.Raw)
            line = msgspec.json.encode({**told, "event": msgspec.Raw(body)})
        except (msgspec.DecodeError, UnicodeDecodeError):
            line = msgspec.json.encode({**told, "raw": body.decode(errors="replace")})
        line = line.replace(b"\n", b" ") + b"\n"
        with contextlib.suppress(OSError):
            make_private_folders(self.path.parent)
            self._rotate(len(line))
            file = OwnFile(self.path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, PRIVATE)
            try:
                os.write(file.number, line)
            finally:
                file.close()

    def _rotate(self, size: int) -> None:
        if not self._is_full(size):
            return
        lock = OwnFile(self.path.with_suffix(".lock"), os.O_CREAT | os.O_RDWR, PRIVATE)
        try:
            # Of processes that find the file full at once, one renames it.
            if try_lock(lock.number) and self._is_full(size):
                self.path.replace(self.path.with_name(f"{FILE_NAME}.1"))
        finally:
            lock.close()

    def _is_full(self, size: int) -> bool:
        try:
            held = self.path.stat().st_size
        except FileNotFoundError:
            return False
        return held > 0 and held + size > self._max_bytes
