"""In which minutes of an hour a node gave signs of life: bits of a number, the first minute lowest."""

from __future__ import annotations

from typing import Final

_MINUTE: Final = 60_000_000
_MINUTES: Final = 60


def minute_of(at: int) -> int:
    """Return the number that tells of a sign of life at an instant (microseconds since 1970)."""
    return 1 << (at // _MINUTE % _MINUTES)


def last_sign(minutes: int, hour_begins: int, before: int) -> int | None:
    """Return since when at the latest a node was seen alive before an instant, ``None`` if it was not.

    A sign of life is known to the minute, whose first instant counts.
    """
    whole = (before - hour_begins) // _MINUTE
    known = minutes & ((1 << max(0, whole)) - 1)
    return None if known == 0 else hour_begins + (known.bit_length() - 1) * _MINUTE
