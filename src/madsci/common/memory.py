"""Giving memory back to the system that a process does not use any more."""

from __future__ import annotations

import contextlib
import ctypes
import sys
from typing import Final

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
_LARGE: Final = 1_048_576
"""Bytes of a block that comes from the system and goes back to it. Getting it costs 0.1 ms."""
_SPARE: Final = 8_388_608
"""Freed bytes at the end of a heap that are kept for what comes next."""
_HEAPS: Final = 2
"""For all threads: more of them speed up threads that run at the same time, which Python's do not."""


def return_large_blocks() -> None:
    """Have the C library return large blocks when they are freed, from now on, for the whole process.

    Of itself glibc learns from each that was freed to keep the next, for each of many heaps. Tens of
    large bodies then stay with a process (https://man7.org/linux/man-pages/man3/mallopt.3.html). Does
    nothing where there is another C library.
    """
    if sys.platform == "linux":
        with contextlib.suppress(AttributeError):
            library = ctypes.CDLL(None)
            library.mallopt(_MMAP_THRESHOLD, _LARGE)
            library.mallopt(_TRIM_THRESHOLD, _SPARE)
            library.mallopt(_ARENA_MAX, _HEAPS)


def give_back_memory() -> None:
    """Let the C library give back what was freed amid its heap; where it has no way to, do nothing.

    Of itself glibc gives back only the end of the heap, so that what a large cache took stays with the
    process for good (https://man7.org/linux/man-pages/man3/malloc_trim.3.html). Takes milliseconds,
    without Python's lock.
    """
    if sys.platform == "linux":
        with contextlib.suppress(AttributeError):  # another C library
            ctypes.CDLL(None).malloc_trim(0)
