"""Giving the disk back what deleted events took, a little at a time and beside the writer.

SQLite keeps the pages of what was deleted for what comes. Where that is much, the index of terms is
merged, which keeps an entry for each event that was deleted until then; the last pages of the file are
moved into the free ones; and the file and its log are cut.
See https://www.sqlite.org/pragma.html#pragma_incremental_vacuum and
https://www.sqlite.org/fts5.html#the_merge_command.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Final, Protocol

import apsw

from madsci.common.errors import StoreError
from madsci.event_manager.stores.sqlite import terms
from madsci.event_manager.stores.sqlite.file.checkpoint import Checkpointer
from madsci.event_manager.stores.sqlite.file.shrinkable import is_shrinkable
from madsci.event_manager.stores.sqlite.transaction import transaction

_logger = logging.getLogger(__name__)

_KEPT_PAGES: Final = 256
"""Free pages that stay at least, 1 MB: what comes next goes there."""
_KEPT_SHARE: Final = 16
"""And of a large file, one of so many of the pages in use."""
_MERGED_SHARE: Final = 4
"""The index is merged when one of so many events was deleted."""
_STEP_SECONDS: Final = 0.005
"""How long a step may hold up the writer: as long as a commit or two."""
_PAGES: Final = 64
"""Pages of the first step; later ones are as large as that time allows."""
_MOST_PAGES: Final = 2_048
_REST: Final = 4
"""Of the time, steps take one of so many parts and one more: the rest is the writer's."""
_LEAST_REST: Final = 0.01


class _Steps(Protocol):
    """Does a step with the writing connection; raises ``StoreError``."""

    def __call__(self, step: Callable[[apsw.Connection], int]) -> int: ...


class Shrinker:
    """Owns the thread that gives disk back. ``tell`` is called by whoever deletes."""

    def __init__(self, do: _Steps, checkpointer: Checkpointer) -> None:
        self._do = do
        self._checkpointer = checkpointer
        self._lock = threading.Lock()
        """Held by the thread that reads or changes the number of deleted events."""
        self._deleted = 0
        self._left = 0
        self._wanted = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sqlite-shrinking", daemon=True)
        self._took = 0.0
        """Seconds that the last step held up the writer."""
        self.pages = 0
        """Pages given back so far."""

    def start(self, writer: apsw.Connection) -> None:
        """Begin, at once if there is something: the last process may have been killed amid it."""
        if _spare_pages(writer):
            self._wanted.set()
        self._thread.start()

    def tell(self, deleted: int, left: int) -> None:
        """Say how many events were deleted, and how many are left."""
        with self._lock:
            self._deleted += deleted
            self._left = left
        if deleted:
            self._wanted.set()

    def close(self) -> None:
        """Stop after the present step; the next start goes on."""
        self._stopping.set()
        self._wanted.set()
        self._thread.join()

    def _run(self) -> None:
        while True:
            self._wanted.wait()
            self._wanted.clear()
            if self._stopping.is_set():
                return
            try:
                self._merge_if_wanted()
                self._shrink()
            except (StoreError, apsw.Error, OSError) as error:
                # It is tried again after the next deletion. What is wrong with the disk, others tell.
                _logger.info("Room of deleted events was not given back: %s", error)

    def _merge_if_wanted(self) -> None:
        with self._lock:
            if self._deleted * _MERGED_SHARE < self._left + self._deleted:
                return
            self._deleted = 0
        begins = True
        while not self._stopping.is_set():
            if not self._rested(partial(_merge, begins=begins)):
                return
            begins = False

    def _shrink(self) -> None:
        spare = self._do(_spare_pages)
        pages, given_back = _PAGES, 0
        while spare > 0 and not self._stopping.is_set():
            wanted = min(pages, spare)
            done = self._rested(partial(_give_back, pages=wanted))
            if not done:
                break
            given_back += done
            spare -= done
            pages = min(2 * pages, _MOST_PAGES) if self._took < _STEP_SECONDS else max(pages // 2, 1)
        if not given_back:
            return
        self._checkpointer.copy()
        self._do(self._cut)
        self.pages += given_back
        _logger.info("%d pages of deleted events were given back to the disk", given_back)

    def _cut(self, writer: apsw.Connection) -> int:
        return int(self._checkpointer.cut(writer))

    def _rested(self, step: Callable[[apsw.Connection], int]) -> int:
        """Do a step, and leave the writing connection to others for a while."""

        def timed(writer: apsw.Connection) -> int:
            began = time.monotonic()
            done = step(writer)
            self._took = time.monotonic() - began
            return done

        done = self._do(timed)
        self._stopping.wait(max(_REST * self._took, _LEAST_REST))
        return done


def _spare_pages(writer: apsw.Connection) -> int:
    """Return how many pages can be given back; none where that would soon be to do again."""
    if not is_shrinkable(writer):
        return 0
    free = int(writer.pragma("freelist_count"))
    kept = max(_KEPT_PAGES, (int(writer.pragma("page_count")) - free) // _KEPT_SHARE)
    return free - kept if free > 2 * kept else 0


def _merge(writer: apsw.Connection, *, begins: bool) -> int:
    with transaction(writer):
        return int(terms.merge(writer, _PAGES, begins=begins))


def _give_back(writer: apsw.Connection, pages: int) -> int:
    """Give pages back, at most so many; return how many."""
    before = int(writer.pragma("freelist_count"))
    for _ in writer.execute(f"PRAGMA incremental_vacuum({pages})"):
        pass
    return before - int(writer.pragma("freelist_count"))
