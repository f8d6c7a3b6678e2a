"""Time: aware UTC inside, whole microseconds since the Unix epoch in stores, one text form outside.

The text form has a fixed width (``2026-11-23T15:55:27.002393Z``), so that its order as text is its
order in time.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from madsci.common.errors import SettingsError

UTC: Final = timezone.utc
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
FIRST_US: Final = -62_135_596_800_000_000
LAST_US: Final = 253_402_300_799_999_999
"""The instants that a datetime in UTC can hold: the years 1 to 9999."""
_MICROSECOND: Final = timedelta(microseconds=1)
_LEAP_SECOND: Final = 60

Clock = Callable[[], int]
"""A source of time: microseconds since the Unix epoch."""

_ISO = re.compile(
    r"(?P<y>\d{4})-?(?P<m>\d\d)-?(?P<d>\d\d)"
    r"(?:[Tt _](?P<H>\d\d)(?::?(?P<M>\d\d)(?::?(?P<S>\d\d)(?:[.,](?P<f>\d+))?)?)?)?"
    r"\s*(?P<z>[Zz]|(?P<sign>[+-])(?P<zh>\d\d)(?::?(?P<zm>\d\d))?)?",
    re.ASCII,
)

# Unix times are told apart by size: seconds up to the year 2603, then milliseconds, microseconds and
# nanoseconds, each of which would otherwise lie thousands of years ahead.
_UNIX_UNITS: Final = ((2e10, 1_000_000.0), (2e13, 1_000.0), (2e16, 1.0), (2e19, 0.001))


def now_us() -> int:
    """Return the present as microseconds since the Unix epoch."""
    return time.time_ns() // 1000


def utc_now() -> datetime:
    """Return the present as an aware UTC datetime."""
    return datetime.now(UTC)


def to_us(moment: datetime) -> int:
    """Return an aware datetime as microseconds since the Unix epoch."""
    return (moment - EPOCH) // _MICROSECOND


def from_us(microseconds: int) -> datetime:
    """Return microseconds since the Unix epoch as an aware UTC datetime."""
    return EPOCH + timedelta(microseconds=microseconds)


def iso(microseconds: int) -> str:
    """Return the canonical text of an instant, always with six decimals and ``Z``."""
    second, fraction = divmod(microseconds, 1_000_000)
    return f"{_second_text(second)}.{fraction:06d}Z"


@lru_cache(maxsize=4096)  # events come in crowds: most share their second with others
def _second_text(second: int) -> str:
    return (EPOCH + timedelta(seconds=second)).isoformat()[:19]


def parse_instant(value: object, zone: tzinfo | None = None) -> int:
    """Read a time in any usual form as microseconds since the Unix epoch.

    Takes datetimes, ISO 8601 text (extended or basic, any number of decimals, ``Z``, an offset or
    neither) and Unix time as a number of seconds, milliseconds, microseconds or nanoseconds.
    A time without an offset is read in ``zone``, by default the zone of this machine.

    Raises:
        ValueError: the value is not a time, or lies outside the years 1 to 9999.
    """
    if isinstance(value, datetime):
        return to_us(_aware(value, zone))
    if isinstance(value, str):
        return to_us(_parse_text(value, zone))
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return _parse_unix(value)
    raise ValueError(f"{value!r:.80} is not a time; send ISO 8601 text such as {iso(0)}")


def _aware(moment: datetime, zone: tzinfo | None) -> datetime:
    try:
        if moment.tzinfo is None:
            # astimezone() reads a naive datetime in the zone of this machine.
            moment = moment.astimezone() if zone is None else moment.replace(tzinfo=zone)
        return moment.astimezone(UTC)
    except (OverflowError, ValueError) as error:
        raise ValueError(f"{moment} lies outside the years 1 to 9999 in UTC") from error


def _parse_text(text: str, zone: tzinfo | None) -> datetime:
    match = _ISO.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r:.80} is not a time; send ISO 8601 text such as {iso(0)}")
    part = match.groupdict(default="0")
    offset: tzinfo | None = None
    if match["z"]:
        minutes = int(part["zh"]) * 60 + int(part["zm"])
        offset = timezone(timedelta(minutes=-minutes if part["sign"] == "-" else minutes))
    second = int(part["S"])
    digits = part["f"].ljust(7, "0")
    microseconds = int(digits[:6]) + (digits[6] >= "5")
    try:
        moment = datetime(
            int(part["y"]), int(part["m"]), int(part["d"]), int(part["H"]), int(part["M"]),
            second if second != _LEAP_SECOND else 59, tzinfo=offset,
        )  # fmt: skip
        # A leap second (:60) is the first instant of the next minute, as POSIX time counts it.
        moment += timedelta(seconds=second == _LEAP_SECOND, microseconds=microseconds)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{text!r:.80} is not a time: {error}") from error
    return _aware(moment, zone)


def _parse_unix(number: float) -> int:
    for limit, unit in _UNIX_UNITS:
        if abs(number) <= limit:
            exact = isinstance(number, int) and unit >= 1
            microseconds = int(number) * int(unit) if exact else round(number * unit)
            break
    else:
        raise ValueError(f"{number!r} is not a Unix time")
    try:
        from_us(microseconds)
    except OverflowError as error:
        raise ValueError(f"{number!r} lies outside the years 1 to 9999") from error
    return microseconds


def zone_named(name: str | None) -> tzinfo | None:
    """Return the time zone of an IANA name; ``None`` (the machine's own zone) for no name.

    Raises:
        SettingsError: there is no such zone.
    """
    if not name:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise SettingsError(
            f"There is no time zone {name!r}. Use an IANA name such as 'Europe/Berlin' or 'UTC'."
        ) from error
