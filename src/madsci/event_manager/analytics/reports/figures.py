"""How reports write times, lengths, shares and names."""

from __future__ import annotations

from typing import Any, Final

from madsci.common.clock import from_us

_SECOND: Final = 1_000_000
_MINUTE: Final = 60.0
_HOUR: Final = 3_600.0
_ENDING: Final = 8
"""Characters of an id that people tell things by."""


def instant(at: int) -> str:
    """Return an instant as reports write it: ISO 8601 in UTC, without a zone."""
    return from_us(at).replace(tzinfo=None).isoformat()


def hours(length: int, digits: int = 4) -> float:
    """Return microseconds as hours."""
    return round(length / _SECOND / _HOUR, digits)


def seconds(length: int) -> float:
    """Return microseconds as seconds, all of them: what is compared and added up."""
    return length / _SECOND


def percent(part: int, whole: int, digits: int = 1) -> float:
    """Return a share, from 0 to 100; 0 of nothing."""
    return round(100.0 * part / whole, digits) if whole > 0 else 0.0


def length(microseconds: int) -> dict[str, Any]:
    """Return a length of time in all units, and in the one that suits it."""
    seconds = microseconds / _SECOND
    if seconds < _MINUTE:
        unit, value = "seconds", seconds
    elif seconds < _HOUR:
        unit, value = "minutes", seconds / _MINUTE
    else:
        unit, value = "hours", seconds / _HOUR
    return {
        "display": f"{value:.1f}{unit[0]}",
        "seconds": round(seconds, 6),
        "minutes": round(seconds / _MINUTE, 6),
        "hours": round(seconds / _HOUR, 6),
        "primary_unit": unit,
        "primary_value": round(value, 2),
    }


def spelled(microseconds: int) -> str:
    """Return a length of time as people say it."""
    shown = length(microseconds)
    return f"{shown['primary_value']:.1f} {shown['primary_unit']}"


def ending(id_: str) -> str:
    """Return the part of an id that people tell things by."""
    return id_[-_ENDING:]


def display_name(name: str | None, kind: str, id_: str, *, with_id: bool = False) -> str:
    """Return what to call something, with the end of its id where there is no name."""
    if name is None:
        return f"{kind} {ending(id_)}"
    return f"{name} ({ending(id_)})" if with_id else name


def known_percent(known: int, whole: int) -> float:
    """Return which share is known, rounded down: 100 means all of it, also of nothing."""
    return 100.0 if known >= whole else (10_000 * known // whole) / 100
