"""What a text says about a time: the forms of ISO 8601, of RFC 9557, and Unix times in digits.

https://www.rfc-editor.org/rfc/rfc9557 is the form of Java and JavaScript with a zone in brackets.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Final, NamedTuple

_DATE: Final = (
    r"(?P<y>\d{4}|[+-]\d{6}(?=-))"
    r"(?:-?W(?P<w>\d\d)(?:-?(?P<wd>[1-7]))?|-?(?P<mon>\d\d)-?(?P<d>\d\d)|-?(?P<yd>\d{3}))"
)
_TIME: Final = r"(?P<H>\d\d)(?::?(?P<M>\d\d)(?::?(?P<S>\d\d))?)?(?:[.,](?P<f>\d+))?"
_OFFSET: Final = (
    r"(?P<z>[Zz]|UTC|GMT|(?P<sign>[+\-\N{MINUS SIGN}])"
    r"(?P<zh>\d\d)(?::?(?P<zm>\d\d)(?::?(?P<zs>\d\d))?)?)"
)
_BRACKETS: Final = r"(?:\[!?(?P<zone>[^\]=]+)\])?(?:\[!?[a-z_][^\]]*=[^\]]*\])*"
_ISO: Final = re.compile(rf"{_DATE}(?:[Tt _]{_TIME})?\s*{_OFFSET}?{_BRACKETS}", re.ASCII)
_COMPACT: Final = re.compile(r"(\d{8})(\d{6})(\d{3}|\d{6})?", re.ASCII)
"""A date and a time without anything between; no Unix time of our age has so many digits."""
_UNIX: Final = re.compile(r"-?\d{9,19}(?:\.\d+)?", re.ASCII)
"""Fewer digits are a year, a day, or a mistake: as seconds they would be of 1970."""
_MINUTE: Final = 60
_HOUR: Final = 3600
_DAY: Final = 24


class Written(NamedTuple):
    """What a text says: a moment on the calendar, how much later it is, and where.

    ``later`` holds what a ``datetime`` cannot: a leap second, an hour 24, half a microsecond that
    rounds up into the year 10000. ``offset`` goes before ``zone``, an IANA name; either may be missing.
    ``days`` is how many days a date without a time is: one, or seven of an ISO week; else 0.
    """

    moment: datetime
    later: timedelta
    offset: timedelta | None
    zone: str | None
    days: int


def unix_number(text: str) -> int | float | None:
    """Return the number that a Unix time in digits says, in whichever unit; ``None`` for all else."""
    if _COMPACT.fullmatch(text) or _UNIX.fullmatch(text) is None:
        return None
    return float(text) if "." in text else int(text)


def read_calendar(text: str) -> Written | None:
    """Read a date, or a date and a time, in any of these forms, extended or basic; ``None`` for others.

    Raises:
        ValueError: no such day or time exists.
    """
    compact = _COMPACT.fullmatch(text)
    if compact is not None:
        text = f"{compact[1]}T{compact[2]}.{compact[3] or 0}"
    match = _ISO.fullmatch(text)
    if match is None:
        return None
    part = match.groupdict(default="0")
    day = _day(match)
    offset = _offset(part) if match["z"] else None
    days = 0 if match["H"] else 7 if match["w"] and not match["wd"] else 1
    return Written(day, _time_of_day(match), offset, match["zone"], days)


def _day(match: re.Match[str]) -> datetime:
    year = int(match["y"])
    if match["w"]:
        return datetime.fromisocalendar(year, int(match["w"]), int(match["wd"] or 1))
    if match["yd"]:
        day = datetime(year, 1, 1) + timedelta(days=int(match["yd"]) - 1)  # noqa: DTZ001
        if day.year != year:
            raise ValueError(f"the year {year} has no day {match['yd']}")
        return day
    return datetime(year, int(match["mon"]), int(match["d"]))  # noqa: DTZ001 - the offset is apart


def _time_of_day(match: re.Match[str]) -> timedelta:
    hour, minute, second = (int(match[name] or 0) for name in ("H", "M", "S"))
    # Decimals are of the last part that is there, rounded to whole microseconds.
    unit = 1 if match["S"] else _MINUTE if match["M"] else _HOUR
    digits = (match["f"] or "0")[:20]
    fraction = (int(digits) * unit * 2_000_000 + 10 ** len(digits)) // (2 * 10 ** len(digits))
    is_midnight = (hour, minute, second, fraction) == (_DAY, 0, 0, 0)
    # A leap second (:60) is the first instant of the next minute, as POSIX time counts it.
    if (hour >= _DAY and not is_midnight) or minute >= _MINUTE or second > _MINUTE:
        raise ValueError(f"no day has the time {match['H']}:{match['M']}:{match['S']}")
    return timedelta(hours=hour, minutes=minute, seconds=second, microseconds=fraction)


def _offset(part: dict[str, str]) -> timedelta:
    offset = timedelta(hours=int(part["zh"]), minutes=int(part["zm"]), seconds=int(part["zs"]))
    if offset >= timedelta(days=1):
        raise ValueError(f"no place is {offset} away from UTC")
    return offset if part["sign"] in ("+", "0") else -offset
