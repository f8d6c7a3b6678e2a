"""Alerts: what is open, who saw to it, by which rules, and how people were told."""

from __future__ import annotations

from collections.abc import Callable
from datetime import tzinfo
from typing import Annotated, Any, Final, TypeVar

from fastapi import Query, Request
from pydantic import BaseModel, ValidationError, WithJsonSchema
from starlette.concurrency import run_in_threadpool

from madsci.common.clock import iso, now_us
from madsci.common.errors import InvalidInputError
from madsci.common.types.alert_rules import AlertRule
from madsci.event_manager.alerts.acts import Act, Deed
from madsci.event_manager.alerts.delivery import Delivery
from madsci.event_manager.alerts.notice import Notice
from madsci.event_manager.alerts.preview import PreviewJob
from madsci.event_manager.alerts.records import Alert, AlertState
from madsci.event_manager.alerts.service import Alerts
from madsci.event_manager.api.alert_models import (
    ActReply,
    ActRequest,
    AlertReply,
    AlertsReply,
    DeliveriesReply,
    DrillReply,
    PreviewReply,
    RuleReply,
    RulesReply,
    SnoozeRequest,
)
from madsci.event_manager.api.attending import attended
from madsci.event_manager.api.bodies import Bodies, errors_in_body
from madsci.event_manager.api.operations import Handler, Operations, Scope
from madsci.event_manager.api.parameters import OR_NONE, Time, read_instant
from madsci.event_manager.model.json_reading import read_request
from madsci.event_manager.search.service import Search

_MONTH: Final = 30 * 86_400_000_000
"""Microseconds of history that a rule goes through where nothing else is said."""
_TAG: Final = "alerts"
Request_ = TypeVar("Request_", bound=BaseModel)

Many = Annotated[int, Query(ge=1, le=1_000, description="How many at most.")]
State = Annotated[
    AlertState | None,
    OR_NONE,
    WithJsonSchema({"type": "string", "enum": [*(one.value for one in AlertState), ""]}),
    Query(description="Only those in this state."),
]
RuleName = Annotated[str | None, OR_NONE, Query(description="Only those of the rule with this name.")]


def alert_operations(
    alerts: Alerts, search: Search, bodies: Bodies, naive_zone: tzinfo | None
) -> Operations:
    """Return the operations about alerts; times without an offset are read in ``naive_zone``."""
    operations = Operations()
    for part in (_of_alerts(alerts, bodies), _of_deliveries(alerts)):
        operations.extend(part)
    operations.extend(_of_rules(alerts, search, bodies, naive_zone))
    return operations


def _of_alerts(alerts: Alerts, bodies: Bodies) -> Operations:
    operations = Operations()

    @operations.add(
        "GET", "/alerts", "get_alerts", "Alerts, open ones and others", Scope.READ, _TAG,
        response_model=AlertsReply,
    )  # fmt: skip
    def get_alerts(state: State = None, rule: RuleName = None, number: Many = 100) -> AlertsReply:
        """Return alerts, the last opened first."""
        return AlertsReply(alerts=[alert_reply(one) for one in alerts.listed(number, state, rule)])

    @operations.add(
        "GET", "/alert/{alert_id}", "get_alert", "One alert", Scope.READ, _TAG, (404,),
        response_model=AlertReply,
    )  # fmt: skip
    def get_alert(alert_id: str) -> AlertReply:
        """Return the alert with this id."""
        return alert_reply(alerts.one(alert_id))

    async def act(request: Request, deed: Deed, model: type[ActRequest] = ActRequest) -> ActReply:
        wanted = _read(model, await bodies.read(request))
        until, now = None, now_us()
        if isinstance(wanted, SnoozeRequest):
            until = now + round(wanted.seconds * 1_000_000)
        done = Act(deed, wanted.alert_id, wanted.by, now, wanted.note, until)
        event_id = await run_in_threadpool(alerts.act, done)
        return ActReply(alert_id=wanted.alert_id, event_id=event_id)

    def add(
        path: str, name: str, summary: str, model: type[ActRequest], example: dict[str, Any]
    ) -> Callable[[Handler], Handler]:
        return operations.add(
            "POST", path, name, summary, Scope.MANAGE, _TAG, (400, 404, 409, 413, 415),
            response_model=ActReply, openapi_extra=_body(model.model_json_schema(), example),
        )  # fmt: skip

    example = {"alert_id": "01M84HX3CTDS9P8A5QKCMA1TVT", "by": "Anna", "note": "On my way"}

    @add("/alerts/acknowledge", "acknowledge_alert", "See to an alert", ActRequest, example)
    async def acknowledge_alert(request: Request) -> ActReply:
        """Say who sees to it: people are not told again that it goes on, only when it is over."""
        return await act(request, Deed.ACKNOWLEDGE)

    @add("/alerts/resolve", "resolve_alert", "Say that an alert is over", ActRequest, example)
    async def resolve_alert(request: Request) -> ActReply:
        """End it, whatever its rule waits for; the next event of its kind opens another one."""
        return await act(request, Deed.RESOLVE)

    @add(
        "/alerts/snooze", "snooze_alert", "Hear nothing of an alert for a while", SnoozeRequest,
        {**example, "for": "2h"},
    )  # fmt: skip
    async def snooze_alert(request: Request) -> ActReply:
        """Have nobody told that it goes on; it is looked at as before, and told when it is over."""
        return await act(request, Deed.SNOOZE, SnoozeRequest)

    return operations


