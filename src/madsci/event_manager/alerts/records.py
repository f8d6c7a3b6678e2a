"""The documents of alerts: an alert with its life, and what a rule knows of a group of events."""

from __future__ import annotations

from enum import Enum
from typing import Any, Final

import msgspec

from madsci.event_manager.alerts.notice import Subject
from madsci.event_manager.model.stored_event import decode_json

ALERTS: Final = "alerts"
"""The table of alerts, by id; ids are in the order in which they were opened."""
STATES: Final = "alert_states"
"""The table of what rules know of groups of events."""
TIMERS: Final = "alert_timers"
"""The table of when they are to be asked though nothing came, in the order of time."""
EVENTS_KEPT: Final = 20
"""Ids of events that an alert keeps: the last ones; the first one stands apart."""


class AlertState(str, Enum):
    """Where an alert is in its life."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


class Alert(msgspec.Struct, omit_defaults=True):
    """An alert. Times are microseconds since 1970; those of ``_watched`` of the other clock."""

    id: str
    rule: str
    state_key: str
    group: dict[str, Any]
    severity: int
    title: str
    reason: str
    opened_at: int
    last_at: int
    state: AlertState = AlertState.OPEN
    count: int = 0
    event_id: str | None = None
    event_ids: list[str] = msgspec.field(default_factory=list)
    told: int = 0
    """Events of it when people were told the last time."""
    told_watched: int = 0
    notices: int = 0
    """How often they were told."""
    repeats: int = 0
    """How often of those that was since it went on, not since something new or worse came."""
    shown: list[str] = msgspec.field(default_factory=list)
    """Ids of the last events that people were told of one by one."""
    fired_watched: int = 0
    is_asked_for: bool = False
    """Whether only somebody's asking opened it; then nothing has to clear."""
    is_silenced: bool = False
    """Whether it was opened in maintenance: nobody is told of it."""
    snoozed_until: int | None = None
    acknowledged_at: int | None = None
    acknowledged_by: str | None = None
    note: str | None = None
    resolved_at: int | None = None
    resolved_by: str | None = None
    """Who said so, ``None`` if the condition cleared."""

    @property
    def is_live(self) -> bool:
        """Whether it is not over."""
        return self.state is not AlertState.RESOLVED

    def subject(self) -> Subject:
        """Return it as people are told of it."""
        return Subject(
            self.id, self.rule, self.severity, self.title, self.reason, self.group, self.opened_at,
            self.count, self.event_id, self.resolved_at, self.acknowledged_by,
        )  # fmt: skip


class GroupState(msgspec.Struct, omit_defaults=True):
    """What a rule knows of a group of events; times are those that were watched."""

    rule: str
    group: dict[str, Any]
    due: int | None = None
    """When it is to be asked, as the timer has it."""
    alert: str | None = None
    """The id of its alert that is not over."""
    seen: int | None = None
    """absence: when an event came last. unfinished, stuck: when it began."""
    seen_id: str | None = None
    """Its id."""
    at: int | None = None
    """The time of that event, by its sender's clock, in microseconds since 1970."""
    who: str = ""
    alike: str | None = None
    """stuck: the key of the times it is compared with."""
    is_history: bool = False
    """stuck: whether it began before anybody was to be told of anything."""
    times: list[int] = msgspec.field(default_factory=list)
    """rate: when the last events came, by their senders' clocks."""


def read_alert(document: str) -> Alert:
    """Return the alert that a document tells."""
    return msgspec.convert(decode_json(document), Alert)
