"""Being asked to end while something is half done: by Ctrl-C, a service manager, a terminal."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

from madsci.event_manager.stores.upkeep import Progress

_SIGNALS: Final = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]


_WAIT: Final = "It ends as soon as things are in order. Please wait.\n"
_Handler = Callable[[int, FrameType | None], None]


@contextmanager
def interruptible() -> Iterator[None]:
    """Make the first request to end raise ``KeyboardInterrupt`` in the block, at once.

    Those that follow are answered by a line on standard error. Does nothing in threads, where Python
    delivers no signals.
    """
    was_told = False

    def tell(number: int, frame: FrameType | None) -> None:
        nonlocal was_told
        del number, frame
        if was_told:
            sys.stderr.write(_WAIT)
            return
        was_told = True
        raise KeyboardInterrupt

    with _handled_by(tell):
        yield


@contextmanager
def interruptible_at(progress: Progress) -> Iterator[Progress]:
    """Put requests to end off: the progress that is yielded raises ``KeyboardInterrupt``, once.

    What a database was asked it still does after its client was interrupted, and would do it amid what
    undoes the rest. So this is for blocks that change something and tell of progress between two
    changes. Requests are put off until the end of the block also where it undoes what was done, telling
    ``progress`` itself.
    """
    was_asked = was_told = False

    def ask(number: int, frame: FrameType | None) -> None:
        nonlocal was_asked
        del number, frame
        was_asked = True
        sys.stderr.write(_WAIT)

    def checked(what: str, done: int, of: int | None) -> None:
        nonlocal was_told
        if was_asked and not was_told:
            was_told = True
            raise KeyboardInterrupt
        progress(what, done, of)

    with _handled_by(ask):
        yield checked


@contextmanager
def _handled_by(handler: _Handler) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)
