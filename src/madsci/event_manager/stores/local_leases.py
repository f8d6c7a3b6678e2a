"""Leases of a store that one process has for itself: in its memory."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class LocalLeases:
    """Keeps who holds which lease until when. Thread-safe.

    Names are those of tasks and services of the program, a few dozen; what has ended is forgotten with
    the next call. ``clock`` returns seconds that nobody sets.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._held: dict[str, tuple[str, float]] = {}

    def hold(self, name: str, holder: str, seconds: float) -> bool:
        """Take or keep a lease; see ``Leases``."""
        with self._lock:
            now = self._clock()
            self._held = {key: one for key, one in self._held.items() if one[1] > now}
            if self._held.get(name, (holder, 0.0))[0] != holder:
                return False
            self._held[name] = (holder, now + seconds)
            return True

    def let_go(self, name: str, holder: str) -> None:
        """End a lease; see ``Leases``."""
        with self._lock:
            if name in self._held and self._held[name][0] == holder:
                del self._held[name]
