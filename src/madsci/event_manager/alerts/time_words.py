"""Instants for people, given as microseconds since the Unix epoch.

``zone`` is that of the people, ``None`` for that of this machine.
"""

from __future__ import annotations

from datetime import datetime, tzinfo

from madsci.common.clock import from_us


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
