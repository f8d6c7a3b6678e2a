"""ULIDs: 26 characters, 48 bits of Unix milliseconds and 80 random bits, in Crockford's base 32.

Made here they ascend within a process, also within one millisecond and when the clock is set back,
as the ULID specification describes for monotonic factories (https://github.com/ulid/spec).
"""

from __future__ import annotations

import os
import threading
import time

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PAIRS = tuple(a + b for a in _ALPHABET for b in _ALPHABET)
_VALUES = {char: value for value, char in enumerate(_ALPHABET)}
_RANDOM_BITS = 80
_RANDOM_LIMIT = 1 << _RANDOM_BITS
ULID_LENGTH = 26


class UlidFactory:
    """Makes ULIDs in ascending order. Thread-safe; a forked child starts with fresh randomness."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._millisecond = 0
        self._random = 0

    def make(self) -> str:
        """Return a ULID that is greater than every one made before by this factory."""
        now = time.time_ns() // 1_000_000
        with self._lock:
            if now > self._millisecond:
                self._millisecond = now
                self._random = int.from_bytes(os.urandom(10), "big")
            else:
                self._random += 1
                if self._random >= _RANDOM_LIMIT:
                    self._millisecond += 1
                    self._random = 0
            value = self._millisecond << _RANDOM_BITS | self._random
        return _encode(value)

    def forget(self) -> None:
        """Start anew, so that a forked child does not repeat the ids of its parent."""
        self._lock = threading.Lock()
        self._millisecond = 0


def _encode(value: int) -> str:
    pairs = _PAIRS
    return "".join([pairs[(value >> shift) & 1023] for shift in range(120, -1, -10)])


def is_ulid(text: str) -> bool:
    """Tell whether the text is a ULID in canonical upper-case form."""
    return len(text) == ULID_LENGTH and text[0] in "01234567" and all(char in _VALUES for char in text)


_factory = UlidFactory()
new_ulid = _factory.make

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_factory.forget)
