"""What somebody wants to know of the life of the lab, checked."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from madsci.common import asked_time
from madsci.common.clock import FIRST_US, LAST_US, iso
from madsci.common.errors import InvalidInputError
from madsci.common.nearest import nearest
from madsci.event_manager.analytics.periods import Length
from madsci.event_manager.analytics.spans import Span

DAY: Final = 86_400_000_000
UTC_CLOCK: Final = ZoneInfo("UTC")


class Kind(Enum):
    """What a report is about."""

    SESSIONS = "sessions"
    PERIODS = "periods"
    USERS = "users"
    LAB = "lab"


class Form(Enum):
    """How it is written."""

    JSON = "json"
    CSV = "csv"
    METHODS = "methods"
    """A text for the methods section of a paper."""


@dataclass(frozen=True)
class Asked:
    """A report that is wanted. Times are microseconds since 1970."""

    kind: Kind
    form: Form
    window: Span | None
    """``None``: from the first event to the last one."""
    now: int
    """What comes later has not happened yet."""
    length: Length = Length.DAILY
    zone: ZoneInfo = UTC_CLOCK
    include_users: bool = True
    events_behind: int | None = None
    """How many events are not read yet of which it is made; ``None`` where nobody knows."""

    @property
    def query(self) -> dict[str, str]:
        """What was asked, by the names of the parameters."""
        said = {"report": self.kind.value}
        if self.window is not None:
            said["start_time"], said["end_time"] = map(iso, self.window)
        if self.kind is Kind.PERIODS:
            said["analysis_type"], said["user_timezone"] = self.length.value, self.zone.key
        return said


def window_between(
    start_time: asked_time.Span | None, end_time: asked_time.Span | None, now: int
) -> Span | None:
    """Return the time that is looked at: a day where one end is not given, all where neither is.

    It is cut to what is of the calendar, which a day before its first instant is not.

    Raises:
        InvalidInputError: it ends before it begins, or has not begun yet.
    """
    if end_time is None:
        if start_time is None:
            return None
        start = start_time.first
        end = min(start + DAY, LAST_US)
    else:
        end = _beyond(end_time)
        start = max(end - DAY, FIRST_US) if start_time is None else start_time.first
    if start >= end:
        raise InvalidInputError(
            "Invalid analysis time period: start time must be before end time, and"
            f" {iso(start)} is not before {iso(end if end_time is None else end_time.last)}."
            f" {_hint(start_time, end_time)}"
        )
    if start >= now:
        raise InvalidInputError(
            f"start_time: {iso(start)} has not come yet, so nothing is known of it. Take an earlier"
            " one."
        )
    return start, end


def _beyond(end_time: asked_time.Span) -> int:
    """Return the instant before which a time is over: a day with the next one's first."""
    is_instant = end_time.first == end_time.last
    return end_time.last if is_instant else min(end_time.last + 1, LAST_US)


def _hint(start_time: asked_time.Span | None, end_time: asked_time.Span | None) -> str:
    """Return what to do about a window that has no time in it."""
    if start_time is None:
        return "Take a later end_time."
    if end_time is None:
        return "Take an earlier start_time."
    if start_time.first > end_time.last:
        return "Exchange them, or leave one out for a day."
    return "Take a later end_time, or leave one out for a day."


def wall_clock(name: str) -> ZoneInfo:
    """Return the time zone of an IANA name.

    Raises:
        InvalidInputError: there is none of this name.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        meant = nearest(name, sorted(available_timezones()))
        hint = f"Did you mean {meant}?" if meant else "Use an IANA name such as Europe/Berlin or UTC."
        raise InvalidInputError(f"user_timezone: there is no time zone {name!r:.80}. {hint}") from error
