"""The local log file: one event as JSON per line, the same text that the server gets.

All clients of a process that write to one path share one ``LogFile``. Any number of threads and
processes write to the file, and none waits for another: a line is one ``write`` at the end of the file
(``O_APPEND``), and no lock of ours stands before it. So a finalizer or a signal handler may log amid a
log call, and a forked child finds nothing locked.

Nothing is lost when such a file is rotated, for this reason. Who opens it takes a shared lock on it
(``flock``), makes sure that the file still has its name, and writes only then; he keeps the lock until
he closes it. Rotation renames, which harms no writer: his lines fall into the renamed file until he
notices, within ``_TRUST``, and opens the new one. A renamed file is compressed or deleted only by who
gets it locked for himself. Then nobody has it open, and nobody will: writers open the log by its own
name, and one who opened it just before it was renamed finds that it has lost that name. Locks end
with their processes. Where there are no locks, the file is not rotated.

On Windows nobody can rename or delete what another process has open, which serves the same end: the
log grows until only one process has it. There, the C library's way of appending is all that keeps the
lines of several processes apart.

Others may move, truncate or delete the file, or its folder; it is made again, with the lines that were
written while that was not yet noticed.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from math import inf
from pathlib import Path
from typing import Any, Final

from madsci.client.writing.rotation import Identity, Rotation
from madsci.common.file_lock import share_lock
from madsci.common.own_file import identity_of, open_number
from madsci.common.sharing import Shared
from madsci.common.stderr import warn_locally
from madsci.common.types.client_config import EventClientConfig

_TRUST: Final = 0.01
"""Seconds for which a file is taken to have kept its name while line follows line: looking costs as
much as writing."""
_BURST: Final = 0.00005
"""Seconds between two lines at most for that."""
_UNSURE_LINES: Final = 4096
"""Lines kept that were written on trust: more than one writes in that time."""
_UNDER_WAY: Final = (0.001, 0.003, 0.01, 0.03, 0.0)
"""Seconds between looks at a line without an end: the write of it may be just under way, in a thread
that has to wait for a busy machine amid it."""
_ATTEMPTS: Final = 8
"""Times that a file is opened anew because it was renamed that very moment."""
_FLAGS: Final = (
    os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
)
"""Not waiting for a reader where somebody put a pipe there; reading is for the file's last byte."""


class LogFile:
    """A log file, open. Thread-safe; nothing in it waits for a lock."""

    def __init__(self, path: Path, config: EventClientConfig) -> None:
        self.path = path
        self._where = str(path)
        self._rotation = Rotation(path, config)
        self._is_by_time = self._rotation.is_by_time
        self._warned: set[str] = set()
        self._file: _OpenFile | None = self._open()

    def write(self, body: bytes) -> None:
        """Append one encoded event and hand it to the operating system.

        Raises:
            OSError: it could not be written.
        """
        line = body + b"\n"
        file = self._file
        size = -1 if file is None else self._size_of(file)
        if file is None or size < 0:
            file = self._reopen(file)
            size = file.end
        if size and (
            size + len(line) > file.due_size or (self._is_by_time and time.time() >= file.due_time)
        ):
            identity, period_end = file.identity, file.due_time
            file = None  # what somebody has open is not compressed
            self._rotate(line, identity, period_end)
        else:
            file.append(line)
            file.end = size + len(line)

    def settle(self) -> None:
        """See that the last lines are in a file that has its name.

        Raises:
            OSError: it could not be written.
        """
        file = self._file
        if file is not None and file.unsure and file.is_deleted():
            self._reopen(file)

    def forget_parent(self) -> None:
        """Have a file of its own in a forked child."""
        file, self._file = self._file, None
        if file is not None:
            file.close()
        self._rotation.forget_parent()

    def _size_of(self, file: _OpenFile) -> int:
        """Return the size of the file; -1 where it is to be opened anew."""
        try:
            # Not fstat: the kernel notes that it was asked for the time, and makes the write dear.
            size = os.lseek(file.number, 0, os.SEEK_END)
        except OSError:
            return -1
        now = time.monotonic()
        if now >= file.looked_at + _BURST:
            file.trusted_until = 0.0
        file.looked_at, file.is_sure = now, False
        if size and size == file.end and now < file.trusted_until:
            return size
        if not file.is_ours():
            return -1
        if now >= file.trusted_until:
            written = len(file.unsure)
            if not file.is_at(self._where):
                return -1
            file.trusted_until, file.is_sure = now + _TRUST, True
            file.be_sure(written)
        if not size and file.due_time < inf:
            file.due_time = self._rotation.end_of_period(time.time())
        return size

    def _open(self) -> _OpenFile:
        for _ in range(_ATTEMPTS):
            file = self._open_once()
            if file.is_at(self._where):
                break
        return file

    def _open_once(self) -> _OpenFile:
        number = self._open_number()
        file = _OpenFile(number)
        try:
            is_shared = share_lock(number)
        except OSError as error:
            is_shared = False
            if self._is_by_time or self._rotation.max_bytes:
                self._warn("is not rotated and grows on, since it cannot be locked", error)
        if is_shared:
            file.due_size = self._rotation.max_bytes or inf
            if self._is_by_time:
                file.due_time = self._rotation.end_of_period(file.changed if file.end else time.time())
        return file

    def _open_number(self) -> int:
        for _ in range(_ATTEMPTS):
            with suppress(FileNotFoundError):
                return open_number(self._where, _FLAGS)
            # Somebody deletes the folder just now, perhaps one that another thread has just made.
            with suppress(FileNotFoundError, FileExistsError):
                self.path.parent.mkdir(parents=True, exist_ok=True)
        return open_number(self._where, _FLAGS)

    def _reopen(self, old: _OpenFile | None) -> _OpenFile:
        try:
            file = self._open()
        except OSError as error:
            # After chroot, or with fewer rights: a moved file is better than none.
            if old is None or not old.is_alive():
                raise
            self._warn("cannot be opened anew, so that events go on into the one that was moved", error)
            return old
        self._file = file
        if old is not None and old.is_deleted():
            self._write_again(old, file)
        return file

    @staticmethod
    def _write_again(old: _OpenFile, file: _OpenFile) -> None:
        with suppress(IndexError):
            while True:
                line = old.unsure.popleft()  # each by one thread only
                file.append(line)
                file.end += len(line)

    def _append(self, line: bytes) -> _OpenFile:
        file = self._file
        if file is None or self._size_of(file) < 0:
            file = self._reopen(file)
        file.append(line)
        return file

    def _rotate(self, line: bytes, identity: Identity, period_end: float) -> None:
        """Write the line into a new file, or into the full one where somebody else sees to that."""
        claim, trouble = None, None
        try:
            claim = self._rotation.take_claim()
        except FileNotFoundError:
            pass  # somebody deleted the folder, which the line makes again
        except OSError as error:
            trouble = error
        try:
            if claim is not None:
                self._file = None
                trouble = self._attempt(self._rotation.set_aside, identity, period_end)
            file = self._append(line)  # before all that takes its time
            if trouble is not None:  # on Windows another process may have the file open
                self._warn("cannot be rotated and grows on", trouble)
                file.due_size = os.fstat(file.number).st_size + (self._rotation.max_bytes or inf)
                file.due_time = self._rotation.end_of_period(time.time())
            elif claim is not None:
                trouble = self._attempt(self._rotation.tidy)
                if trouble is not None:
                    self._warn("was rotated, but its old files were not compressed or deleted", trouble)
        finally:
            if claim is not None:
                claim.end()

    @staticmethod
    def _attempt(step: Callable[..., None], *arguments: Any) -> OSError | None:
        try:
            step(*arguments)
        except FileNotFoundError:  # somebody deletes the folder
            return None
        except OSError as error:
            return error
        return None

    def _warn(self, what: str, error: OSError) -> None:
        if what not in self._warned:
            self._warned.add(what)
            warn_locally(f"The log file {self.path} {what}: {error}")


