"""A place in the database that is held for a while, and for how long that is certain without asking."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from madsci.event_manager.stores.mongo import turns
from madsci.event_manager.stores.mongo.connection import Database

LIFETIME: Final = 60.0
RENEWAL: Final = 15.0
"""Seconds that whoever holds a place counts as present, and between two times that he says so: one that
was killed is in the way for a minute, and one whose database is slow is not taken for gone."""
_BOOTTIME: Final[int | None] = getattr(time, "CLOCK_BOOTTIME", None)


def elapsed() -> float:
    """Return seconds of a clock that nobody sets, and that goes on while the machine sleeps."""
    return time.clock_gettime(_BOOTTIME) if _BOOTTIME is not None else time.monotonic()


class Lease:
    """Holds one place; see ``turns.hold``. Thread-safe. Raises the driver's errors.

    ``clock`` returns seconds.
    """

    def __init__(
        self, database: Database, name: str, holder: str, clock: Callable[[], float] = elapsed
    ) -> None:
        self._database = database
        self._name = name
        self._holder = holder
        self._clock = clock
        self._certain_until = 0.0

    def take(self, look: Callable[[], bool] = lambda: True) -> bool:
        """Hold the place from now on; tell whether it is ours, and the look says so, too.

        It is certain only after ``look``, which is called once it is held: others rely on it at once.
        """
        return self._hold(self._clock(), look)

    def extend(self) -> bool:
        """Hold the place for longer if it is certain; tell whether it was."""
        began = self._clock()
        if began >= self._certain_until:
            return False
        self._hold(began, lambda: True)
        return True

    def _hold(self, began: float, look: Callable[[], bool]) -> bool:
        is_ours = turns.hold(self._database, self._name, self._holder, LIFETIME) and look()
        # What is begun just in time may still be on its way: so it ends earlier for us.
        self._certain_until = began + LIFETIME - RENEWAL if is_ours else 0.0
        return is_ours

    @property
    def is_certain(self) -> bool:
        """Whether nobody can have come in since it was renewed."""
        return self._clock() < self._certain_until

    def let_go(self) -> None:
        """Give the place back; one that somebody else has stays his."""
        self._certain_until = 0.0
        turns.let_go(self._database, self._name, self._holder)
