"""Saving what a store still has open when its file has gone from its path.

As long as the process lives, a deleted file can be read by whoever has it open. So its content is
written beside where it was, at once: the next start, which would find nothing there, takes that.
"""

from __future__ import annotations

import logging
import re
import threading
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Final

import apsw

from madsci.common.clock import from_us, now_us
from madsci.common.durability import make_private_folders, sync_folder
from madsci.event_manager.stores.sqlite.file.copying import copy_file
from madsci.event_manager.stores.sqlite.transaction import snapshot

_logger = logging.getLogger(__name__)

_RESCUED: Final = ".rescued-"
_PART: Final = ".part"


class Rescue:
    """Copies the file of a store once, in a thread of its own. Meanwhile ``writing`` is held."""

    def __init__(
        self, path: Path, writer: apsw.Connection, writing: AbstractContextManager[object]
    ) -> None:
        self._path = path.absolute()
        self._writer = writer
        self._writing = writing
        self._once = threading.Lock()
        self._thread: threading.Thread | None = None

    def begin(self) -> None:
        """Begin, unless it has begun before."""
        with self._once:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="sqlite-rescue")
                self._thread.start()

    def close(self) -> None:
        """Return when a rescue that has begun is done; called without the lock."""
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        moment = f"{from_us(now_us()).astimezone():%Y%m%d_%H%M%S_%f}"
        target = Path(f"{self._path}{_RESCUED}{moment}")
        part = Path(f"{target}{_PART}")
        try:
            make_private_folders(target.parent)
            with self._writing, snapshot(self._writer):
                count = self._writer.execute("SELECT count(*) FROM events").get
                copy_file(self._writer, part)
            part.rename(target)
            sync_folder(target.parent)
        except (apsw.Error, OSError) as error:
            _logger.error(  # noqa: TRY400 - the sentence says it all
                "What this server still had open of %s could not be saved: %s", self._path, error
            )
            with suppress(OSError):
                part.unlink(missing_ok=True)
            return
        _logger.warning(
            "%d events that this server still had open of %s were saved as %s",
            count, self._path, target,
        )  # fmt: skip


def put_back_rescued(path: Path) -> None:
    """Give what was rescued last the name of an event file that is missing; called with its lock.

    Raises:
        OSError: the folder cannot be written to.
    """
    for part in _rescued(path, _PART):  # of a process that was killed
        part.unlink()
    found = [] if path.exists() else _rescued(path)
    if found:
        found[-1].rename(path)
        sync_folder(path.parent)
        _logger.warning("%s was missing; %s, which was saved of it, takes its place", path, found[-1])


def _rescued(path: Path, ending: str = "") -> list[Path]:
    pattern = re.compile(
        rf"{re.escape(path.name + _RESCUED)}\d{{8}}_\d{{6}}_\d{{6}}{re.escape(ending)}"
    )
    return sorted(one for one in path.parent.iterdir() if pattern.fullmatch(one.name))
