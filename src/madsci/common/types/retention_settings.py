"""The settings of an Event Manager about how long it keeps events."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from typing_extensions import Self

from madsci.common.nearest import nearest
from madsci.common.settings import LevelSetting, SettingTraits
from madsci.common.types.event_type import EventType


def _event_type(value: Any) -> EventType:
    try:
        return EventType(value)
    except ValueError:
        meant = nearest(str(value), [kind.value for kind in EventType])
        rest = f", perhaps {meant}" if meant else ""
        raise ValueError(f"it should be a type of events{rest}; the reference lists them") from None


EventTypeSetting = Annotated[EventType, BeforeValidator(_event_type)]
_DAYS = SettingTraits(unit="days")
_MAX_RULES: Final = 20
"""All of them stand in one question to the store, each with those before it."""


class RetentionRule(BaseModel):
    """How long some of the events are kept: those of the types, and of the levels, that it names."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    event_types: list[EventTypeSetting] | None = Field(
        default=None, min_length=1, description="The types it is about; none for every type."
    )
    min_level: LevelSetting | None = Field(
        default=None, description="The lowest level it is about; none for every level."
    )
    levels: list[LevelSetting] | None = Field(
        default=None, min_length=1, description="The levels it is about, instead of the lowest one."
    )
    archive_after_days: float | None = Field(
        default=None,
        ge=0,
        allow_inf_nan=False,
        description="Age at which they are archived; none for never.",
    )
    delete_after_days: float | None = Field(
        default=None,
        ge=0,
        allow_inf_nan=False,
        description="Days from archiving to deleting; none for never.",
    )

    @model_validator(mode="after")
    def _check_levels(self) -> Self:
        if self.min_level is not None and self.levels is not None:
            raise ValueError("it should have min_level or levels, not both")
        return self


def _selectors(value: Any) -> Any:
    listed = [] if value is None else [value] if isinstance(value, dict) else value
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        raise ValueError("it should be a selector (an object), or a list of selectors")
    return listed


class RetentionSettings(BaseModel):
    """What ``EventManagerSettings`` has about archiving and deleting."""

    retention_enabled: bool = Field(
        default=False,
        description="Archive and delete old events; off, since nothing is lost unasked.",
    )
    soft_delete_after_days: Annotated[int, _DAYS] = Field(
        default=90,
        ge=1,
        description="Age at which events are archived that no rule is about; a quarter.",
    )
    hard_delete_after_days: Annotated[int, _DAYS] = Field(
        default=365, ge=1, description="Time from archiving to deleting; a year, to think better of it."
    )
    retention_rules: list[RetentionRule] = Field(
        default_factory=list,
        max_length=_MAX_RULES,
        description="Times for types and levels of events; the first rule that is about one decides.",
    )
    legal_hold: Annotated[list[dict[str, Any]], BeforeValidator(_selectors)] = Field(
        default_factory=list,
        description="Selectors of events that are never deleted, by nobody; of none by default.",
    )
    retention_check_interval_hours: Annotated[int, SettingTraits(unit="hours")] = Field(
        default=24, ge=1, description="Time between two runs; one a day."
    )
    archive_batch_size: Annotated[int, SettingTraits(unit="events")] = Field(
        default=1000,
        ge=1,
        description="Events changed at once, at most 10,000; writers wait some 20 ms.",
    )
    max_batches_per_run: Annotated[int, SettingTraits(unit="batches")] = Field(
        default=100,
        ge=0,
        description="Batches archived, and deleted, in one run; 0 for all, else the next run goes on.",
    )
    fail_on_retention_error: bool = Field(
        default=False,
        description="Leave a run that failed until the server is restarted; off: most causes pass.",
    )