def _of_rules(alerts: Alerts, search: Search, bodies: Bodies, naive_zone: tzinfo | None) -> Operations:
    operations = Operations()
    body = _body(AlertRule.model_json_schema(), _RULE)

    @operations.add(
        "GET", "/alerts/rules", "get_alert_rules", "The rules of alerts", Scope.READ, _TAG,
        response_model=RulesReply, response_model_exclude_unset=True,
    )  # fmt: skip
    def get_alert_rules() -> RulesReply:
        """Return the rules in force, by name, and where each is from."""
        listed = [RuleReply(origin=one.origin, rule=one.rule.spec) for one in alerts.rules()]
        return RulesReply(rules=listed)

    @operations.add(
        "POST", "/alerts/rules", "put_alert_rule", "Add a rule of alerts, or change one", Scope.MANAGE,
        _TAG, (400, 409, 413, 415), response_model=RuleReply, response_model_exclude_unset=True,
        openapi_extra=body,
    )  # fmt: skip
    async def put_alert_rule(request: Request) -> RuleReply:
        """Keep a rule, in the place of the one with its name, also of one of the settings.

        It is in force within a second, on all servers that share the store.
        """
        rule = alerts.shelf.read(read_request(await bodies.read(request)))
        await run_in_threadpool(alerts.put_rule, rule)
        return RuleReply(origin="api", rule=rule.spec)

    @operations.add(
        "DELETE", "/alerts/rules/{name}", "delete_alert_rule", "Remove a rule of alerts", Scope.MANAGE,
        _TAG, (404, 409), response_model=RulesReply, response_model_exclude_unset=True,
    )  # fmt: skip
    def delete_alert_rule(name: str) -> RulesReply:
        """Remove a rule that was added here; what it was in the place of is in force again."""
        alerts.remove_rule(name)
        return get_alert_rules()

    @operations.add(
        "POST", "/alerts/rules/preview", "preview_alert_rule", "When a rule would have fired",
        Scope.READ, _TAG, (400, 413, 415, 504), response_model=PreviewReply, openapi_extra=body,
    )  # fmt: skip
    async def preview_alert_rule(request: Request, start_time: Time = None) -> PreviewReply:
        """Let a rule go through what is stored, by default the last 30 days; nobody is told."""
        rule = alerts.shelf.read(read_request(await bodies.read(request)))
        now = now_us()
        since = read_instant("start_time", start_time, naive_zone)
        since = now - _MONTH if since is None else since
        job = PreviewJob(rule.spec, since, now, await search.fence(), naive_zone)
        found = await attended(request.receive, search.answer(job))
        return PreviewReply(
            opened=found.opened, notices=found.notices, events=found.events, since=iso(since),
            until=iso(found.until), is_whole=found.is_whole,
            alerts=[alert_reply(one) for one in reversed(found.alerts)],
        )  # fmt: skip

    return operations


