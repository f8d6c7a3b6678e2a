"""The settings of an Event Manager about when people are told of alerts, and who."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date, tzinfo
from typing import Annotated, Any, Final

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)
from typing_extensions import Self

from madsci.common.asked_time import is_relative, read_asked_time
from madsci.common.clock import iso, parse_instant, zone_named
from madsci.common.errors import SettingsError
from madsci.common.nearest import did_you_mean
from madsci.common.settings import LevelSetting
from madsci.common.types.log_level import EventLogLevel

WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
"""In the order of ``datetime.weekday``."""
MAX_ROUTES: Final = 50
MAX_QUIET_HOURS: Final = 20
"""All of them are looked at for each alert; a lab has a handful."""
MAX_MAINTENANCE: Final = 100
"""Planned ones, and those of the last months that nobody has taken out."""
_MAX_CHANNELS: Final = 20
_MAX_NAMES: Final = 100
"""Names in one list: nobody reads longer ones, and a wildcard says more."""

_FULL_NAMES: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_WALL_TIME: Final = re.compile(r"(\d{1,2}):(\d\d)", re.ASCII)
_DAY_MINUTES: Final = 24 * 60


def _day(value: Any) -> str:
    word = str(value).strip().lower()
    if word in WEEKDAYS:
        return word
    if word in _FULL_NAMES:
        return word[:3]
    meant = did_you_mean(word, [*WEEKDAYS, *_FULL_NAMES]) or f" Days are {', '.join(WEEKDAYS)}."
    raise ValueError(f"it should be a day of the week.{meant}".rstrip("."))


def _wall_time(value: Any) -> str:
    minutes = value
    if isinstance(value, bool) or not isinstance(value, int):
        match = _WALL_TIME.fullmatch(str(value).strip())
        minutes = None if match is None or int(match[2]) >= 60 else int(match[1]) * 60 + int(match[2])  # noqa: PLR2004
    # YAML 1.1 reads 22:00 without quotes as a number of base 60, which here is one of minutes.
    if minutes is None or not 0 <= minutes <= _DAY_MINUTES:
        raise ValueError(
            "it should be a time of a clock on the wall from 00:00 to 24:00, such as 22:30"
        )
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _zone(name: str | None) -> str | None:
    try:
        zone_named(name)
    except SettingsError as error:
        raise ValueError(error.message.rstrip(".")) from error
    return name


def _instant(value: Any) -> str:
    """Return a time as text that means the same wherever its zone is said."""
    if isinstance(value, date):
        value = value.isoformat()
    if is_relative(value):
        raise ValueError(f"it should be a date and a time, such as {iso(0)}, not one relative to now")
    try:
        instant = parse_instant(value)
    except ValueError as error:
        raise ValueError(f"it should be a time: {error}") from error
    return value if isinstance(value, str) else iso(instant)


def _pattern(name: str) -> str:
    name = name.strip()
    if not name or "*" in name[:-1]:
        raise ValueError("it should be a name, with a * at its end for all that begin so")
    return name


def _way(name: str) -> str:
    name = name.strip()
    if not name or name.startswith(":") or name.endswith(":"):
        raise ValueError("it should be the name of a channel, or channel:recipient")
    return name


Weekday = Annotated[str, BeforeValidator(_day)]
"""``mon`` to ``sun``, read from whole names, too, in any letter case."""
WallTime = Annotated[str, BeforeValidator(_wall_time)]
"""Hours and minutes of a clock on the wall; ``24:00`` is the end of a day."""
ZoneName = Annotated[str | None, AfterValidator(_zone)]
"""The IANA name of a zone; ``None`` for the one that the server goes by (``naive_timezone``)."""
Instant = Annotated[str, BeforeValidator(_instant)]
"""A time in any form that events may have; without an offset it is one of a zone said elsewhere."""
Patterns = Annotated[list[Annotated[str, AfterValidator(_pattern)]], Field(max_length=_MAX_NAMES)]
"""Names; one that ends in ``*`` stands for all that begin so. None of them stand for everything."""


class _Members(BaseModel):
    """An object in the settings: its members are known, and a wrong one is named."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, populate_by_name=True, hide_input_in_errors=True
    )

    @model_validator(mode="before")
    @classmethod
    def _check_names(cls, value: Any) -> Any:
        if isinstance(value, Mapping):
            names = [info.alias or name for name, info in cls.model_fields.items()]
            for given in map(str, value):
                if given not in names and given not in cls.model_fields:
                    meant = did_you_mean(given, names) or f" Its members are {', '.join(names)}"
                    raise ValueError(f"it has no member {given!r:.80}.{meant}")
        return value


