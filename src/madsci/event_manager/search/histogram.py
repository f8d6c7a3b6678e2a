"""Events over time: the spans of a histogram, and its answer."""

from __future__ import annotations

import re
from typing import Any, Final

from madsci.common.clock import FIRST_US, LAST_US, iso
from madsci.common.errors import InvalidInputError
from madsci.event_manager.model.tally import MAX_BUCKETS, Buckets, Count

_SECOND: Final = 1_000_000
_UNITS: Final = {"ms": 1_000, "s": _SECOND, "m": 60 * _SECOND, "h": 3_600 * _SECOND,
                 "d": 86_400 * _SECOND, "w": 604_800 * _SECOND}  # fmt: skip
_INTERVAL: Final = re.compile(r"(\d{1,9})\s*(ms|s|m|h|d|w)?")
_MONDAY: Final = 4 * _UNITS["d"]
"""Weeks begin on Mondays; the Unix epoch was a Thursday."""
_WANTED: Final = 100
"""Spans of a histogram whose interval is left open: about as many as fit side by side on a screen."""
_ROUND: Final = [
    number * _UNITS[unit]
    for unit, numbers in (
        ("ms", (1, 10, 100)), ("s", (1, 5, 10, 30)), ("m", (1, 5, 10, 30)), ("h", (1, 3, 6, 12)),
        ("d", (1,)), ("w", (1, 4, 13, 52, 520)),
    )
    for number in numbers
]  # fmt: skip


def parse_interval(text: str) -> int:
    """Read an interval such as ``30s``, ``5m``, ``1h``, ``1d`` or ``1w`` as microseconds.

    A number without a unit means seconds.

    Raises:
        InvalidInputError: it is none.
    """
    found = _INTERVAL.fullmatch(text.strip().lower())
    width = int(found[1]) * _UNITS[found[2] or "s"] if found else 0
    if width < 1:
        problem = f"{text!r:.40} is not an interval such as 30s, 5m, 1h, 1d or 1w"
        raise InvalidInputError(
            f"interval: {problem}.", [{"loc": ["query", "interval"], "msg": problem}]
        )
    return width


def buckets_between(first: int, last: int, width: int | None) -> Buckets:
    """Return the spans that hold all instants from ``first`` to ``last``, in microseconds.

    They begin at multiples of their width in UTC. Without a width a round one is chosen.

    Raises:
        InvalidInputError: there would be too many.
    """
    if width is None:
        enough = (last - first) // _WANTED
        width = next((one for one in _ROUND if one > enough), _ROUND[-1])
    offset = _MONDAY if width % _UNITS["w"] == 0 else 0
    start = (first - offset) // width * width + offset
    buckets = Buckets(start, max(first, last), width)
    if buckets.number > MAX_BUCKETS:
        raise InvalidInputError(
            f"This would be {buckets.number:,} intervals; at most {MAX_BUCKETS:,} are counted at once."
            " Take a larger interval, or a shorter time.",
            [{"loc": ["query", "interval"], "msg": "too many intervals"}],
        )
    return buckets


def answer(buckets: Buckets | None, by: str | None, counts: list[Count]) -> dict[str, Any]:
    """Return the histogram as it is sent: every bucket, also the empty ones, the oldest first.

    Events without a value are in the ``count`` of their bucket only.
    """
    rows: dict[int, dict[str, Any]] = {}
    for start in buckets.starts() if buckets else ():
        rows[start] = {"start": _iso(start), "count": 0, **({"counts": {}} if by else {})}
    for one in counts:
        row = rows[one.bucket or 0]
        row["count"] += one.count
        if one.value is not None:
            row["counts"][str(one.value)] = one.count
    return {
        "start": _iso(buckets.start) if buckets else None,
        "end": _iso(buckets.start + buckets.number * buckets.width) if buckets else None,
        "interval_seconds": buckets.width / _SECOND if buckets else None,
        "by": by,
        "total": sum(row["count"] for row in rows.values()),
        "buckets": list(rows.values()),
    }


def _iso(microseconds: int) -> str:
    # The first and the last span of the calendar reach beyond it.
    return iso(min(max(microseconds, FIRST_US), LAST_US))
