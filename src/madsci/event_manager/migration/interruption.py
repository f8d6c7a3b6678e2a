"""Being asked to end while something is half done: by Ctrl-C, a service manager, a terminal."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

_SIGNALS: Final = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]


@contextmanager
def interruptible() -> Iterator[None]:
    """Make every request to end raise ``KeyboardInterrupt`` in the block, once.

    Those that follow are answered by a line on standard error, so that what undoes the work is not
    interrupted, too. Does nothing in threads, where Python delivers no signals.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    was_told = False

    def tell(number: int, frame: FrameType | None) -> None:
        nonlocal was_told
        del number, frame
        if was_told:
            sys.stderr.write("It is ending already, and puts things in order first. Please wait.\n")
            return
        was_told = True
        raise KeyboardInterrupt

    before = {number: signal.signal(number, tell) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
