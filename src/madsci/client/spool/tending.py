"""The spool's own small thread: what is to be done from time to time while events wait."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable
from typing import Final

from madsci.common.telling import Teller
from madsci.common.wake import Wake

_log = logging.getLogger(__name__)
_AFTER_A_FAULT: Final = 1.0
"""Seconds to the next attempt after a mistake of our own."""


class Tender:
    """Calls a function again and again, after the seconds that its last call returned, if any.

    ``start`` and ``stop`` may come from any thread, signal handler and finalizer.
    """

    def __init__(self, tend: Callable[[], float | None]) -> None:
        self._tend = tend
        self._teller = Teller(_log)
        self._thread: threading.Thread | None = None
        self.forget_parent()

    def start(self) -> None:
        """Begin, or go on; what is due is done at once."""
        if sys.is_finalizing():
            return
        self._is_wanted = True
        self._wake.set()
        with self._lock:
            if self._thread is not None:
                return
            self._thread = threading.Thread(target=self._run, name="madsci-event-spool", daemon=True)
            try:
                self._thread.start()
            except RuntimeError:  # the interpreter is ending, or the system is out of threads
                self._thread = None

    def stop(self) -> None:
        """Let the thread end."""
        self._is_wanted = False
        self._wake.set()

    def close(self, timeout: float) -> None:
        """Let the thread end, and wait for it, for so many seconds at most."""
        self.stop()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout)

    def forget_parent(self) -> None:
        """Begin anew in a forked child: the thread stayed with the parent."""
        self._wake = Wake()
        self._is_wanted = False
        self._lock = threading.RLock()
        """Held to decide about the thread, and for nothing that takes time."""
        self._thread = None

    def _run(self) -> None:
        while True:
            while self._is_wanted:
                try:
                    pause = self._tend()
                except Exception as error:  # noqa: BLE001 - the border of the tending loop
                    pause = _AFTER_A_FAULT
                    self._teller.tell(f"{type(error).__name__}: {error}")
                self._wake.wait(pause)
            with self._lock:
                if not self._is_wanted:
                    self._thread = None
                    return
