"""When a task is to be done: the beginnings of its slots, each of which is done once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

_HOUR_US: Final = 3_600_000_000


class Schedule(Protocol):
    """Instants in microseconds, the same for all servers of a store. Thread-safe."""

    def latest(self, now_us: int) -> int | None:
        """Return the beginning of the slot that now is in; ``None`` before the first one."""
        ...

    def next(self, now_us: int) -> int:
        """Return the beginning of the slot after it."""
        ...


@dataclass(frozen=True)
class Every:
    """Slots of so many hours, counted from midnight of 1970-01-01 UTC, or from another instant."""

    hours: float
    since_us: int = 0

    def latest(self, now_us: int) -> int:
        """Return the beginning of the slot that now is in."""
        return now_us - (now_us - self.since_us) % self.width

    def next(self, now_us: int) -> int:
        """Return the beginning of the next slot."""
        return self.latest(now_us) + self.width

    @property
    def width(self) -> int:
        """The length of a slot in microseconds."""
        return int(self.hours * _HOUR_US)
