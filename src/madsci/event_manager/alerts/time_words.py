"""Instants and lengths of time for people. Instants are microseconds since the Unix epoch.

``zone`` is that of the people, ``None`` for that of this machine.
"""

from __future__ import annotations

from datetime import datetime, tzinfo
from typing import Final

from madsci.common.clock import from_us

_UNITS: Final = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def times(at_us: int, zone: tzinfo | None) -> list[str]:
    """Return an instant as a clock in the zone shows it, and in UTC where that is another time."""
    utc = from_us(at_us)
    local = _local(utc, zone)
    shown = [f"{_clock(utc)} UTC"]
    if local is not None and local.utcoffset():
        shown.insert(0, f"{_clock(local)} {_zone_name(local)}")
    return shown


def time_beside(at_us: int, other_us: int, zone: tzinfo | None) -> str:
    """Return the time of day, behind the date where that is another one than the other's."""
    at, other = (_local(from_us(one), zone) or from_us(one) for one in (at_us, other_us))
    return f"{at:%H:%M:%S}" if at.date() == other.date() else _clock(at)


def duration(microseconds: int) -> str:
    """Return a length of time in its two largest units: ``2 h 5 min``."""
    left = max(0, microseconds) // 1_000_000
    parts: list[str] = []
    for seconds, unit in _UNITS:
        number, left = divmod(left, seconds)
        if number or (parts and len(parts) < 2):  # noqa: PLR2004
            parts.append(f"{number} {unit}")
    return " ".join(one for one in parts[:2] if not one.startswith("0 ")) or "less than a second"


def _local(utc: datetime, zone: tzinfo | None) -> datetime | None:
    try:
        return utc.astimezone(zone)
    except (OverflowError, ValueError, OSError):  # at the ends of the calendar
        return None


def _clock(moment: datetime) -> str:
    return moment.replace(tzinfo=None).isoformat(sep=" ", timespec="seconds")


def _zone_name(local: datetime) -> str:
    name = local.tzname() or ""
    return f"UTC{name}" if name.startswith(("+", "-")) else name