def _of_deliveries(alerts: Alerts) -> Operations:
    operations = Operations()

    @operations.add(
        "GET", "/alerts/deliveries", "get_alert_deliveries", "How people were told of alerts",
        Scope.READ, _TAG, response_model=DeliveriesReply,
    )  # fmt: skip
    def get_alert_deliveries(number: Many = 100) -> DeliveriesReply:
        """Return what waits to be sent, then what was sent or given up, each the last one first."""
        waiting = [_waiting(one) for one in alerts.waiting(number)]
        ended = [_ended(one) for one in alerts.ended(max(0, number - len(waiting)))]
        return DeliveriesReply.model_validate({"deliveries": [*waiting, *ended]})

    @operations.add(
        "POST", "/alerts/test", "test_alerts", "Send a drill to everybody", Scope.MANAGE, _TAG, (409,),
        response_model=DrillReply,
    )  # fmt: skip
    def test_alerts() -> DrillReply:
        """Have a message that says that it is a drill sent to every recipient of every channel."""
        return DrillReply.model_validate({"deliveries": [_waiting(one) for one in alerts.drill()]})

    return operations


def alert_reply(alert: Alert) -> AlertReply:
    """Return an alert as it is shown."""
    return AlertReply(
        alert_id=alert.id, rule=alert.rule, state=alert.state, severity=alert.severity,
        title=alert.title, reason=alert.reason, group=alert.group, opened_at=iso(alert.opened_at),
        last_at=iso(alert.last_at), count=alert.count, event_id=alert.event_id,
        event_ids=alert.event_ids, notices=alert.notices, is_silenced=alert.is_silenced,
        snoozed_until=_iso(alert.snoozed_until), acknowledged_at=_iso(alert.acknowledged_at),
        acknowledged_by=alert.acknowledged_by, note=alert.note, resolved_at=_iso(alert.resolved_at),
        resolved_by=alert.resolved_by,
        seconds_to_acknowledge=_seconds(alert.opened_at, alert.acknowledged_at),
        seconds_to_resolve=_seconds(alert.opened_at, alert.resolved_at),
    )  # fmt: skip


def _iso(moment: int | None) -> str | None:
    return None if moment is None else iso(moment)


def _seconds(start: int, end: int | None) -> float | None:
    return None if end is None else round((end - start) / 1_000_000, 3)


def _waiting(notice: Notice) -> dict[str, Any]:
    return {
        **_told(notice), "state": "waiting", "tries": notice.tries, "ended_at": None,
        "next_try_at": iso(max(notice.not_before, notice.made_at)), "detail": notice.detail,
    }  # fmt: skip


def _ended(delivery: Delivery) -> dict[str, Any]:
    return {
        **_told(delivery), "state": delivery.state.value, "tries": delivery.tries,
        "ended_at": iso(delivery.ended_at), "next_try_at": None, "detail": delivery.detail,
    }  # fmt: skip


def _told(one: Notice | Delivery) -> dict[str, Any]:
    return {
        "key": one.key, "occasion": one.occasion.value, "channel": one.channel,
        "recipient": one.recipient, "alert_id": one.subject.alert_id, "rule": one.subject.rule,
        "title": one.subject.title, "decided_at": iso(one.made_at),
    }  # fmt: skip


def _read(model: type[Request_], body: bytes) -> Request_:
    try:
        return model.model_validate(read_request(body))
    except ValidationError as error:
        errors = errors_in_body(error)
        told = "; ".join(f"{'.'.join(map(str, one['loc'][1:]))}: {one['msg']}" for one in errors)
        raise InvalidInputError(
            f'{told}. Send {{"alert_id": "…", "by": "your name"}}.', errors
        ) from error


def _body(schema: dict[str, Any], example: dict[str, Any]) -> dict[str, Any]:
    content = {"application/json": {"schema": schema, "example": example}}
    return {"requestBody": {"required": True, "content": content}}


_RULE: Final = {
    "name": "too-many-warnings",
    "kind": "rate",
    "selector": {"log_level": {"$gte": "WARNING"}},
    "more_than": 20,
    "within": "10m",
}
