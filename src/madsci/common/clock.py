"""Time: aware UTC inside, whole microseconds since the Unix epoch in stores, one text form outside.

The text form has a fixed width (``2026-11-23T15:55:27.002393Z``), so that its order as text is its
order in time.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from madsci.common.errors import SettingsError
from madsci.common.time_text import Written, read_calendar, unix_number

UTC: Final = timezone.utc
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
FIRST_US: Final = -62_135_596_800_000_000
LAST_US: Final = 253_402_300_799_999_999
"""The instants that a datetime in UTC can hold: the years 1 to 9999."""
_LAST_EVERYWHERE: Final = 32_503_680_000
"""The year 3000, up to which every system's own calendar goes."""
_WALL_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - of clocks on a wall, in whatever zone
_TWO_DAYS: Final = timedelta(days=2)

Clock = Callable[[], int]
"""A source of time: microseconds since the Unix epoch."""

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
    """Return an aware datetime as microseconds since the Unix epoch.

    Its offset may lead out of the years 1 to 9999; then it is the first or last instant of them.
    """
    microseconds = _microseconds_of(moment - EPOCH)
    return microseconds if FIRST_US <= microseconds <= LAST_US else _clamped(microseconds)


def _microseconds_of(span: timedelta) -> int:
    # Events are logged while Python is being taken apart, too. There, making or dividing a timedelta
    # crashes 3.13.0, so what log calls need, here and in ``_second_text``, does neither.
    return (span.days * 86_400 + span.seconds) * 1_000_000 + span.microseconds


def _clamped(microseconds: int) -> int:
    return max(FIRST_US, min(microseconds, LAST_US))


def from_us(microseconds: int) -> datetime:
    """Return microseconds since the Unix epoch as an aware UTC datetime."""
    return EPOCH + timedelta(microseconds=microseconds)


def iso(microseconds: int) -> str:
    """Return the canonical text of an instant, always with six decimals and ``Z``."""
    second, fraction = divmod(microseconds, 1_000_000)
    return f"{_second_text(second)}.{fraction:06d}Z"


@lru_cache(maxsize=4096)  # events come in crowds: most share their second with others
def _second_text(second: int) -> str:
    if 0 <= second < _LAST_EVERYWHERE:
        year, month, day, hour, minute, rest, *_ = time.gmtime(second)
        return f"{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{rest:02}"
    return (EPOCH + timedelta(seconds=second)).isoformat()[:19]


def parse_instant(value: object, zone: tzinfo | None = None) -> int:
    """Read a time in any usual form as microseconds since the Unix epoch.

    Takes datetimes, text in the forms of ``time_text`` (with ``Z``, an offset, a zone or neither), and
    Unix time as a number, or as digits, of seconds, milliseconds, microseconds or nanoseconds.
    A time without an offset is read in ``zone``, by default the zone of this machine. What an offset or
    rounding leads out of the years 1 to 9999 is their first or last instant: ``0001-01-01`` and
    ``9999-12-31T23:59:59.9999999`` mean "since ever" and "for ever" in many programs.

    Raises:
        ValueError: the value is not a time, or a number lies outside the years 1 to 9999.
    """
    if isinstance(value, datetime):
        return to_us(value) if value.tzinfo is not None else _in_zone(value, zone)
    if isinstance(value, str):
        return _parse_text(value.strip(), zone)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return _parse_unix(value)
    raise ValueError(f"{value!r:.80} is not a time; send ISO 8601 text such as {iso(0)}")


def _in_zone(moment: datetime, zone: tzinfo | None, later: timedelta = timedelta(0)) -> int:
    """Return the instant at which clocks in a zone show a moment, or that much later."""
    if not datetime.min <= moment <= datetime.max:  # noqa: DTZ901 - NaT of pandas is a datetime, too
        raise ValueError(f"{moment} is not a time; send ISO 8601 text such as {iso(0)}")
    aware = moment + later if moment <= datetime.max - later else datetime.max  # noqa: DTZ901
    offset = _machine_offset(aware) if zone is None else aware.replace(tzinfo=zone).utcoffset()
    return _instant(moment, later, offset or timedelta(0))


def _machine_offset(moment: datetime) -> timedelta | None:
    # astimezone() reads a naive datetime in the zone of this machine, and needs room on both sides.
    first, last = datetime.min + _TWO_DAYS, datetime.max - _TWO_DAYS  # noqa: DTZ901
    return max(first, min(moment, last)).astimezone().utcoffset()


def _instant(moment: datetime, later: timedelta, offset: timedelta) -> int:
    return _clamped(_microseconds_of(moment - _WALL_EPOCH + later - offset))


def _parse_text(text: str, zone: tzinfo | None) -> int:
    number = unix_number(text)
    if number is not None:
        return _parse_unix(number)
    try:
        written = read_calendar(text)
        if written is not None:
            return instant_of(written, zone)
    except ValueError as error:
        raise ValueError(f"{text!r:.80} is not a time: {error}") from error
    raise ValueError(f"{text!r:.80} is not a time; send ISO 8601 text such as {iso(0)}")


def instant_of(written: Written, zone: tzinfo | None) -> int:
    """Return the instant that a text says; without an offset or a zone of its own it is in ``zone``.

    Raises:
        ValueError: there is no zone of the name that the text says.
    """
    if written.offset is not None:
        return _instant(written.moment, written.later, written.offset)
    zone = zone_named(written.zone) if written.zone else zone
    return _in_zone(written.moment, zone, written.later)


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