class _OpenFile:
    """A descriptor that is closed when nobody refers to it any more, so never amid a write."""

    __slots__ = (
        "changed", "device", "due_size", "due_time", "end", "inode", "is_sure", "is_torn", "looked_at",
        "number", "trusted_until", "unsure",
    )  # fmt: skip

    def __init__(self, number: int) -> None:
        self.number = number
        status = os.fstat(number)
        self.device, self.inode = status.st_dev, status.st_ino
        self.end, self.changed = status.st_size, status.st_mtime
        self.due_size = self.due_time = inf
        self.trusted_until = self.looked_at = 0.0
        self.is_sure = True
        self.unsure: deque[bytes] = deque(maxlen=_UNSURE_LINES)
        self.is_torn = bool(self.end) and self._ends_amid_a_line()

    @property
    def identity(self) -> Identity:
        return self.device, self.inode

    def is_at(self, path: str) -> bool:
        try:
            status = os.stat(path)  # noqa: PTH116 - in a log call
        except OSError:
            return False
        return status.st_ino == self.inode and status.st_dev == self.device

    def is_alive(self) -> bool:
        """Tell whether what is written still has a name somewhere."""
        return self.is_ours() and os.fstat(self.number).st_nlink > 0

    def is_deleted(self) -> bool:
        return self.is_ours() and os.fstat(self.number).st_nlink == 0

    def be_sure(self, count: int) -> None:
        """Forget so many lines: they are where they should be."""
        with suppress(IndexError):  # another thread is at it, too
            for _ in range(count):
                self.unsure.popleft()

    def append(self, line: bytes) -> None:
        if self.is_torn:  # an end for what somebody began, and could not finish
            line = b"\n" + line
        whole = line
        while True:
            written = os.write(self.number, line)
            if written == len(line):
                break
            # The disk is full, or nearly.
            self.is_torn, line = True, line[written:]
        self.is_torn = False
        if not self.is_sure:
            self.unsure.append(whole)

    def close(self) -> None:
        number, alive = self.number, self.number >= 0 and self.is_ours()
        self.number = -1
        if alive:
            os.close(number)

    def is_ours(self) -> bool:
        """Tell whether the number is still that of this file: daemons close what they do not know."""
        return identity_of(self.number) == (self.inode, self.device)

    __del__ = close

    def _ends_amid_a_line(self) -> bool:
        for pause in _UNDER_WAY:
            os.lseek(self.number, -1, os.SEEK_END)
            if os.read(self.number, 1) in (b"\n", b""):
                return False
            time.sleep(pause)
        return True


_files: Final[Shared[LogFile]] = Shared()


def open_log_file(path: Path, config: EventClientConfig) -> LogFile:
    """Return the open file of a path; the first of its clients decides how it is rotated.

    It is closed when nobody refers to it any more.

    Raises:
        OSError: it cannot be written.
    """
    path = path.resolve()
    return _files.get(path, lambda: LogFile(path, config))
