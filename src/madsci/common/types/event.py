"""The event: one fact that a component of the lab reports."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import (
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    PlainSerializer,
    model_validator,
)

from madsci.common.clock import from_us, iso, parse_instant, to_us, utc_now
from madsci.common.ids import new_ulid
from madsci.common.ownership import get_current_ownership_info
from madsci.common.types.event_reading import EventReading, read_event
from madsci.common.types.event_type import EventType
from madsci.common.types.log_level import EventLogLevel
from madsci.common.types.ownership import OwnershipInfo
from madsci.common.types.sender import Sender

Instant = Annotated[
    datetime,
    BeforeValidator(lambda value: from_us(parse_instant(value))),
    PlainSerializer(lambda moment: iso(to_us(moment)), return_type=str, when_used="json"),
]
"""An aware UTC datetime, read from any usual form of a time; naive input is in this machine's zone."""

_EXAMPLE: dict[str, JsonValue] = {
    "_id": "01M84HX3CTDS9P8A5QKCMA1TVT",
    "event_id": "01M84HX3CTDS9P8A5QKCMA1TVT",
    "event_type": "workflow_complete",
    "log_level": 20,
    "alert": False,
    "event_timestamp": "2026-11-23T15:55:27.002393Z",
    "source": {"node_id": "01JJ4S0WNGEF5FQAZG5KDGJRBV"},
    "event_data": {"message": "Workflow completed", "workflow_id": "wf-123", "duration_ms": 1500},
    "trace_id": None,
    "span_id": None,
    "archived": False,
    "archived_at": None,
    "received_at": "2026-11-23T15:55:27.010211Z",
    "sender": {"name": "plate_handler", "host": "robot-3", "process": 4711},
}


class Event(BaseModel):  # noqa: PLW1641 - events can be changed, so they have no hash
    """An event as programs write and read it.

    Serialises ``event_id`` by name and ``_id`` by alias; reads either, and ``_id`` wins. Members that
    events do not have are kept in ``extra``. Two events are equal when all but ``received_at`` and
    ``sender`` is, so that one that comes back from the server equals the one that was sent.
    """

    model_config = ConfigDict(
        populate_by_name=True,
        validate_assignment=True,
        ser_json_inf_nan="strings",
        json_schema_extra={"example": _EXAMPLE},
    )

    event_id: str = Field(
        default_factory=new_ulid,
        validation_alias=AliasChoices("_id", "event_id"),
        serialization_alias="_id",
        description="Identifies the event; made by the sender, so that sending twice stores once.",
    )
    event_type: EventType = Field(default=EventType.UNKNOWN, description="What the event tells.")
    log_level: EventLogLevel = Field(default=EventLogLevel.INFO, description="How much it matters.")
    alert: bool = Field(default=False, description="Alert people, whatever the level.")
    event_timestamp: Instant = Field(
        default_factory=utc_now, description="When it happened, by the sender's clock, in UTC."
    )
    source: OwnershipInfo = Field(
        default_factory=get_current_ownership_info,
        description="Ids of the parts of the lab it belongs to.",
    )
    event_data: Any = Field(default_factory=dict, description="Any JSON value.")
    trace_id: str | None = Field(default=None, description="W3C trace id: 32 hex digits.")
    span_id: str | None = Field(default=None, description="W3C span id: 16 hex digits.")
    archived: bool = Field(default=False, description="Put aside by retention.")
    archived_at: Instant | None = Field(default=None, description="When it was archived.")
    received_at: Instant | None = Field(
        default=None, description="When the server took it, by its clock."
    )
    sender: Sender | None = Field(default=None, description="The program that made it.")
    extra: dict[str, Any] = Field(
        default_factory=dict,
        description="What the sender wrote that has no place of its own.",
    )

    if TYPE_CHECKING:  # wider than the members: what is given is read

        def __init__(  # noqa: PLR0913 - the members of an event
            self,
            *,
            event_id: str = ...,
            event_type: EventType | str = ...,
            log_level: EventLogLevel | int | str = ...,
            alert: bool = ...,
            event_timestamp: datetime | str | float = ...,
            source: OwnershipInfo | Mapping[str, Any] = ...,
            sender: Sender | Mapping[str, Any] | str | None = ...,
            event_data: Any = ...,
            trace_id: str | None = ...,
            span_id: str | None = ...,
            archived: bool = ...,
            archived_at: datetime | str | float | None = ...,
            received_at: datetime | str | float | None = ...,
            extra: Mapping[str, Any] = ...,
        ) -> None: ...

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Event) or type(other) is not type(self):
            return NotImplemented
        return _as_sent(self) == _as_sent(other)

    @model_validator(mode="before")
    @classmethod
    def _keep_unknown_members(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        known = cls.model_fields
        unknown = {name: value for name, value in data.items() if name not in known}
        unknown.pop("_id", None)
        if not unknown:
            return data
        rest = {name: value for name, value in data.items() if name not in unknown}
        extra = data.get("extra") or {}
        if not isinstance(extra, Mapping):
            return data  # the field itself says what is wrong
        return {**rest, "extra": {**extra, **unknown}}

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Event:
        """Read a document from any release of an Event Manager, repairing what cannot be read.

        Raises:
            InvalidEventError: the document is not an event in any reading.
        """
        return event_from_reading(read_event(document))


_ON_THE_WAY: Final = frozenset({"received_at", "sender"})
"""Members that an event gets after it was made."""


def _as_sent(event: Event) -> dict[str, Any]:
    return {name: value for name, value in vars(event).items() if name not in _ON_THE_WAY}


def event_from_reading(reading: EventReading) -> Event:
    """Make the event of a reading; a missing time becomes the present."""
    moment = reading.event_timestamp
    return Event(
        event_id=reading.event_id,
        event_type=reading.event_type,
        log_level=reading.log_level,
        alert=reading.alert,
        event_timestamp=utc_now() if moment is None else from_us(moment),
        source=OwnershipInfo(**(reading.source or {})),
        sender=None if reading.sender is None else Sender(**reading.sender),
        event_data=reading.event_data,
        trace_id=reading.trace_id,
        span_id=reading.span_id,
        archived=reading.archived,
        archived_at=None if reading.archived_at is None else from_us(reading.archived_at),
        received_at=None if reading.received_at is None else from_us(reading.received_at),
        extra=reading.extra,
    )
