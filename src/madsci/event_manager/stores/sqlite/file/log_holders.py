"""Who keeps the write-ahead log of an event file from starting again, by reading an old state of it.

A reader holds a lock on a byte of the index of the log (https://www.sqlite.org/walformat.html#wal_locks),
and Linux lists all locks. The index itself must not be opened here: closing it would end the locks that
the engine holds on it in this process.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

_INDEX: Final = "-shm"
_LOCKS: Final = Path("/proc/locks")
_READ_MARKS: Final = range(123, 128)
"""Bytes of the index that readers lock."""
_LONGEST_NAME: Final = 80


class LogHolders:
    """Remembers who was met at each look. Used by one thread; ``named`` may be read from anywhere."""

    def __init__(self, path: Path) -> None:
        self._index = Path(f"{path}{_INDEX}")
        self._always: frozenset[int] | None = None
        self.named = ""
        """Who it is, for people; empty while nobody holds the log."""

    def look(self) -> None:
        """Look who reads now. Whoever did at each look holds the log; the others come and go."""
        now = _readers(self._index)
        always = now if self._always is None else self._always & now
        if always != self._always:  # where all have changed, those of now are the next to be watched
            self._always = always or now
            names = sorted({_named(pid) for pid in self._always})
            self.named = ", ".join(names) or "another program"

    def forget(self) -> None:
        """Take note that nobody holds the log any more."""
        self._always, self.named = None, ""


def _readers(index: Path) -> frozenset[int]:
    try:
        number = index.stat().st_ino
        return frozenset(_pids(_LOCKS.read_text(), str(number)))
    except OSError:  # another system, or a container that hides it
        return frozenset()


def _pids(locks: str, inode: str) -> Iterator[int]:
    """Yield who holds a read mark, from lines such as ``1: POSIX ADVISORY READ 42 fe:00:7 123 123``."""
    for line in locks.splitlines():
        words = line.split()
        if words[1:4] != ["POSIX", "ADVISORY", "READ"] or words[5].rpartition(":")[2] != inode:
            continue
        first, last = int(words[6]), words[7]
        if first in _READ_MARKS and last.isdigit() and int(words[4]) > 0:
            yield int(words[4])


def _named(pid: int) -> str:
    if pid == os.getpid():
        return "this server itself"
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ")
    except OSError:
        command = b""
    name = " ".join(command.decode(errors="replace").split())[:_LONGEST_NAME]
    whose = "a question, an export or a backup of this server, " if _parent(pid) == os.getpid() else ""
    return f"{whose}process {pid} ({name or 'of unknown name'})"


def _parent(pid: int) -> int | None:
    with suppress(OSError, ValueError, IndexError):
        status = Path(f"/proc/{pid}/stat").read_text()
        return int(status.rpartition(")")[2].split()[1])
    return None
