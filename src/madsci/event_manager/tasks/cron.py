"""Slots by a cron expression."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta, tzinfo
from itertools import islice
from typing import Final

from cronsim import CronSim

from madsci.common.clock import UTC, from_us, to_us

_SHIFT: Final = timedelta(hours=2)
"""What clocks are put forward or back by at most."""
_LOOKED_AT: Final = 2_000
"""Slots that are tried at most: three such times hold 360 of them."""


class Cron:
    """Slots at the times of the clock on the wall that an expression of five fields names.

    The clock is that of ``zone``, by default that of this machine. A time that is left out when it is
    put forward counts an hour later; one that comes twice when it is put back counts the first time.
    """

    def __init__(self, expression: str, zone: tzinfo | None = None) -> None:
        self._expression = expression
        self._zone = zone

    def latest(self, now_us: int) -> int | None:
        """Return the last slot up to now; ``None`` where there was none for decades."""
        times = CronSim(self._expression, self._wall(now_us) + _SHIFT, reverse=True)
        return max(self._near(times, lambda instant: instant <= now_us), default=None)

    def next(self, now_us: int) -> int:
        """Return the first slot after now."""
        times = CronSim(self._expression, self._wall(now_us) - _SHIFT)
        found = min(self._near(times, lambda instant: instant > now_us), default=None)
        if found is None:
            raise ValueError(f"{self._expression} names no time that ever comes")
        return found

    def _wall(self, us: int) -> datetime:
        return from_us(us).astimezone(self._zone).replace(tzinfo=None, fold=0)

    def _near(self, times: Iterable[datetime], is_wanted: Callable[[int], bool]) -> Iterator[int]:
        """Yield the first wanted instant, and those that a change of the clock may put before it."""
        first: datetime | None = None
        for wall in islice(times, _LOOKED_AT):
            if first is not None and abs(wall - first) > _SHIFT:
                return
            moment = wall.astimezone() if self._zone is None else wall.replace(tzinfo=self._zone)
            instant = to_us(moment.astimezone(UTC))
            if is_wanted(instant):
                first = first or wall
                yield instant
