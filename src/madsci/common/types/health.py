"""How an Event Manager is."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


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
            }
        },
    )

    healthy: bool = Field(True, description="Whether events are taken and found.")
    description: str | None = Field(None, description="The state in a sentence.")
    version: str | None = Field(None, description="The version of the server.")
    db_connected: bool | None = Field(None, description="Whether the event store can be read.")
    total_events: int | None = Field(None, description="Events stored; null when that is not known.")
    queued_events: int | None = Field(None, description="Events that wait to be written.")
    store: str | None = Field(None, description="The engine of the event store.")
    otel_enabled: bool | None = None
    otel_exporter_type: str | None = None
    otel_endpoint: str | None = None
