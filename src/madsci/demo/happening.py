"""Something that happened in a simulated lab, as its parts tell it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from madsci.common.clock import from_us
from madsci.common.types.event_type import EventType

INFO: Final = 20
WARNING: Final = 30
ERROR: Final = 40

_ENDS: Final = {
    EventType.ACTION_COMPLETE: "action_id",
    EventType.ACTION_FAILED: "action_id",
    EventType.WORKFLOW_STEP_COMPLETE: "step_id",
    EventType.WORKFLOW_STEP_FAILED: "step_id",
    EventType.WORKFLOW_COMPLETE: "workflow_id",
    EventType.WORKFLOW_ABORT: "workflow_id",
    EventType.EXPERIMENT_COMPLETE: "experiment_id",
    EventType.EXPERIMENT_FAILED: "experiment_id",
    EventType.EXPERIMENT_CANCELLED: "experiment_id",
}
"""What tells the end of something, and the name of that thing's id."""


@dataclass(frozen=True)
class Happening:
    """An event before it is sent; ``at`` is in microseconds since 1970. Data are not to be changed."""

    at: int
    event_type: EventType
    source: dict[str, str]
    data: dict[str, Any]
    level: int
    event_id: str

    def as_event(self) -> dict[str, Any]:
        """Return the event as an object of JSON, as ``POST /events`` takes it."""
        return {
            "event_id": self.event_id,
            "event_type": self.event_type.value,
            "event_timestamp": from_us(self.at).isoformat(timespec="microseconds"),
            "log_level": self.level,
            "source": dict(self.source),
            "event_data": dict(self.data),
        }

    def ended_id(self) -> str | None:
        """Return the id of the action, step, workflow or experiment whose end this tells, if any."""
        name = _ENDS.get(self.event_type)
        is_change = self.event_type is EventType.ACTION_STATUS_CHANGE
        if is_change and self.data["status"] != "running":
            name = "action_id"
        if name is None:
            return None
        found = self.source.get(name) or self.data[name]
        return str(found)