class AlertTimes(_Members):
    """Periods that come every week: on some days from one time of the clock on the wall to another.

    Where ``to`` is not after ``from``, a period ends on the next day. ``days`` are those on which it
    begins.
    """

    days: list[Weekday] = Field(
        default=list(WEEKDAYS),
        min_length=1,
        max_length=len(WEEKDAYS),
        description="The days on which it begins, mon to sun; all of them.",
    )
    from_: WallTime = Field(default="00:00", alias="from", description="When it begins; at midnight.")
    to: WallTime = Field(
        default="24:00", description="When it ends, on the next day if not after from; at midnight."
    )
    zone: ZoneName = Field(default=None, description="IANA zone of the clock; none for naive_timezone.")

    @model_validator(mode="after")
    def _check_begin(self) -> Self:
        if self.from_ == "24:00":
            raise ValueError(
                "from should be before 24:00; what begins then begins at 00:00 of the next day"
            )
        return self

    @model_serializer(mode="wrap")
    def _as_written(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {"from" if name == "from_" else name: one for name, one in serialize(self).items()}

    @property
    def minutes(self) -> tuple[int, int]:
        """Begin and end, in minutes from the midnight with which its day begins."""
        begin, end = (int(one[:2]) * 60 + int(one[3:]) for one in (self.from_, self.to))
        return begin, end if end > begin else end + _DAY_MINUTES


class AlertRoute(_Members):
    """Who is told of some of the alerts."""

    channels: list[Annotated[str, AfterValidator(_way)]] = Field(
        min_length=1,
        max_length=_MAX_CHANNELS,
        description="Channels, each with all of its recipients, or channel:recipient for one.",
    )
    at_least: LevelSetting = Field(
        default=EventLogLevel.NOTSET, description="The lowest severity; none for every one."
    )
    rules: Patterns = Field(
        default_factory=list, description="Rules, * at the end of a name for all alike; none for all."
    )
    during: AlertTimes | None = Field(default=None, description="When; none for always.")


class QuietHours(_Members):
    """Times in which only what is serious is told at once; the rest waits until they end."""

    during: AlertTimes = Field(description="When it is quiet.")
    below: LevelSetting = Field(
        default=EventLogLevel.CRITICAL,
        description="Severity from which on people are told nevertheless; critical.",
    )


class Maintenance(_Members):
    """A time of planned work: nobody is told of what happens in it."""

    start: Instant = Field(description="When it begins.")
    end: Instant = Field(description="When it ends; a date without a time is still part of it.")
    zone: ZoneName = Field(
        default=None, description="IANA zone of times without an offset; none for naive_timezone."
    )
    rules: Patterns = Field(
        default_factory=list, description="Rules that it silences, * at the end; none for all."
    )
    nodes: Patterns = Field(
        default_factory=list,
        description="Ids of the nodes that are worked on, * at the end; none for all.",
    )

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        # Where one of the times has an offset and the other waits for its zone, nobody can tell yet.
        zones = [self.zone] if self.zone else ["Etc/GMT+12", "Etc/GMT-14"]
        if not any(begin < end for begin, end in map(self.between, map(zone_named, zones))):
            raise ValueError("it should end after it begins")
        return self

    def between(self, default_zone: tzinfo | None) -> tuple[int, int]:
        """Return its first instant and the first one after it, in microseconds since 1970."""
        zone = zone_named(self.zone) if self.zone else default_zone
        return parse_instant(self.start, zone), _behind(self.end, zone)


def _behind(text: str, zone: tzinfo | None) -> int:
    span = read_asked_time(text, zone)
    return span.last + (span.first < span.last)


def is_among(name: str, patterns: Iterable[str]) -> bool:
    """Tell whether one of the patterns stands for a name."""
    return any(name.startswith(one[:-1]) if one.endswith("*") else name == one for one in patterns)
