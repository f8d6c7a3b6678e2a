"""The import path under which programs know the event types; each comes from its own module."""

from madsci.common.context.event_context import EventClientContext
from madsci.common.types.alerts import EmailAlertsConfig
from madsci.common.types.client_config import EventClientConfig
from madsci.common.types.event import Event
from madsci.common.types.event_type import EVENT_TYPE_DESCRIPTIONS, EventType
from madsci.common.types.health import EventManagerHealth
from madsci.common.types.log_level import EventLogLevel
from madsci.common.types.manager_settings import EventManagerDefinition, EventManagerSettings
from madsci.common.types.utilization import NodeUtilizationData, SystemUtilizationData

__all__ = [
    "EVENT_TYPE_DESCRIPTIONS",
    "EmailAlertsConfig",
    "Event",
    "EventClientConfig",
    "EventClientContext",
    "EventLogLevel",
    "EventManagerDefinition",
    "EventManagerHealth",
    "EventManagerSettings",
    "EventType",
    "NodeUtilizationData",
    "SystemUtilizationData",
]
