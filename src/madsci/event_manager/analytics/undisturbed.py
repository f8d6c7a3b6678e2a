"""Much that is made at once, and holds nothing that refers to itself: Python need not look for such."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def undisturbed() -> Iterator[None]:
    """Have nobody look for circles among objects for the length of a block.

    To look through a million of them again and again takes as long as to make them. Where other threads
    run, which may leave such circles meanwhile, all stays as it is.
    """
    if not gc.isenabled() or threading.active_count() > 1:
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
