"""Making the data of a backup: copied out of a database, read back, and summed up.

That takes a core for as long as it lasts. A tool has one for it; a server has events to take, and has a
process beside it do that.
"""

from __future__ import annotations

import contextlib
import pickle
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, Protocol, cast

from madsci.common.errors import OverloadedError, StoreError
from madsci.event_manager.backup import layout
from madsci.event_manager.stores.factory import StoreAddress
from madsci.event_manager.stores.upkeep import Dumped, Progress, Upkeep

PROGRESS: Final = "progress"
MADE: Final = "made"
FAILED: Final = "failed"
"""The kinds of replies of ``maker``; all but the first are the last."""


@dataclass(frozen=True)
class Made:
    """What was copied, how many events could be read back, and the checksum of the data."""

    dumped: Dumped
    events: int
    checksum: str


class Making(Protocol):
    """Makes the data of backups of one database."""

    def make(self, part: Path, progress: Progress) -> Made:
        """Make the data in a folder that is there and empty; what ``progress`` raises ends it.

        Raises:
            StoreError: the database cannot be read, or not what was written.
            OSError: the folder cannot be written to.
            OverloadedError: it was left off, since the server stops.
        """
        ...


class MakingHere:
    """By the thread that asks."""

    def __init__(self, upkeep: Upkeep) -> None:
        self._upkeep = upkeep

    def make(self, part: Path, progress: Progress) -> Made:
        """Make the data; see ``Making``."""
        data = part / self._upkeep.name
        dumped = self._upkeep.dump(data, progress)
        return Made(dumped, self._upkeep.check(data, progress), layout.checksum_of(part))


class MakingBeside:
    """In a process of low priority that opens the database at an address. Thread-safe."""

    def __init__(self, address: StoreAddress) -> None:
        self._address = address
        self._lock = threading.Lock()
        self._at_work: set[subprocess.Popen[bytes]] = set()
        self._closed = False

    def make(self, part: Path, progress: Progress) -> Made:
        """Make the data; see ``Making``."""
        with self._process() as process:
            try:
                return self._followed(process, part, progress)
            except (EOFError, BrokenPipeError, pickle.UnpicklingError) as error:
                self._check_open()
                raise StoreError(
                    "The process that made the backup has ended; the server's log may tell why. Nothing"
                    " of it was kept. Make another one."
                ) from error

    @contextlib.contextmanager
    def _process(self) -> Iterator[subprocess.Popen[bytes]]:
        with self._lock:
            self._check_open()
            process = subprocess.Popen(
                [sys.executable, "-m", "madsci.event_manager.backup.maker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
            self._at_work.add(process)
        try:
            yield process
        finally:
            process.kill()
            process.communicate()
            with self._lock:
                self._at_work.remove(process)

    def _check_open(self) -> None:
        if self._closed:
            raise OverloadedError("The backup was left off: the server is stopping.")

    def close(self) -> None:
        """End what is being made, even where it hangs."""
        with self._lock:
            self._closed = True
            for process in self._at_work:
                process.kill()

    def _followed(self, process: subprocess.Popen[bytes], part: Path, progress: Progress) -> Made:
        jobs, replies = cast("IO[bytes]", process.stdin), cast("IO[bytes]", process.stdout)
        # Not in its arguments, which everybody on the machine can see: a URL may hold a password.
        pickle.dump((self._address, part), jobs)
        jobs.flush()
        while True:
            kind, value = pickle.load(replies)  # noqa: S301 - of our own process
            if kind == PROGRESS:
                progress(*value)
            elif kind == MADE:
                return cast("Made", value)
            else:
                raise cast("Exception", value)
