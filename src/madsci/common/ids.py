"""ULIDs: 26 characters, 48 bits of Unix milliseconds and 80 random bits, in Crockford's base 32.

Made here they ascend within a process, also within one millisecond and when the clock is set back,
as the ULID specification describes for monotonic factories (https://github.com/ulid/spec).
"""

from __future__ import annotations

import os
import random
import sys
import threading
import time

from madsci.common.forking import is_held_for_good, reset_in_child

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PAIRS = tuple(a + b for a in _ALPHABET for b in _ALPHABET)
_RANDOM_BITS = 80
_RANDOM_LIMIT = 1 << _RANDOM_BITS
_LOW_BITS = 20
_LOW = (1 << _LOW_BITS) - 1
_CHARACTERS = frozenset(_ALPHABET)
ULID_LENGTH = 26
_is_finalizing = sys.is_finalizing


class UlidFactory:
    """Makes ULIDs in ascending order. Thread-safe; a forked child starts with fresh randomness.

    A signal handler that interrupts the making of an id and needs one itself gets a valid one that
    stands outside the order.
    """

    def __init__(self) -> None:
        self._start()

    def _start(self) -> None:
        # Re-entrant, because a signal handler may need an id while the same thread makes one.
        self._lock = threading.RLock()
        self._is_making = False
        self._millisecond = 0
        self._tail = 0
        self._lead = ""
        """The last id without what the lowest bits say: the same for a million ids in a row."""
        # Seeded by the system once: asking it for each millisecond would give up the interpreter's
        # lock in every tight loop of log calls, and ids need to be unique, not secret.
        self._random = random.Random(os.urandom(32))  # noqa: S311

    def make(self) -> str:
        """Return a ULID that is greater than every one made before by this factory."""
        now = time.time_ns() // 1_000_000
        if _is_finalizing() and is_held_for_good(self._lock):
            self._start()
        with self._lock:
            if self._is_making:
                return ulid_of(now, self._random.getrandbits(_RANDOM_BITS))
            self._is_making = True
            try:
                tail = self._tail + 1
                is_new = now > self._millisecond or tail >= _RANDOM_LIMIT
                if is_new:
                    self._millisecond = max(now, self._millisecond + 1)
                    tail = self._random.getrandbits(_RANDOM_BITS)
                if is_new or not tail & _LOW:
                    self._lead = _text(self._millisecond, 10) + _text(tail >> _LOW_BITS, 12)
                self._tail = tail
                return self._lead + _PAIRS[tail >> 10 & 1023] + _PAIRS[tail & 1023]
            finally:
                self._is_making = False

    def forget(self) -> None:
        """Start anew, so that a forked child does not repeat the ids of its parent."""
        self._start()


def _text(value: int, length: int) -> str:
    """Return the low five bits times ``length`` of a number in base 32; the length is even."""
    pairs = _PAIRS
    return "".join([pairs[(value >> shift) & 1023] for shift in range(5 * length - 10, -1, -10)])


def ulid_of(millisecond: int, tail: int) -> str:
    """Return the ULID of a Unix time in milliseconds and the 80 bits that are random in others."""
    return _text(millisecond, 10) + _text(tail, 16)


def is_ulid(text: str) -> bool:
    """Tell whether the text is a ULID in canonical upper-case form."""
    return len(text) == ULID_LENGTH and text[0] in "01234567" and set(text) <= _CHARACTERS


_factory = UlidFactory()
new_ulid = _factory.make

reset_in_child(_factory.forget)
