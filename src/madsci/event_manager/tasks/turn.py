"""Whose turn a task is: one server of all that share a store does it, once for each slot.

A lease says who is at it, and a document for which slot it was done last. Slots are text whose order is
that of time.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from typing import Final, Protocol

from madsci.common.clock import Clock, iso
from madsci.common.errors import StoreError
from madsci.event_manager.model.tables import DONE, kept_slot, put, slot_of
from madsci.event_manager.stores.base import Leases, Tables
from madsci.event_manager.tasks.clock_watch import SKEW_US

_logger = logging.getLogger(__name__)

_LEASE: Final = "task/"
"""Begins the names of the leases of tasks."""


class TurnStore(Tables, Leases, Protocol):
    """What turns need of a store."""


def last_done(tables: Tables, task: str) -> str | None:
    """Return the slot for which a task was done last; ``None`` where it never was."""
    kept = tables.read(DONE, task)
    return None if kept is None else slot_of(kept)


def note_done(tables: Tables, task: str, slot: str) -> None:
    """Say durably for which slot a task was done, in the place of what was said before."""
    tables.apply([put(DONE, task, kept_slot(slot))])


def horizon(now: int) -> str:
    """Return the latest slot for which a task may have been done by now, on any server's clock."""
    return iso(now + SKEW_US)


class Turn:
    """The turn of one task for one slot; taken and renewed by one thread, asked about by another.

    It is nobody's once the slot, or a later one up to the horizon, was done. What was done for a time
    beyond the horizon was done by a clock that was ahead, and does not count: the next that is done
    takes its place. ``seconds`` is how long a turn lasts that is not renewed.
    """

    def __init__(  # noqa: PLR0913 - whose turn it is at what, and until when
        self, store: TurnStore, task: str, slot: str, holder: str, *, seconds: float, clock: Clock
    ) -> None:
        self._store = store
        self._task = task
        self._slot = slot
        self._holder = holder
        self._seconds = seconds
        self._clock = clock
        self._until = 0.0
        self.was_denied = False
        """Whether the task was told to leave off."""

    def take(self) -> bool:
        """Take or renew it; tell whether it is ours.

        Raises:
            StoreError: the store cannot be asked.
        """
        asked = time.monotonic()
        if self._is_done() or not self._hold():
            return False
        if self._is_done():  # by who had it until now
            self._let_go()
            return False
        self._until = asked + self._seconds
        return True

    def renew(self) -> None:
        """Keep it longer. A store that is away for a moment does not end it; its time does."""
        try:
            if not self.take():
                self._until = 0.0
        except StoreError as error:
            _logger.warning("The turn of %s could not be renewed: %s", self._task, error.message)

    def keep(self, stopping: threading.Event) -> bool:
        """Tell the task whether to go on."""
        if stopping.is_set() or time.monotonic() >= self._until:
            self.was_denied = True
        return not self.was_denied

    def give_back(self, *, done: bool) -> None:
        """End it. If the store cannot be told, it ends by itself, and the task is done once more."""
        with contextlib.suppress(StoreError):
            if done and self._hold() and not self._is_done():  # else somebody has it, or had it since
                note_done(self._store, self._task, self._slot)
            self._let_go()

    def _is_done(self) -> bool:
        done = last_done(self._store, self._task)
        return done is not None and self._slot <= done <= horizon(self._clock())

    def _hold(self) -> bool:
        return self._store.hold(f"{_LEASE}{self._task}", self._holder, self._seconds)

    def _let_go(self) -> None:
        self._store.let_go(f"{_LEASE}{self._task}", self._holder)
