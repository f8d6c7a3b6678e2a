"""When which people are told of alerts, as it stands in settings."""

from __future__ import annotations

import re
from datetime import time
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from typing_extensions import Self

from madsci.common.clock import parse_instant, zone_named
from madsci.common.errors import SettingsError
from madsci.common.nearest import did_you_mean
from madsci.common.settings import LevelSetting
from madsci.common.types.log_level import EventLogLevel

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_TIME: Final = re.compile(r"\s*(\d{1,2}):(\d{2})\s*", re.ASCII)
_STRICT: Final = ConfigDict(
    extra="forbid", frozen=True, hide_input_in_errors=True, populate_by_name=True
)


def _day(value: Any) -> str:
    day = str(value).strip().lower()[:3]
    if day not in DAYS:
        raise ValueError(f"it should be one of {', '.join(DAYS)}.{did_you_mean(str(value), DAYS)}")
    return day


def _time_of_day(value: Any) -> time:
    if isinstance(value, time):
        return value
    if isinstance(value, int) and not isinstance(value, bool):  # YAML 1.1 reads 22:00 as a number
        value = f"{value // 60}:{value % 60:02}"
    found = _TIME.fullmatch(str(value))
    hour, minute = (int(found[1]), int(found[2])) if found else (99, 0)
    if (hour, minute) == (24, 0):
        return time(0)
    if hour > 23 or minute > 59:  # noqa: PLR2004 - of clocks
        raise ValueError("it should be a time of the day such as 22:00")
    return time(hour, minute)


def _zone(name: str | None) -> str | None:
    try:
        zone_named(name)
    except SettingsError as error:
        raise ValueError(error.message.rstrip(".")) from error
    return name


Day = Annotated[str, BeforeValidator(_day)]
TimeOfDay = Annotated[time, BeforeValidator(_time_of_day)]
Zone = Annotated[str | None, AfterValidator(_zone)]


class AlertTimes(BaseModel):
    """A part of each of some days; it may pass midnight, and then belongs to the day it begins on."""

    model_config = _STRICT

    days: list[Day] = Field(
        default_factory=lambda: list(DAYS), min_length=1, description="mon to sun; every day."
    )
    start: TimeOfDay = Field(default=time(0), alias="from", description="When it begins; 00:00.")
    end: TimeOfDay = Field(default=time(0), alias="to", description="When it ends; 24:00.")
    zone: Zone = Field(default=None, description="IANA zone; none for naive_timezone.")


class AlertRoute(BaseModel):
    """Who is told of some of the alerts. Whoever is on any route that fits is told, once."""

    model_config = _STRICT

    channels: list[str] = Field(
        min_length=1, description="Names of channels, or a recipient of one: email:anna@lab.org."
    )
    at_least: LevelSetting = Field(
        default=EventLogLevel.NOTSET, description="The lowest severity of which they are told."
    )
    rules: list[str] = Field(
        default_factory=list, description="Names of rules, * at the end for all that begin so; all."
    )
    during: AlertTimes | None = Field(default=None, description="When it holds; always.")


class QuietHours(BaseModel):
    """A time in which people are told of what matters only; of the rest when it is over."""

    model_config = _STRICT

    during: AlertTimes = Field(description="When it is quiet.")
    below: LevelSetting = Field(
        default=EventLogLevel.CRITICAL, description="What is less severe than this waits."
    )


class Maintenance(BaseModel):
    """A time in which nobody is told, since somebody works there. Alerts are there to be read."""

    model_config = _STRICT

    start: str = Field(alias="from", description="When it begins, in any form of ISO 8601.")
    end: str = Field(alias="to", description="When it ends.")
    rules: list[str] = Field(default_factory=list, description="Of which rules; all.")
    nodes: list[str] = Field(default_factory=list, description="At which nodes; all.")

    @model_validator(mode="before")
    @classmethod
    def _as_text(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {  # YAML reads a time as one
            name: str(one) if name in ("from", "to", "start", "end") else one
            for name, one in value.items()
        }

    @model_validator(mode="after")
    def _check_times(self) -> Self:
        for name, text in (("from", self.start), ("to", self.end)):
            try:
                parse_instant(text)
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from error
        return self
