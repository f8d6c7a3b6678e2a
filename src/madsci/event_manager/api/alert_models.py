"""The shapes of requests and replies about alerts."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from madsci.common.types.alert_rules import AlertRule, Length
from madsci.event_manager.alerts.records import AlertState

_BY = Field(min_length=1, max_length=200, description="Who does it, for those who read it later.")
_NOTE = Field(default=None, max_length=2_000, description="What there is to say about it.")


class AlertReply(BaseModel):
    """An alert, from when it opened until it was over."""

    alert_id: str
    rule: str
    state: AlertState
    severity: int = Field(description="A log level.")
    title: str = Field(description="What happened, and where.")
    reason: str = Field(description="Why the rule fired.")
    group: dict[str, Any] = Field(description="What its events have in common.")
    opened_at: str
    last_at: str = Field(description="When something of it came last.")
    count: int = Field(description="Events of it.")
    event_id: str | None = Field(description="The event that shows it best.")
    event_ids: list[str] = Field(description="The last 20 events of it.")
    notices: int = Field(description="How often people were told.")
    is_silenced: bool = Field(description="Whether it came in maintenance, so that nobody is told.")
    snoozed_until: str | None
    acknowledged_at: str | None
    acknowledged_by: str | None
    note: str | None
    resolved_at: str | None
    resolved_by: str | None = Field(description="Who said that it is over; null where it cleared.")
    seconds_to_acknowledge: float | None = Field(description="From opening until somebody saw to it.")
    seconds_to_resolve: float | None


class AlertsReply(BaseModel):
    """Alerts, the last opened first."""

    alerts: list[AlertReply]


class ActRequest(BaseModel):
    """What somebody does about an alert."""

    model_config = ConfigDict(extra="forbid")

    alert_id: str
    by: str = _BY
    note: str | None = _NOTE


class SnoozeRequest(ActRequest):
    """For how long somebody does not want to hear of an alert."""

    seconds: Length = Field(
        alias="for", description="A time such as 30m or 2h, or seconds; it goes on being looked at."
    )


class ActReply(BaseModel):
    """What was done; it takes effect within a second, or once the alerts are not behind any more."""

    alert_id: str
    event_id: str = Field(description="The event that tells of it.")


class RuleReply(BaseModel):
    """A rule in force, and where it is from."""

    origin: str = Field(description="`default`, `settings` or `api`.")
    rule: AlertRule


class RulesReply(BaseModel):
    """The rules in force, by name, those that are switched off among them."""

    rules: list[RuleReply]


class PreviewReply(BaseModel):
    """What a rule would have done."""

    opened: int = Field(description="Alerts that it would have opened.")
    notices: int = Field(description="How often people would have been told.")
    events: int = Field(description="Events that it was shown.")
    since: str
    until: str = Field(description="How far history was gone through.")
    is_whole: bool = Field(description="Whether that is all of it; else the time was up before.")
    alerts: list[AlertReply] = Field(description="The last 1,000 of them, the last opened first.")


class DeliveryReply(BaseModel):
    """A message to somebody: what it is about, and how it went."""

    key: str = Field(description="Goes with it, so that receivers can tell a repetition.")
    state: str = Field(description="`waiting`, `delivered` or `given_up`.")
    occasion: str = Field(description="`opened`, `again`, `resolved` or `drill`.")
    channel: str
    recipient: str
    alert_id: str
    rule: str
    title: str
    decided_at: str
    tries: int
    next_try_at: str | None
    ended_at: str | None
    detail: str | None = Field(description="Why it could not be sent, the last time.")


class DeliveriesReply(BaseModel):
    """Messages, the last ones first: those that wait, then those that were sent or given up."""

    deliveries: list[DeliveryReply]


class DrillReply(BaseModel):
    """The messages of a drill, as they wait to be sent; `GET /alerts/deliveries` says how it went."""

    deliveries: list[DeliveryReply]
