"""Room on the disk of an event file: when it is full, and how it gets out of that by itself.

A full disk is a state that begins and ends, not an error now and then. It begins when a write finds no
room, or when nearly none is left. From then on no events are taken, and what room can be made (by a
short log, and by the reserve) is for deleting. It ends when there is room again, whoever made it.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final, TypeVar

import apsw

from madsci.common.errors import StoreUnavailableError
from madsci.event_manager.stores.base import Space
from madsci.event_manager.stores.sqlite.facts import LAST_SEQ, set_fact
from madsci.event_manager.stores.sqlite.faults import is_full
from madsci.event_manager.stores.sqlite.file.checkpoint import Checkpointer
from madsci.event_manager.stores.sqlite.file.reserve import Reserve
from madsci.event_manager.stores.sqlite.transaction import transaction

Done = TypeVar("Done")
Work = Callable[[], Done]
Using = Callable[[], AbstractContextManager[apsw.Connection]]
"""Lends the writing connection."""

_LEAST: Final = 1024 * 1024
"""Bytes that must be free: what a few large events, their log and its index take."""
_LEAST_SHARE: Final = 64
"""Of a small disk, one of so many parts is enough."""


class Room:
    """Knows whether there is room for events.

    All but ``is_full`` is for the holder of the writing connection.

    Making it releases the reserve if the disk is full, so that the file can be opened: SQLite needs
    some room for that.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        total = shutil.disk_usage(path.parent).total
        self._least = min(_LEAST, total // _LEAST_SHARE)
        self._reserve = Reserve(path, total)
        self._checkpointer: Checkpointer | None = None
        self._is_log_held = False
        self.has_failed = False
        """Whether the file could not be written since it could be last."""
        self.is_full = self._free() < self._least
        """Whether no events are taken."""
        if self.is_full:
            self._reserve.release_for_opening()

    def watch(self, checkpointer: Checkpointer) -> None:
        """Learn who cuts the log, now that the file is open."""
        self._checkpointer = checkpointer
        if self.is_full:
            self._reserve.hold_for_opening()

    def admit(self) -> None:
        """Return if events may be written.

        Raises:
            StoreUnavailableError: the disk is full.
        """
        log = self._checkpointer
        if log is not None and log.free - log.owed < self._least:
            self.is_full = True  # while the log can still be copied
        if self.is_full and self._left() < self._enough():
            raise StoreUnavailableError(self._sentence())
        self.is_full = False

    def make(self, writer: apsw.Connection, *, for_deleting: bool) -> None:
        """Make what room can be made, after a write that found none."""
        is_cut = self._cut(writer)
        if self._left() >= self._least:
            return
        self.is_full = True
        if for_deleting or not is_cut:
            self._reserve.release()
            self._cut(writer)

    def with_room(self, work: Work[Done], using: Using, *, for_deleting: bool = False) -> Done:
        """Return what the work gives; where it finds no room, make some and do it once more.

        Called without the writing connection, which ``using`` gives.
        """
        try:
            return work()
        except StoreUnavailableError as error:
            if not is_full(error):
                raise
        with using() as writer:
            self.make(writer, for_deleting=for_deleting)
        return work()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Note whether the writer fails in the block."""
        try:
            yield
        except apsw.Error:
            self.has_failed = True
            raise

    def probe(self, writer: apsw.Connection, last_seq: int) -> None:
        """Return if an event would be kept.

        After a write that failed, it is the log that is written to, with what stands there already:
        the number of the last commit. Else it is the reserve beside it.

        Raises:
            StoreUnavailableError: the disk is full, or fails.
        """
        try:
            self._look(writer)
        except OSError as error:
            raise StoreUnavailableError(
                f"The disk of the event store {self._path} cannot be written: {error}. The server goes"
                " on trying."
            ) from error
        with transaction(writer):
            if self.has_failed:
                set_fact(writer, LAST_SEQ, str(last_seq))
        self.has_failed = False

    def troubles(self) -> list[str]:
        """Return a sentence if the log is not copied into the file."""
        log = self._checkpointer
        if log is None or self.is_full:
            return []
        if log.failure is not None:
            sentence = (
                f"The write-ahead log of {self._path} cannot be copied into the file: {log.failure}."
                " Nothing is lost by that, but the log grows. The server goes on trying."
            )
            return [sentence]
        held = log.trouble()
        return [] if held is None else [held]

    def _look(self, writer: apsw.Connection) -> None:
        """Begin or end the state of a full disk, and hold the reserve while there is room."""
        if self._checkpointer is not None:
            self._checkpointer.measure(writer)
        if self.is_full or self._left() < self._least:
            self._cut(writer)
            self.is_full |= self._left() < self._least
        self.admit()
        if self._reserve.is_held:
            self._reserve.touch()
        elif self._left() >= self._enough():
            self._reserve.hold()

    def _enough(self) -> int:
        """Return how much must be free for events to be taken again; more than for going on."""
        held = self._reserve.size if self._reserve.is_held else 0
        return max(2 * self._reserve.size - held, 2 * self._least)

    def space(self, reader: apsw.Connection) -> Space:
        """Return how much there is, and how much the events take without what was deleted."""
        usage = shutil.disk_usage(self._path.parent)
        pages, free_pages = reader.pragma("page_count"), reader.pragma("freelist_count")
        return Space(usage.free, usage.total, (pages - free_pages) * reader.pragma("page_size"))

    def _cut(self, writer: apsw.Connection) -> bool:
        if self._checkpointer is None:
            return False
        is_cut = self._checkpointer.cut(writer)
        self._is_log_held = self._checkpointer.is_held
        return is_cut

    def _free(self) -> int:
        try:
            return shutil.disk_usage(self._path.parent).free
        except OSError as error:
            raise StoreUnavailableError(
                f"The disk of the event store {self._path} cannot be asked: {error}. The server goes on"
                " trying."
            ) from error

    def _left(self) -> int:
        """Return what is free for events: copying the log into the file takes its part of it."""
        return self._free() - (0 if self._checkpointer is None else self._checkpointer.owed)

    def _sentence(self) -> str:
        held = ""
        if self._is_log_held and self._checkpointer is not None:
            held = (
                f" Its write-ahead log is kept long by {self._checkpointer.held_by}, and is cut when"
                " that ends."
            )
        free = self._free()
        enough = self._enough() + free - self._left()
        return (
            f"The disk of the event store {self._path} is full: {_size(free)} are free. No"
            f" events are taken until {_size(enough)} are free; then the server goes on by"
            f" itself. Free space on that disk, or delete events.{held}"
        )


def _size(number: int) -> str:
    return f"{number / 1_000_000:,.1f} MB"
