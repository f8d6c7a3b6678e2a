"""How much of the time those who follow may take while events come in."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

_TIMES: Final = 19.0
"""So many times as long as it worked somebody rests who follows: threads of Python share one core, and
what he does then he can do when less comes in."""
LONGEST_REST: Final = 0.25
"""Seconds: some 4,000 entries a second are followed under any load."""


class Pace:
    """Measures the work of one thread, step by step. ``worked`` returns its seconds of computing."""

    def __init__(self, worked: Callable[[], float] = time.thread_time) -> None:
        self._worked = worked
        self._before = 0.0

    def begin(self) -> None:
        """Begin a step."""
        self._before = self._worked()

    def rest(self) -> float:
        """Return for how many seconds to rest after it, if events came in meanwhile."""
        return min(LONGEST_REST, _TIMES * (self._worked() - self._before))
