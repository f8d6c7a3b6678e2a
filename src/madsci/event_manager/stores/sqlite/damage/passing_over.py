"""Answering in spite of damaged events: they are passed over, named, and the rest is answered.

Nothing of this costs a question anything while it meets no damage and the file lists none.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeVar

import apsw

from madsci.common.errors import StoreDamagedError
from madsci.event_manager.model.budget import Budget
from madsci.event_manager.stores.base import Damage
from madsci.event_manager.stores.sqlite.asking.compile import PassOver
from madsci.event_manager.stores.sqlite.damage import quarantine
from madsci.event_manager.stores.sqlite.damage.rows import (
    SIGNS,
    DamageMetError,
    OnDamage,
    look,
    span,
    verify,
)

Answer = TypeVar("Answer")
Ask = Callable[[PassOver], Answer]

_AROUND: Final = 100
"""Rows on either side of a damaged one that are looked at with it: they lie on the same pages."""


class PassingOver:
    """What the readers of one process know of damage beside what the file lists. Thread-safe."""

    def __init__(self, on_damage: OnDamage) -> None:
        self._on_damage = on_damage
        self._unlisted: set[int] = set()
        self._lock = threading.Lock()

    def answer(self, connection: apsw.Connection, ask: Ask[Answer], budget: Budget) -> Answer:
        """Return what a question gives that passes over what it is told to.

        Where the question meets an event that is not known to be damaged, it is named and the question
        asked again; where it fails at one without saying which, that is sought, as far as time allows.

        Raises:
            StoreDamagedError: what is damaged is more than single events.
            QueryTimeoutError: the budget is used up.
        """
        search: Iterator[list[Damage]] | None = None
        while True:
            budget.check()
            try:
                return ask(self._known(connection))
            except DamageMetError as met:
                self._note(_with_neighbours(connection, met.found))
            except SIGNS as error:
                if isinstance(error, apsw.SQLError) and "malformed JSON" not in str(error):
                    raise
                search = search or verify(connection, *span(connection))
                if not self._note(_next_of(search, budget)):
                    raise

    def _known(self, connection: apsw.Connection) -> PassOver:
        if quarantine.is_empty(connection) and not self._unlisted:
            return None
        with self._lock:
            if self._unlisted:
                self._unlisted.difference_update(quarantine.listed(connection))
            return sorted(self._unlisted)

    def _note(self, found: Sequence[Damage]) -> bool:
        """Pass over what was found from now on, and tell of it; tell whether there was something."""
        with self._lock:
            self._unlisted.update(one.seq for one in found)
            number = len(self._unlisted)
        if found:
            self._on_damage(found)
        if number > quarantine.MOST:
            raise StoreDamagedError(
                f"More than {quarantine.MOST:,} events are damaged. Stop the server, and restore a"
                " backup or save what can be read with `python -m"
                " madsci.common.mongodb_migration_tool recover`."
            )
        return bool(found)


def _with_neighbours(connection: apsw.Connection, found: Sequence[Damage]) -> list[Damage]:
    """Add the damaged rows around those that were found, so that a torn page is met once."""
    every = {one.seq: one for one in found}
    looked_at = 0
    for seq in sorted(every):
        if seq > looked_at:
            looked_at = seq + _AROUND
            every.update((one.seq, one) for one in look(connection, seq - _AROUND, looked_at))
    return list(every.values())


def _next_of(search: Iterator[list[Damage]], budget: Budget) -> list[Damage]:
    """Go on with a search until it finds something; an empty list at its end."""
    for found in search:
        if found:
            return found
        budget.check()
    return []
