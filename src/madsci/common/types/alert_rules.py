"""Rules of alerts, as people write them in settings and send them to the server."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Any, Final

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Strict,
    WithJsonSchema,
    model_validator,
)
from typing_extensions import Self

from madsci.common.lengths import MAX_SECONDS, read_length
from madsci.common.nearest import did_you_mean
from madsci.common.settings import LevelSetting
from madsci.common.types.log_level import EventLogLevel

MAX_COUNT: Final = 1_000
"""The greatest number that a rule of a rate may have: the times of so many events are kept."""
_MAX_PATHS: Final = 5


Length = Annotated[
    float,
    BeforeValidator(read_length),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "exclusiveMinimum": 0, "maximum": MAX_SECONDS},
                {"type": "string", "pattern": "^[1-9][0-9]{0,1}(s|m|h|d)$"},
            ],
            "examples": ["10m", 90],
        }
    ),
]
"""A length of time; seconds, once it is read."""


class RuleKind(str, Enum):
    """What has to happen for a rule to fire."""

    MATCH = "match"
    """An event comes that matches."""
    RATE = "rate"
    """More than so many of them come within a time."""
    ABSENCE = "absence"
    """None of them comes for a time."""
    UNFINISHED = "unfinished"
    """What one of them began is not ended within a time."""
    STUCK = "stuck"
    """What one of them began takes far longer than the like of it took before."""


def _kind(value: Any) -> Any:
    if isinstance(value, str) and value not in RuleKind._value2member_map_:
        known = [one.value for one in RuleKind]
        raise ValueError(f"it should be one of {', '.join(known)}.{did_you_mean(value, known)}")
    return value


def _paths(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Paths = Annotated[
    list[str],
    BeforeValidator(_paths),
    Field(max_length=_MAX_PATHS),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string"},
                {"type": "array", "items": {"type": "string"}, "maxItems": _MAX_PATHS},
            ]
        }
    ),
]
Kind = Annotated[
    RuleKind,
    BeforeValidator(_kind),
    WithJsonSchema({"enum": [one.value for one in RuleKind], "type": "string"}),
]
Severity = Annotated[
    LevelSetting,
    WithJsonSchema({"enum": [*map(int, EventLogLevel), *EventLogLevel.__members__]}),
]
_ASKED: Final = {
    RuleKind.MATCH: (),
    RuleKind.RATE: ("more_than", "within"),
    RuleKind.ABSENCE: ("within",),
    RuleKind.UNFINISHED: ("ended_by", "same", "within"),
    RuleKind.STUCK: ("ended_by", "same"),
}
"""What a rule has to say, beside its selector."""
_OF_KINDS: Final = {
    "more_than": {RuleKind.RATE},
    "within": {RuleKind.RATE, RuleKind.ABSENCE, RuleKind.UNFINISHED},
    "same": {RuleKind.UNFINISHED, RuleKind.STUCK},
    "times": {RuleKind.STUCK},
    "at_least": {RuleKind.STUCK},
    "alike": {RuleKind.STUCK},
    "resolve_after": {RuleKind.MATCH, RuleKind.RATE},
    "ended_by": {RuleKind.MATCH, RuleKind.UNFINISHED, RuleKind.STUCK},
}
"""What only rules of some kinds may say."""


class AlertRule(BaseModel):
    """When people are to be told of something."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    name: str = Field(
        pattern=r"^[a-z0-9][a-z0-9_-]{0,59}$",
        description="Identifies the rule: small letters, digits, - and _.",
    )
    kind: Kind = Field(default=RuleKind.MATCH, description="match, rate, absence, unfinished or stuck.")
    enabled: Annotated[bool, Strict()] = Field(default=True, description="Whether it is looked at.")
    description: str | None = Field(default=None, max_length=1_000, description="For people.")
    selector: dict[str, Any] = Field(description="The events that it is about.")
    severity: Severity | None = Field(
        default=None, description="How much it matters, as a level; none for that of the event."
    )
    group_by: Paths = Field(
        default=["node"],
        description=(
            "What events of one alert have in common: paths, or node, workflow, experiment, action,"
            " sender, type, message."
        ),
    )
    more_than: Annotated[int, Strict()] | None = Field(
        default=None, ge=0, le=MAX_COUNT, description="rate: fires when more come than this."
    )
    within: Length | None = Field(
        default=None, description="rate, absence, unfinished: the time in which they are waited for."
    )
    ended_by: dict[str, Any] | None = Field(
        default=None, description="unfinished, stuck: the events that end it; match: that clear it."
    )
    same: Paths | None = Field(
        default=None, description="unfinished, stuck: what its first and its last event share."
    )
    times: Annotated[float, Strict()] | None = Field(
        default=None,
        gt=1,
        le=1_000,
        allow_inf_nan=False,
        description="stuck: so many times as long as 99 of 100 took before; 3.",
    )
    at_least: Length | None = Field(
        default=None, description="stuck: what takes less never fires; one minute."
    )
    alike: Paths | None = Field(
        default=None, description="stuck: whose times are compared; node and action."
    )
    summarize_after: Length = Field(
        default=300.0, description="When people hear what came since the first notice, if anything did."
    )
    repeat_after: Length = Field(
        default=3_600.0, description="When they hear it again, while it goes on."
    )
    resolve_after: Length | None = Field(
        default=None,
        description="match, rate: it is over when nothing came for so long; 15 minutes, or `within`.",
    )

    @model_validator(mode="after")
    def _check_kind(self) -> Self:
        kind = self.kind.value
        for name in _ASKED[self.kind]:
            if getattr(self, name) is None:
                raise ValueError(f"a rule of the kind {kind} needs {name}")
        for name, kinds in _OF_KINDS.items():
            if getattr(self, name) is not None and self.kind not in kinds:
                known = " or ".join(sorted(one.value for one in kinds))
                raise ValueError(f"{name} is for rules of the kind {known}, and this one is {kind}")
        return self
