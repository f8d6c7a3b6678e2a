"""Giving memory back to the system that a process does not use any more."""

from __future__ import annotations

import contextlib
import ctypes
import sys


def give_back_memory() -> None:
    """Let the C library give back what was freed amid its heap; where it has no way to, do nothing.

    Of itself glibc gives back only the end of the heap, so that what a large cache took stays with the
    process for good (https://man7.org/linux/man-pages/man3/malloc_trim.3.html). Takes milliseconds,
    without Python's lock.
    """
    if sys.platform == "linux":
        with contextlib.suppress(AttributeError):  # another C library
            ctypes.CDLL(None).malloc_trim(0)
