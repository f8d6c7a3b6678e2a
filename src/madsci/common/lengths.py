"""Lengths of time as people write and read them."""

from __future__ import annotations

import re
from typing import Any, Final

MAX_SECONDS: Final = 366 * 86_400.0
"""The longest that is taken: what has not come for a year is no longer waited for."""
_WRITTEN: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0, "w": 604_800.0}
_PART: Final = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)\s*(ms|s|m|h|d|w)", re.ASCII)
_WHOLE: Final = re.compile(rf"\s*(?:{_PART.pattern}\s*){{1,6}}", re.ASCII)
_SHOWN: Final = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def read_length(value: Any) -> float:
    """Return seconds: of a number, or of a text such as ``90s``, ``10m``, ``1h30m`` or ``2d``.

    Raises:
        ValueError: it is none, or longer than a year.
    """
    if isinstance(value, str) and _WHOLE.fullmatch(value.lower()):
        seconds = sum(float(number) * _WRITTEN[unit] for number, unit in _PART.findall(value.lower()))
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        seconds = float(value)
    else:
        raise ValueError("it should be a time such as 90s, 10m, 1h30m or 2d")
    if not 0 < seconds <= MAX_SECONDS:
        raise ValueError("it should be a time greater than 0, and at most a year")
    return seconds


def duration(microseconds: int) -> str:
    """Return how long something is, be it ahead or behind, in its two largest units: ``2 h 5 min``."""
    left = abs(microseconds) // 1_000_000
    parts: list[str] = []
    for seconds, unit in _SHOWN:
        number, left = divmod(left, seconds)
        if number:
            parts.append(f"{number:,} {unit}")
        elif parts:
            break
    return " ".join(parts[:2]) or "less than a second"
