"""What a store knows of its own damage: the list in the file, and what is said about it.

Every process that reads the file tells the store what it meets; the store's writer puts it into the
list, so that every process passes over it from then on, also after a restart.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import apsw

from madsci.common.errors import StoreDamagedError, StoreError
from madsci.event_manager.stores.base import Damage, DamageOf
from madsci.event_manager.stores.sqlite.damage import quarantine
from madsci.event_manager.stores.sqlite.damage.rows import beyond_events
from madsci.event_manager.stores.sqlite.facts import WRONG_INDEXES, set_fact
from madsci.event_manager.stores.sqlite.faults import advice

_logger = logging.getLogger(__name__)

_MOST_LINES: Final = 100
"""Damaged events that a process names in its log; the list in the file has them all."""

Change = Callable[[Callable[[apsw.Connection], Any]], Any]
"""Runs a change of the file in a transaction of its own and returns what it gives."""


class Noting:
    """Keeps the list of one store. Thread-safe; blocks while the writer is busy."""

    def __init__(self, path: str, change: Change, number: int) -> None:
        self._path = path
        self._change = change
        self._lock = threading.Lock()
        self._said = 0
        self._troubles: dict[DamageOf, str] = {}
        self.number = number
        """Events that are listed."""

    def note(self, found: Sequence[Damage]) -> None:
        """List damaged events and say so, once for each.

        A list that cannot be written now is no reason to fail: whoever meets the damage tells again.
        """
        for of in (DamageOf.INDEX, DamageOf.STORE, DamageOf.LAYOUT):
            if one := next((one for one in found if one.of is of), None):
                self._note_whole(one)
        events = [one for one in found if one.of is DamageOf.EVENT]
        if not events:
            return
        try:
            fresh: list[Damage] = self._change(lambda writer: self._listed(writer, events))
        except StoreError as error:
            _logger.warning("Damaged events of %s could not be listed: %s", self._path, error.message)
            return
        self.say(fresh)

    def _listed(self, writer: apsw.Connection, events: Sequence[Damage]) -> list[Damage]:
        fresh = quarantine.note(writer, events)
        self.number = quarantine.number(writer)
        return fresh

    def say(self, fresh: Sequence[Damage]) -> None:
        """Name damaged events in the log."""
        with self._lock:
            first, self._said = self._said, self._said + len(fresh)
        for one in fresh[: max(0, _MOST_LINES - first)]:
            _logger.error("%s in %s is passed over: %s", _name(one), self._path, one.reason)
        if fresh and self._said > _MOST_LINES >= first:
            _logger.error(
                "More events of %s are damaged; its table damaged_events lists all", self._path
            )

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Note the damage that the writer meets in the block; not in the file, which it has in use."""
        try:
            yield
        except apsw.CorruptError as error:
            self._say_whole(beyond_events(error))
            raise

    def troubles(self) -> list[str]:
        """Say what is damaged that can be made anew, with what to do."""
        with self._lock:
            return [one for of, one in self._troubles.items() if of is DamageOf.INDEX]

    @property
    def damage(self) -> str | None:
        """What is damaged of what holds the events together, with what to do."""
        with self._lock:
            return self._troubles.get(DamageOf.LAYOUT) or self._troubles.get(DamageOf.STORE)

    def admit(self) -> None:
        """Return if the file may be written.

        Pages that cannot be read are no reason against it: a recorder that stands still loses more. But
        where a page in use may be taken for a free one, each write may destroy what is whole.

        Raises:
            StoreDamagedError: it may not.
        """
        if (refusal := self._troubles.get(DamageOf.LAYOUT)) is not None:
            raise StoreDamagedError(refusal)

    def _note_whole(self, damage: Damage) -> None:
        if self._say_whole(damage) and damage.of is DamageOf.INDEX:
            try:
                self._change(lambda writer: set_fact(writer, WRONG_INDEXES, damage.reason))
            except StoreError as error:
                _logger.warning("That could not be noted in the file: %s", error.message)

    def _say_whole(self, damage: Damage) -> bool:
        """Say it the first time, and tell whether that was now."""
        sentence = f"{self._path} is damaged: {damage.reason}. {advice(self._path)}"
        if damage.of is DamageOf.INDEX:
            sentence = (
                f"An index of {self._path} is damaged: {damage.reason}. Restart the server: it makes"
                " its indexes anew from the events"
            )
        elif damage.of is DamageOf.LAYOUT:
            sentence += " No events are taken until then: they might be written over others."
        with self._lock:
            if damage.of in self._troubles:
                return False
            self._troubles[damage.of] = sentence
        _logger.error("%s", sentence)
        return True


def _name(damage: Damage) -> str:
    event_id = "an id that cannot be read" if damage.event_id is None else f"the id {damage.event_id}"
    return f"The event with number {damage.seq} and {event_id}"
