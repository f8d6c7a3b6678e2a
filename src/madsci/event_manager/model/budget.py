"""The time that a question may take."""

from __future__ import annotations

import math
import time
from typing import Final

from madsci.common.errors import QueryTimeoutError


class Budget:
    """A deadline, looked at by whatever runs for a question. Thread-safe."""

    __slots__ = ("_deadline", "seconds")

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._deadline = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """The seconds that are left."""
        return self._deadline - time.monotonic()

    @property
    def is_over(self) -> bool:
        """Whether the time is used up."""
        return time.monotonic() > self._deadline

    def milliseconds(self) -> int:
        """Return what is left as databases take it, 0 for no limit; raises what ``check`` raises."""
        self.check()
        return max(1, int(self.left * 1000)) if math.isfinite(self.seconds) else 0

    def check(self) -> None:
        """Raise ``QueryTimeoutError`` if the time is used up."""
        if self.is_over:
            raise QueryTimeoutError(f"The question was stopped after {self.seconds:g} s.")


UNLIMITED: Final = Budget(float("inf"))
"""For questions of the server's own, and tests."""
