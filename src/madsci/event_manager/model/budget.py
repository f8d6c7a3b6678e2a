"""The time that a question may take."""

from __future__ import annotations

import math
import time
from typing import Final

from madsci.common.errors import AbandonedError, QueryTimeoutError


class Budget:
    """A deadline, looked at by whatever runs for a question. Thread-safe.

    ``since`` is when it began, in seconds of ``time.monotonic``; by default that is now.
    """

    __slots__ = ("_deadline", "is_cancelled", "seconds")

    def __init__(self, seconds: float, since: float | None = None) -> None:
        self.seconds = seconds
        self._deadline = (time.monotonic() if since is None else since) + seconds
        self.is_cancelled = False

    def cancel(self) -> None:
        """End whatever runs for it at its next look: nobody waits for the answer any more."""
        self.is_cancelled = True

    @property
    def left(self) -> float:
        """The seconds that are left."""
        return self._deadline - time.monotonic()

    @property
    def is_over(self) -> bool:
        """Whether the time is used up, or the question was cancelled."""
        return self.is_cancelled or time.monotonic() > self._deadline

    def milliseconds(self) -> int:
        """Return what is left as databases take it, 0 for no limit; raises what ``check`` raises."""
        self.check()
        return max(1, int(self.left * 1000)) if math.isfinite(self.seconds) else 0

    def check(self) -> None:
        """Return while there is time.

        Raises:
            QueryTimeoutError: the time is used up.
            AbandonedError: it was cancelled.
        """
        if self.is_cancelled:
            raise AbandonedError
        if self.is_over:
            raise QueryTimeoutError(f"The question was stopped after {self.seconds:g} s.")


UNLIMITED: Final = Budget(float("inf"))
"""For questions of the server's own, and tests."""
