"""The import path under which programs know the event types; each comes from its own module."""

from madsci.common.types.alerts import EmailAlertsConfig
from madsci.common.types.client_config import EventClientConfig
from madsci.common.types.event import Event
from madsci.common.types.event_type import EVENT_TYPE_DESCRIPTIONS, EventType
from madsci.common.types.log_level import EventLogLevel
from madsci.common.types.manager_settings import EventManagerDefinition, EventManagerSettings

__all__ = [
    "EVENT_TYPE_DESCRIPTIONS",
    "EmailAlertsConfig",
    "Event",
    "EventClientConfig",
    "EventLogLevel",
    "EventManagerDefinition",
    "EventManagerSettings",
    "EventType",
]
