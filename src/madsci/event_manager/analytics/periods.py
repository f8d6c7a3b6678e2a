"""Hours, days, weeks and months as clocks on a wall show them, wherever these are set twice a year."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta, tzinfo
from enum import Enum
from typing import Final, NamedTuple

from madsci.common.clock import UTC, from_us, iso, to_us
from madsci.common.errors import InvalidInputError
from madsci.common.nearest import right_one
from madsci.event_manager.analytics.spans import Span

_HOUR: Final = timedelta(hours=1)
_TICK: Final = timedelta(microseconds=1)
_CALENDAR: Final = (to_us(datetime(2, 1, 1, tzinfo=UTC)), to_us(datetime(9998, 12, 31, tzinfo=UTC)))
"""What clocks of all zones can show."""
MOST: Final = 20_000
"""Periods of one report: two years of hours. More are no report that anybody reads."""


class Length(Enum):
    """How long periods are."""

    HOURLY = "hourly"
    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"


class Period(NamedTuple):
    """A span by wall clocks: its first moment there, and what of it lies in the window."""

    begins: datetime
    """Aware, in the zone of the clocks."""
    span: Span


def length_named(text: str) -> Length:
    """Return the length that a word says.

    Raises:
        InvalidInputError: it is none.
    """
    try:
        return Length(text)
    except ValueError:
        words = [one.value for one in Length]
        raise InvalidInputError(
            f"analysis_type: {text!r:.40} is no length of periods. {right_one(text, words)}"
        ) from None


def periods(window: Span, length: Length, zone: tzinfo) -> list[Period]:
    """Return the periods that share something with a window, each cut to it; together they are it.

    Days begin with their first moment, which is not midnight where clocks are set forward then, and
    end with that of the next one, also where clocks are set back over midnight after it. An
    hour that clocks show twice, or amid which they are set, is two periods. The years 1 and 9999 have
    none, since there are zones in which they are not of the calendar.

    Raises:
        InvalidInputError: there would be more than 20,000.
    """
    found: list[Period] = []
    start, end = max(window[0], _CALENDAR[0]), min(window[1], _CALENDAR[1])
    if start >= end:
        return found
    for begins, first, last in _following(start, length, zone):
        if first >= end:
            break
        if last <= start:
            continue  # clocks that were set back show a day again, though the next one has begun
        if len(found) == MOST:
            raise InvalidInputError(
                f"From {iso(window[0])} to {iso(window[1])} there are more than {MOST:,} {length.value}"
                " periods. Take a shorter time with start_time and end_time, or longer periods with"
                " analysis_type."
            )
        found.append(Period(begins, (max(first, start), min(last, end))))
    return found


def _following(start: int, length: Length, zone: tzinfo) -> Iterator[tuple[datetime, int, int]]:
    """Yield the periods from that of an instant on, with their first instants and the next ones'."""
    moment = from_us(start).astimezone(zone)
    begins = _beginning(moment, length, zone)
    while True:
        follows = _next(begins, length, zone)
        first, last = to_us(begins), to_us(follows)
        yield begins, first, last
        begins = follows


def _beginning(moment: datetime, length: Length, zone: tzinfo) -> datetime:
    if length is Length.HOURLY:
        return _hour_of(moment)
    day = moment.date()
    if length is Length.WEEKLY:
        day = day - timedelta(days=day.weekday())
    elif length is Length.MONTHLY:
        day = day.replace(day=1)
    return _first_moment(day, zone)


def _next(begins: datetime, length: Length, zone: tzinfo) -> datetime:
    if length is Length.HOURLY:
        return _next_hour(begins)
    day = begins.date()
    if length is Length.DAILY:
        return _first_moment(day + timedelta(days=1), zone)
    if length is Length.WEEKLY:
        return _first_moment(day + timedelta(days=7), zone)
    return _first_moment((day.replace(day=28) + timedelta(days=4)).replace(day=1), zone)


def _first_moment(day: date, zone: tzinfo) -> datetime:
    """Return when a day begins; where clocks skip midnight that is when they are set."""
    # In a gap the offset of before it is meant, which gives the instant at which the gap is.
    midnight = datetime.combine(day, time(), zone)
    return midnight.astimezone(UTC).astimezone(zone)


def _hour_of(moment: datetime) -> datetime:
    """Return since when clocks show this hour, and were not set."""
    sharp = _later(moment, -_into_the_hour(moment))
    return sharp if sharp.utcoffset() == moment.utcoffset() else _set_between(sharp, moment)


def _next_hour(begins: datetime) -> datetime:
    """Return until when clocks show this hour, and are not set."""
    sharp = _later(begins, _HOUR - _into_the_hour(begins))
    last = _later(sharp, -_TICK)
    return sharp if last.utcoffset() == begins.utcoffset() else _set_between(begins, last)


def _into_the_hour(moment: datetime) -> timedelta:
    return timedelta(minutes=moment.minute, seconds=moment.second, microseconds=moment.microsecond)


def _later(moment: datetime, by: timedelta) -> datetime:
    # Between datetimes of one zone Python goes by the clocks on the wall, not by the time between.
    return (moment.astimezone(UTC) + by).astimezone(moment.tzinfo)


def _set_between(before: datetime, after: datetime) -> datetime:
    """Return when clocks were set between two moments that have different offsets."""
    while (gap := to_us(after) - to_us(before)) > 1:
        middle = _later(before, timedelta(microseconds=gap // 2))
        if middle.utcoffset() == before.utcoffset():
            before = middle
        else:
            after = middle
    return after
