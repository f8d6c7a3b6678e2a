"""Setting a full log file aside: once among all processes that write to it, and without waiting.

Whoever wants to rotate takes a lock file beside the log, or lets it be: somebody is at it. With the
lock he makes sure that the file at the path is still the one he found full, and renames it. Then he
deletes and compresses old files, but only those that nobody can write to any more; ``log_file`` says
how this can be told. The lock file is deleted by its holder, so that a log has nothing beside it.
"""

from __future__ import annotations

import gzip
import os
import shutil
import stat
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from madsci.client.writing.log_names import PACKED, PART, Backup, backups, leftovers
from madsci.common.file_lock import is_still_at, try_lock
from madsci.common.own_file import open_number
from madsci.common.types.client_config import EventClientConfig

Identity = tuple[int, int]
"""Device and number of a file, which stay when it is renamed."""

_DAY: Final = 86_400
_FIRST_TUESDAY: Final = 5 * _DAY
"""Seconds from the epoch to the end of its first Monday, with which ``W0`` has to do."""
_UNITS: Final = {"S": 1, "M": 60, "H": 3600, "D": _DAY, "midnight": _DAY}
_STAMPS: Final = {"S": "%Y-%m-%d_%H-%M-%S", "M": "%Y-%m-%d_%H-%M", "H": "%Y-%m-%d_%H"}
_PACKED_AT_ONCE: Final = 2
"""Files compressed in one log call, which waits for it: the one set aside, and one left from before."""
_OPEN: Final = os.O_RDWR | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


class Rotation:
    """When a log file is set aside, and how. Thread-safe, and safe amid itself; never waits."""

    def __init__(self, path: Path, config: EventClientConfig) -> None:
        self.path = path
        self.is_by_time = config.log_rotation_type == "time"
        self.max_bytes = config.log_max_bytes if config.log_rotation_type == "size" else 0
        self._count = config.log_backup_count
        self._is_packing = config.log_compression_enabled
        when = config.log_rotation_when
        self._span = _UNITS.get(when, 7 * _DAY) * config.log_rotation_interval
        # Weeks end with the day that is named; all else begins with the epoch.
        self._origin = _FIRST_TUESDAY - _DAY + (int(when[1]) + 1) * _DAY if when[0] == "W" else 0
        self._stamp = _STAMPS.get(when, "%Y-%m-%d")
        self._claims: list[Claim] = []

    def end_of_period(self, moment: float) -> float:
        """Return when the period of a moment ends: the same in every process."""
        return moment + self._span - (moment - self._origin) % self._span

    def take_claim(self) -> Claim | None:
        """Take the lock for a rotation; ``None`` when somebody else has it.

        Raises:
            OSError: there cannot be such a lock.
        """
        path = self.path.with_name(f".{self.path.name}.lock")
        descriptor = open_number(path, _OPEN | os.O_CREAT)
        claim = Claim(self, path, descriptor)
        self._claims.append(claim)
        has_lock = False
        try:
            # Who had it before may just have deleted it.
            has_lock = try_lock(descriptor) and is_still_at(descriptor, path)
        finally:
            if not has_lock:
                claim.drop()
        return claim if has_lock else None

    def forget_parent(self) -> None:
        """Let go of locks that a parent process holds."""
        for claim in list(self._claims):
            claim.drop()

    def forget_claim(self, claim: Claim) -> None:
        """Take note that a claim has ended."""
        with suppress(ValueError):
            self._claims.remove(claim)

    def set_aside(self, identity: Identity, period_end: float) -> None:
        """Give the log file its name among the old ones, unless another file has taken its place."""
        try:
            status = self.path.stat()
        except FileNotFoundError:
            return
        if (status.st_dev, status.st_ino) != identity:
            return
        for path in leftovers(self.path):
            path.unlink()
        target = self._dated_name(period_end) if self.is_by_time else self._first_number()
        try:
            self.path.rename(target)
        except FileNotFoundError:  # somebody from outside rotates, too
            return
        mode = stat.S_IMODE(status.st_mode)
        with suppress(OSError):  # who may write to it is for those to say who set it up
            os.close(open_number(self.path, _OPEN | os.O_CREAT, mode))
            if stat.S_IMODE(self.path.stat().st_mode) != mode:
                self.path.chmod(mode)

    def tidy(self) -> None:
        """Delete the old files that are too many, and compress the others, a few at a time."""
        found = backups(self.path, by_time=self.is_by_time)
        for backup in found[self._count :]:
            if backup.is_packed or _is_left_by_all(backup.path):
                backup.path.unlink(missing_ok=True)
        if self._is_packing:
            plain = (one.path for one in found[: self._count] if not one.is_packed)
            free = (path for path in plain if _is_left_by_all(path))
            for path, _ in zip(free, range(_PACKED_AT_ONCE), strict=False):
                _pack(path)

    def _dated_name(self, period_end: float) -> Path:
        stamp = time.strftime(self._stamp, time.gmtime(period_end - self._span))
        again = [one.again for one in backups(self.path, by_time=True) if one.stamp == stamp]
        ending = f".{max(again) + 1}" if again else ""
        return self.path.with_name(f"{self.path.name}.{stamp}{ending}")

    def _first_number(self) -> Path:
        """Make room for a file with the number 1."""
        numbered = {one.number: one for one in backups(self.path, by_time=False) if one.number}
        run: list[Backup] = []
        while len(run) + 1 in numbered:  # a rotation that was killed amid this left a gap
            run.append(numbered[len(run) + 1])
        for backup in reversed(run):
            ending = PACKED if backup.is_packed else ""
            backup.path.rename(self.path.with_name(f"{self.path.name}.{backup.number + 1}{ending}"))
        return self.path.with_name(f"{self.path.name}.1")


class Claim:
    """The right to rotate: a locked file."""

    def __init__(self, rotation: Rotation, path: Path, descriptor: int) -> None:
        self._rotation = rotation
        self._path = path
        self._descriptor = descriptor

    def end(self) -> None:
        """Delete the lock file and give the lock back."""
        if is_still_at(self._descriptor, self._path):
            with suppress(OSError):  # Windows deletes nothing that is open
                self._path.unlink()
        self.drop()

    def drop(self) -> None:
        """Close the lock file, which gives the lock back; in a forked child, its share in it."""
        self._rotation.forget_claim(self)
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            with suppress(OSError):
                os.close(descriptor)


def _is_left_by_all(path: Path) -> bool:
    """Tell whether nobody has a renamed file open to write to it, so that nobody ever will."""
    try:
        descriptor = open_number(path, _OPEN)
    except OSError:
        return False
    try:
        return try_lock(descriptor)
    finally:
        os.close(descriptor)


def _pack(path: Path) -> None:
    packed = path.with_name(path.name + PACKED)
    part = path.with_name(path.name + PACKED + PART)
    try:
        # The lowest level: a log call waits for this.
        with (
            open(path, "rb", opener=open_number) as plain,
            open(part, "wb", opener=open_number) as file,
        ):
            status = os.fstat(plain.fileno())
            with gzip.GzipFile("", "wb", 1, file) as packer:
                shutil.copyfileobj(plain, packer)
            file.flush()
            os.fsync(file.fileno())  # what is deleted next may be on disk for long
        os.utime(part, ns=(status.st_atime_ns, status.st_mtime_ns))
        part.chmod(stat.S_IMODE(status.st_mode))
        part.rename(packed)
    finally:
        part.unlink(missing_ok=True)
    path.unlink()
