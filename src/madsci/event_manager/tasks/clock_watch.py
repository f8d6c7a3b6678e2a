"""Noticing that the clock of this machine was set, and saying by how much."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from madsci.common.clock import Clock, now_us

Elapsed = Callable[[], float]
"""Seconds that have passed since some moment; go on evenly, whatever the clock is set to."""

SKEW_US: Final = 5 * 60 * 1_000_000
"""What the clocks of servers that share a store may differ by. What was done within so much after now
was done; what is said to have been done later than that was done by a clock that was ahead."""
_STEP_US: Final = 10 * 1_000_000
"""From here on the clock was set. What keeps clocks right moves them by less at once."""


class ClockWatch:
    """Compares the clock with the time that has passed. Not thread-safe."""

    def __init__(self, clock: Clock = now_us, elapsed: Elapsed = time.monotonic) -> None:
        self._clock = clock
        self._elapsed = elapsed
        self._ahead = self._difference()

    def step(self) -> int:
        """Return by how many microseconds the clock was set since the last call, 0 for hardly any.

        A machine that slept looks like one whose clock was set forward.
        """
        before, self._ahead = self._ahead, self._difference()
        step = self._ahead - before
        return step if abs(step) >= _STEP_US else 0

    def _difference(self) -> int:
        return self._clock() - int(self._elapsed() * 1_000_000)
