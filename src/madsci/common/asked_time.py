"""Times as people ask for them: instants, days that are meant as a whole, and times relative to now.

Only questions are read so. An event that says ``-1h`` says nothing of when it happened.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, tzinfo
from typing import Final, NamedTuple

from madsci.common.clock import FIRST_US, LAST_US, from_us, instant_of, now_us, parse_instant
from madsci.common.time_text import Written, read_calendar, unix_number

_UNITS: Final = {"ms": 1_000, "s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000,
                 "d": 86_400_000_000, "w": 604_800_000_000}  # fmt: skip
_LENGTH: Final = r"\d{1,9}(?:\.\d{1,6})?\s*(?:ms|s|m|h|d|w)"
_RELATIVE: Final = re.compile(
    rf"(?P<anchor>now|today|yesterday|tomorrow)?\s*"
    rf"(?:(?P<sign>[+\-\N{{MINUS SIGN}}])\s*(?P<lengths>{_LENGTH}(?:\s*{_LENGTH}){{0,5}}))?",
    re.ASCII,
)
_ONE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]+)", re.ASCII)
_DAYS: Final = {"yesterday": -1, "today": 0, "tomorrow": 1}


class Span(NamedTuple):
    """The first and the last microsecond of what a text means; the same one for an instant."""

    first: int
    last: int

    def bound(self, operator: str) -> int:
        """Return what is compared with: the first for ``$gte`` and ``$lt``, the last for others.

        So ``$lte`` a day includes that day, and ``$gt`` a day begins after it.
        """
        return self.last if operator in ("$gt", "$lte") else self.first


def is_relative(value: object) -> bool:
    """Tell whether a value is a time relative to the present."""
    return isinstance(value, str) and _relative(value) is not None


def read_asked_time(value: object, zone: tzinfo | None = None, now: int | None = None) -> Span:
    """Read a time of a question: all that ``parse_instant`` reads, days, and relative times.

    A date without a time is that day, from midnight to midnight in ``zone`` (by default that of this
    machine); an ISO week is seven days. ``today``, ``yesterday`` and ``tomorrow`` are days, too.
    ``now``, ``-90m``, ``-1h30m``, ``now-2d`` and ``today+8h`` are instants; units are ``ms s m h d w``,
    and a day has 24 hours. ``now`` is the present, by default that of this call.

    Raises:
        ValueError: it is none of these.
    """
    text = value.strip() if isinstance(value, str) else ""
    relative = _relative(text)
    if relative is not None:
        return _read_relative(relative, zone, now_us() if now is None else now)
    try:
        first = parse_instant(value, zone)
    except ValueError as error:
        raise ValueError(f"{error}, or a relative one: -1h, now, today") from error
    written = None if unix_number(text) is not None else read_calendar(text)
    if written is None or not written.days:
        return Span(first, first)
    return _whole(written, zone)


def _relative(text: str) -> re.Match[str] | None:
    match = _RELATIVE.fullmatch(text.strip().lower())
    return match if match is not None and match[0] else None


def _read_relative(match: re.Match[str], zone: tzinfo | None, now: int) -> Span:
    anchor = match["anchor"] or "now"
    span = Span(now, now)
    if anchor in _DAYS:
        today = from_us(now).astimezone(zone).replace(tzinfo=None)
        midnight = datetime(today.year, today.month, today.day)  # noqa: DTZ001 - of a wall clock
        day = midnight + timedelta(days=_DAYS[anchor])
        span = _whole(Written(day, timedelta(0), None, None, 1), zone)
    if match["lengths"] is None:
        return span
    length = sum(round(float(number) * _UNITS[unit]) for number, unit in _ONE.findall(match["lengths"]))
    moment = span.first + (length if match["sign"] == "+" else -length)
    moment = max(FIRST_US, min(moment, LAST_US))
    return Span(moment, moment)


def _whole(written: Written, zone: tzinfo | None) -> Span:
    """Return the days of a date, which are shorter or longer where clocks are set."""
    first = instant_of(written, zone)
    if written.moment > datetime.max - timedelta(days=written.days):  # noqa: DTZ901
        return Span(first, LAST_US)
    later = written._replace(moment=written.moment + timedelta(days=written.days))
    return Span(first, max(first, instant_of(later, zone) - 1))
