"""The import path under which programs know the event types; each comes from its own module."""

from madsci.common.types.event import Event
from madsci.common.types.event_type import EVENT_TYPE_DESCRIPTIONS, EventType
from madsci.common.types.log_level import EventLogLevel

__all__ = [
    "EVENT_TYPE_DESCRIPTIONS",
    "Event",
    "EventLogLevel",
    "EventType",
]
