"""Ending what takes too long."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import Final

_LOOK: Final = 0.1
"""Seconds between two looks at what is watched; nobody's patience is as exact as that."""


class Watchdog:
    """Ends what has not ended by itself. Owns a thread, which rests for nobody. Thread-safe.

    One for all: to start the thread of a timer for each takes longer than most of what is watched, and
    holds up those that take events in.
    """

    def __init__(self) -> None:
        self._watched: dict[object, tuple[float, Callable[[], None]]] = {}
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def close(self) -> None:
        """Look no more; what is under way is watched by nobody then."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    @contextlib.contextmanager
    def watching(self, seconds: float, end: Callable[[], None]) -> Iterator[None]:
        """Call ``end`` once, from another thread, if the block takes longer; it must not block."""
        token = object()
        with self._changed:
            self._watched[token] = time.monotonic() + seconds, end
            if len(self._watched) == 1:
                self._changed.notify()
        try:
            yield
        finally:
            with self._changed:
                self._watched.pop(token, None)

    def _run(self) -> None:
        with self._changed:
            while not self._closed:
                self._changed.wait(_LOOK if self._watched else None)
                now = time.monotonic()
                late = [one for one, (deadline, _) in self._watched.items() if deadline <= now]
                for one in late:
                    _, end = self._watched.pop(one)
                    end()
