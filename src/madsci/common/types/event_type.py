"""The kinds of events, with their meanings."""

from __future__ import annotations

from enum import Enum
from typing import Final

from typing_extensions import Self


class EventType(str, Enum):
    """What an event tells. The value is lower case on the wire; any letter case is read."""

    meaning: str

    def __new__(cls, value: str, meaning: str = "") -> Self:
        """Make a member from its wire value and what it means."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        return member

    UNKNOWN = "unknown", "no type was given"
    TEST = "test", "test traffic"

    LOG = "log", "a log line of unspecified level"
    LOG_DEBUG = "log_debug", "a log line at debug level"
    LOG_INFO = "log_info", "a log line at info level"
    LOG_WARNING = "log_warning", "a log line at warning level"
    LOG_ERROR = "log_error", "a log line at error level"
    LOG_CRITICAL = "log_critical", "a log line at critical level"

    LAB_CREATE = "lab_create", "a lab was defined"
    LAB_START = "lab_start", "a lab came up; opens a session"
    LAB_STOP = "lab_stop", "a lab went down; closes its session"

    NODE_CREATE = "node_create", "an instrument node was registered"
    NODE_START = "node_start", "a node came up"
    NODE_STOP = "node_stop", "a node went down"
    NODE_CONFIG_UPDATE = "node_config_update", "the configuration of a node changed"
    NODE_STATUS_UPDATE = "node_status_update", "the status of a node changed"
    NODE_ERROR = "node_error", "a node reported a fault"

    WORKCELL_CREATE = "workcell_create", "a workcell was defined"
    WORKCELL_START = "workcell_start", "a workcell came up; opens a session"
    WORKCELL_STOP = "workcell_stop", "a workcell went down; closes its session"
    WORKCELL_CONFIG_UPDATE = "workcell_config_update", "the configuration of a workcell changed"
    WORKCELL_STATUS_UPDATE = "workcell_status_update", "the status of a workcell changed"

    WORKFLOW_CREATE = "workflow_create", "a workflow was queued"
    WORKFLOW_START = "workflow_start", "a workflow began"
    WORKFLOW_COMPLETE = "workflow_complete", "a workflow ended"
    WORKFLOW_ABORT = "workflow_abort", "a workflow was aborted"
    WORKFLOW_STEP_START = "workflow_step_start", "a step of a workflow began"
    WORKFLOW_STEP_COMPLETE = "workflow_step_complete", "a step of a workflow ended well"
    WORKFLOW_STEP_FAILED = "workflow_step_failed", "a step of a workflow failed"

    EXPERIMENT_CREATE = "experiment_create", "an experiment was defined"
    EXPERIMENT_START = "experiment_start", "an experiment began"
    EXPERIMENT_COMPLETE = "experiment_complete", "an experiment ended"
    EXPERIMENT_FAILED = "experiment_failed", "an experiment failed"
    EXPERIMENT_CANCELLED = "experiment_cancelled", "an experiment was cancelled"
    EXPERIMENT_PAUSE = "experiment_pause", "an experiment was paused"
    EXPERIMENT_CONTINUED = "experiment_continued", "a paused experiment went on"

    CAMPAIGN_CREATE = "campaign_create", "a campaign was defined"
    CAMPAIGN_START = "campaign_start", "a campaign began"
    CAMPAIGN_COMPLETE = "campaign_complete", "a campaign ended"
    CAMPAIGN_ABORT = "campaign_abort", "a campaign was aborted"

    ACTION_STATUS_CHANGE = "action_status_change", "an action moved to another status"
    ACTION_START = "action_start", "an action began"
    ACTION_COMPLETE = "action_complete", "an action ended well"
    ACTION_FAILED = "action_failed", "an action failed"

    RESOURCE_CREATE = "resource_create", "a resource entered the inventory"
    RESOURCE_UPDATE = "resource_update", "a resource changed"
    RESOURCE_DELETE = "resource_delete", "a resource left the inventory"
    RESOURCE_ALLOCATE = "resource_allocate", "a resource was reserved"
    RESOURCE_RELEASE = "resource_release", "a reservation was given back"

    LOCATION_CREATE = "location_create", "a location was defined"
    LOCATION_UPDATE = "location_update", "a location changed"
    LOCATION_DELETE = "location_delete", "a location was removed"

    ATTACHMENT_CREATE = "attachment_create", "a resource was placed at a location"
    ATTACHMENT_DELETE = "attachment_delete", "a resource was taken from a location"

    DATA_STORE = "data_store", "data were written"
    DATA_QUERY = "data_query", "data were read"
    DATA_EXPORT = "data_export", "data were exported"

    MANAGER_START = "manager_start", "a service came up"
    MANAGER_STOP = "manager_stop", "a service went down"
    MANAGER_ERROR = "manager_error", "a service reported a fault"
    MANAGER_HEALTH_CHECK = "manager_health_check", "a service reported its health"

    BACKUP_CREATE = "backup_create", "a backup of a database was made"
    BACKUP_RESTORE = "backup_restore", "a backup of a database was restored"

    @classmethod
    def _missing_(cls, value: object) -> EventType | None:
        if not isinstance(value, str):
            return None
        name = value.strip().lower().removeprefix("eventtype.")
        name = _FORMER_VALUES.get(name, name)
        return cls._value2member_map_.get(name)  # type: ignore[return-value]

    def __str__(self) -> str:
        return str(self.value)

    @property
    def is_log(self) -> bool:
        """Whether this is a log line or no type at all, rather than a fact of the lab's life."""
        return self is EventType.UNKNOWN or self.value.startswith("log")


# Written by releases before 0.7 for a cancelled experiment.
_FORMER_VALUES: Final = {"experiment_stop": "experiment_cancelled"}

EVENT_TYPE_DESCRIPTIONS: Final[dict[EventType, str]] = {kind: kind.meaning for kind in EventType}
