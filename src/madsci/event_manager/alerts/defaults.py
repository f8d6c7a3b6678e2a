"""The rules of a server that has no others: what a lab wants to know without saying so."""

from __future__ import annotations

from typing import Any, Final

from madsci.common.types.alert_rules import AlertRule, RuleKind
from madsci.common.types.log_level import EventLogLevel

_RUNNING: Final = ["running", "started", "in_progress"]
_ENDED: Final = ["completed", "failed", "cancelled", "finished", "succeeded"]
_WAITING: Final = ["paused", "waiting", "waiting_for_user", "waiting_for_operator"]
_HELD_UP: Final = ["workflow_step_failed", "experiment_pause"]
_GOES_ON: Final = [
    "experiment_continued", "experiment_complete", "experiment_failed", "experiment_cancelled",
    "workflow_step_start", "workflow_step_complete", "workflow_complete", "workflow_abort",
]  # fmt: skip


def default_rules(alert_level: int) -> list[AlertRule]:
    """Return them; events from ``alert_level`` on alert people, and those that ask for it."""
    at_level: dict[str, Any] = {"$or": [{"log_level": {"$gte": alert_level}}, {"alert": True}]}
    return [
        AlertRule(name="alerts", selector=at_level),
        AlertRule(
            name="needs-a-human",
            description="It waits for somebody.",
            severity=EventLogLevel.ERROR,
            group_by=["workflow", "experiment", "node"],
            selector={
                "$or": [
                    {"event_type": {"$in": _HELD_UP}},
                    {"event_data.status": {"$in": _WAITING}},
                    {"event_data.status.paused": True},
                ],
                "$nor": [at_level],  # of which people hear anyway
            },
            ended_by={
                "$or": [
                    {"event_type": {"$in": _GOES_ON}},
                    {"event_data.status": {"$in": [*_RUNNING, *_ENDED]}},
                ]
            },
        ),
        AlertRule(
            name="stuck-actions",
            kind=RuleKind.STUCK,
            severity=EventLogLevel.ERROR,
            selector=_of("action_start", _RUNNING),
            ended_by={
                "$or": [
                    {"event_type": {"$in": ["action_complete", "action_failed"]}},
                    _changed(_ENDED),
                ]
            },
            same=["action"],
            alike=["node", "action_name"],
        ),
        AlertRule(
            name="stuck-workflows",
            kind=RuleKind.STUCK,
            severity=EventLogLevel.ERROR,
            selector={"event_type": "workflow_start"},
            ended_by={"event_type": {"$in": ["workflow_complete", "workflow_abort"]}},
            same=["workflow"],
            alike=["workflow_name"],
        ),
        AlertRule(
            name="lost-events",
            description="Its spool was full or damaged, and the record of it has a gap.",
            severity=EventLogLevel.ERROR,
            group_by=["sender"],
            selector={
                "event_type": "log_warning",
                "event_data.lost_events": {"$gt": 0},
                "$nor": [at_level],  # of which people hear anyway
            },
        ),
    ]


def _of(event_type: str, statuses: list[str]) -> dict[str, Any]:
    return {"$or": [{"event_type": event_type}, _changed(statuses)]}


def _changed(statuses: list[str]) -> dict[str, Any]:
    return {"event_type": "action_status_change", "event_data.status": {"$in": statuses}}
