"""How an Event Manager is."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class TaskHealth(BaseModel):
    """How it stands with something that the server does by itself from time to time."""

    model_config = ConfigDict(extra="allow")

    name: str = Field(description="What is done: `retention`, `backup`.")
    running: bool = Field(default=False, description="Whether it is being done now, by this server.")
    ended: bool = Field(default=False, description="Whether it failed and is not tried again.")
    last_start: str | None = Field(
        default=None, description="When this server began with it last; null if never since its start."
    )
    last_outcome: str | None = Field(
        default=None, description="`done`, `failed`, `interrupted`, or `held` back."
    )
    failures: int = Field(default=0, description="How often it failed since it was last done.")
    detail: str | None = Field(default=None, description="Why it failed, or is held back.")
    next_start: str | None = Field(default=None, description="When it is tried next.")


class FollowerHealth(BaseModel):
    """How far something is that concludes from the events what people see, hear and count."""

    model_config = ConfigDict(extra="allow")

    name: str = Field(description="Which one.")
    lag: int | None = Field(
        default=None,
        description="Events that it has still to read; null while another server has it go on.",
    )
    missed: int = Field(
        default=0, description="Events that were deleted before it read them, since this start."
    )
    failing_since: str | None = Field(default=None, description="Since when it does not go on.")
    event_id: str | None = Field(default=None, description="The event at which it fails.")
    detail: str | None = Field(default=None, description="Why it fails.")


class ChannelHealth(BaseModel):
    """A channel over which people are told of alerts, as this server knows it."""

    name: str
    waiting: int = Field(description="Messages that wait to be sent.")
    delivered: int = Field(description="Messages sent since the start.")
    given_up: int = Field(description="Messages that could not be sent and are not tried any more.")
    failing_since: str | None = Field(default=None, description="Null while it works.")
    detail: str | None = Field(default=None, description="Why it fails.")
    next_try_at: str | None = Field(default=None, description="When it is tried again.")


class EventManagerHealth(BaseModel):
    """The answer of ``GET /health``. Members of other releases are kept."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "example": {
                "healthy": True,
                "description": "Event Manager is running normally",
                "version": "0.9.0",
                "db_connected": True,
                "total_events": 12,
                "queued_events": 0,
                "troubles": [],
                "warnings": [],
                "free_bytes": 48_000_000_000,
                "store_bytes": 420_000_000,
                "bytes_per_day": 35_000_000,
                "days_left": 1371.4,
                "age_seconds": 0.002,
            }
        },
    )

    healthy: bool = Field(
        default=True, description="Whether events are taken and found, and the tasks are done."
    )
    description: str | None = Field(default=None, description="The state in a sentence.")
    version: str | None = Field(default=None, description="The version of the server.")
    db_connected: bool | None = Field(default=None, description="Whether the event store can be read.")
    total_events: int | None = Field(
        default=None, description="Events stored; null when that is not known."
    )
    damaged_events: int | None = Field(
        default=None, description="Events that are damaged on disk, and left out of every answer."
    )
    queued_events: int | None = Field(default=None, description="Events that wait to be written.")
    store: str | None = Field(default=None, description="The engine of the event store.")
    tasks: list[TaskHealth] | None = Field(default=None, description="What the server does by itself.")
    followers: list[FollowerHealth] | None = Field(
        default=None, description="How far those are who follow the events; null where nobody does."
    )
    alert_channels: list[ChannelHealth] | None = Field(
        default=None, description="How people are told of alerts; null where nobody is."
    )
    troubles: list[str] | None = Field(
        default=None, description="A sentence for each thing that makes the server unhealthy."
    )
    warnings: list[str] | None = Field(
        default=None, description="A sentence for each thing that will, or that somebody should see to."
    )
    free_bytes: int | None = Field(
        default=None, description="What is free on the disk of the event store; null if not known."
    )
    store_bytes: int | None = Field(
        default=None, description="What the events take, without what was deleted."
    )
    bytes_per_day: int | None = Field(
        default=None,
        description="Growth over the last day, or since the start; null in the first ten minutes.",
    )
    days_left: float | None = Field(
        default=None, description="When the disk is full at that growth; null if never."
    )
    age_seconds: float | None = Field(
        default=None,
        description="How long ago the store was looked at; more than a second if it hangs.",
    )
    otel_enabled: bool | None = None
    otel_exporter_type: str | None = None
    otel_endpoint: str | None = None
