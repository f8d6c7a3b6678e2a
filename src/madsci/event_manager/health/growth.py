"""How fast a store grows, and when its disk will be full."""

from __future__ import annotations

from collections import deque
from typing import Final

DAY: Final = 86_400.0
_STEP: Final = 600.0
"""Seconds between two sizes that are remembered, and the least time that tells anything."""
_SIZES: Final = int(DAY / _STEP) + 1


class Growth:
    """Remembers the sizes of a day. Times are seconds of a clock that nobody sets; not thread-safe.

    What was deleted counts as room that is there again: a store from which as much goes as comes does
    not grow.
    """

    def __init__(self) -> None:
        self._sizes: deque[tuple[float, int]] = deque(maxlen=_SIZES)

    def note(self, now: float, size: int) -> None:
        """Take note of the size in bytes."""
        if not self._sizes or now - self._sizes[-1][0] >= _STEP:
            self._sizes.append((now, size))

    def bytes_per_day(self, now: float, size: int) -> int | None:
        """Return the growth over the last day, or over what is known of it; ``None`` at first."""
        if not self._sizes or now - self._sizes[0][0] < _STEP:
            return None
        began, size_then = self._sizes[0]
        return round((size - size_then) * DAY / (now - began))


def days_left(free: int, bytes_per_day: int | None) -> float | None:
    """Return in how many days so many bytes are used up; ``None`` if that cannot be told, or never."""
    if bytes_per_day is None or bytes_per_day <= 0:
        return None
    return round(free / bytes_per_day, 1)
