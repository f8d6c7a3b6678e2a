"""What wakes a thread that waits."""

from __future__ import annotations

import contextlib
from queue import Empty, SimpleQueue


class Wake:
    """An event that may be set in a signal handler, wherever that comes; one thread waits for it.

    ``threading.Event`` has a lock that is not re-entrant: setting it in a handler that interrupts
    setting it would wait for ever. ``SimpleQueue.put`` is made for that.
    """

    def __init__(self) -> None:
        self._calls: SimpleQueue[None] = SimpleQueue()

    def set(self) -> None:
        """Wake the thread, or let its next wait end at once."""
        if self._calls.empty():  # some more do no harm: each thread and handler adds one at most
            self._calls.put(None)

    def clear(self) -> None:
        """Forget what was set."""
        with contextlib.suppress(Empty):
            while True:
                self._calls.get_nowait()

    def wait(self, timeout: float | None) -> None:
        """Wait until it is set, for so many seconds at most, and forget that it was."""
        with contextlib.suppress(Empty):
            self._calls.get(timeout=None if timeout is None else max(timeout, 0.0))
