"""The life of an alert: it opens, people are told, they act, it is over."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import msgspec

from madsci.common.ids import ulid_of
from madsci.common.types.log_level import EventLogLevel
from madsci.event_manager.alerts.acts import Act, Deed
from madsci.event_manager.alerts.desk import Desk
from madsci.event_manager.alerts.moment import Moment
from madsci.event_manager.alerts.notice import Notice, Occasion
from madsci.event_manager.alerts.records import EVENTS_KEPT, Alert, AlertState, GroupState
from madsci.event_manager.alerts.rule import Rule, microseconds
from madsci.event_manager.model.identity import key_of
from madsci.event_manager.model.stored_event import StoredEvent, decode_json, encode_json

_TOLD_ONE_BY_ONE: Final = 10
"""Events with an alert of their own that people are told of at once, between two summaries."""
_OPENED_IN_AN_HOUR: Final = 20
"""Alerts of one rule of which people are told when they open: a network that is down silences all."""
_ASKED_FOR_IN_AN_HOUR: Final = 200
"""The same where somebody asks for people, which is not done by accident, but maybe by mistake."""
_HOUR: Final = 3_600_000_000
_NO_MORE: Final = " More of them are not told one by one within this hour; GET /alerts has all."
_DOUBLINGS: Final = 4
"""How often the time until people hear of it again is doubled: from an hour to most of a day."""


class Recipients(Protocol):
    """Who is told of what, and when; see ``calendar``."""

    def recipients(self, severity: int, rule: str, at_us: int) -> Sequence[tuple[str, str]]:
        """Return channels and recipients."""
        ...

    def not_before(self, severity: int, at_us: int) -> int:
        """Return the end of a quiet time, or the time itself."""
        ...

    def is_silenced(self, rule: str, group: Mapping[str, Any], at_us: int) -> bool:
        """Tell whether nobody is told, since somebody works there."""
        ...


@dataclass(frozen=True)
class Firing:
    """What makes an alert: in words, and the event that it is about."""

    title: str
    reason: str
    event: StoredEvent | None = None
    usual: int = EventLogLevel.ERROR
    """The severity where the rule says none."""

    @property
    def is_asked_for(self) -> bool:
        """Whether somebody asks for people to be told of this event."""
        return self.event is not None and self.event.alert


class Life:
    """Opens alerts, tells of them and ends them, on a desk. For one thread."""

    def __init__(self, desk: Desk, recipients: Recipients) -> None:
        self._desk = desk
        self._recipients = recipients

    def fire(self, rule: Rule, key: str, state: GroupState, firing: Firing, moment: Moment) -> None:
        """Open the alert of a group, or count one more event of it."""
        alert, event = self._live(state), firing.event
        if alert is None:
            alert = self._opened(rule, key, state, firing, moment)
            self._count(alert, firing, moment)
            if self._may_be_told(alert, moment):
                self._tell(alert, Occasion.OPENED, moment)
            self._desk.keep_alert(alert)
            return
        if event is not None and event.event_id in alert.shown:
            return  # it was told of when it came, and then somebody asked for it
        is_worse = _severity(rule, firing) > alert.severity
        self._count(alert, firing, moment)
        if is_worse or (firing.is_asked_for and len(alert.shown) < _TOLD_ONE_BY_ONE):
            alert.severity = max(alert.severity, _severity(rule, firing))
            self._show(alert, firing)
            self._tell(alert, Occasion.AGAIN, moment)
        self._desk.keep_alert(alert)

    def clear(self, state: GroupState, moment: Moment, by: str | None = None) -> None:
        """End the alert of a group, if it has one."""
        alert = self._live(state)
        state.alert = None
        if alert is None:
            return
        alert.state = AlertState.RESOLVED
        alert.resolved_at, alert.resolved_by = moment.wall, by
        if not alert.notices:
            pass  # nobody has heard of it
        elif not alert.is_asked_for:
            self._tell(alert, Occasion.RESOLVED, moment)
        elif alert.count > alert.told:
            self._tell(alert, Occasion.AGAIN, moment)
        self._desk.keep_alert(alert)

    def act(self, act: Act, alert: Alert, state: GroupState | None, moment: Moment) -> None:
        """Do what somebody decided about an alert; one that is over stays as it is."""
        if not alert.is_live:
            return
        if act.deed is Deed.RESOLVE and state is not None:
            alert.note = act.note or alert.note
            self.clear(state, moment, act.by)
        elif act.deed is Deed.SNOOZE:
            alert.snoozed_until = act.until
        else:
            alert.state = AlertState.ACKNOWLEDGED
            alert.acknowledged_at, alert.acknowledged_by = moment.wall, act.by
            alert.note = act.note or alert.note
        self._desk.keep_alert(alert)

    def look(self, rule: Rule, state: GroupState, moment: Moment) -> None:
        """Do what the time has come for: tell again, or end what nothing more came of."""
        alert = self._live(state)
        if alert is None:
            return
        quiet = rule.resolve_after
        if quiet is not None and moment.watched >= alert.fired_watched + quiet:
            self.clear(state, moment)
        elif (again := self._again_at(rule, alert, moment)) is not None and moment.watched >= again:
            self._tell(alert, Occasion.AGAIN, moment)
            alert.repeats, alert.shown = alert.repeats + 1, alert.shown[-1:]
            self._desk.keep_alert(alert)

    def next_look(self, rule: Rule, state: GroupState, moment: Moment) -> int | None:
        """Return when it is to be looked at, in watched time, if at all."""
        alert = self._live(state)
        if alert is None:
            return None
        quiet = rule.resolve_after
        times = [None if quiet is None else alert.fired_watched + quiet]
        times.append(self._again_at(rule, alert, moment))
        return min((one for one in times if one is not None), default=None)

    def _live(self, state: GroupState) -> Alert | None:
        alert = None if state.alert is None else self._desk.alert(state.alert)
        return alert if alert is not None and alert.is_live else None

    def _again_at(self, rule: Rule, alert: Alert, moment: Moment) -> int | None:
        """Return when people hear of it again, as far as there is something to say."""
        if alert.state is not AlertState.OPEN or not alert.notices:
            return None  # somebody sees to it, or nobody has heard of it
        has_news = alert.count > alert.told
        goes_on = rule.resolve_after is None  # a state, not single events: it is there until it ends
        if not has_news and not goes_on:
            return None
        seconds = rule.spec.repeat_after * 2 ** min(max(0, alert.repeats - 1), _DOUBLINGS)
        if has_news and not alert.repeats:
            seconds = rule.spec.summarize_after
        due = alert.told_watched + microseconds(seconds)
        if alert.snoozed_until is not None and alert.snoozed_until > moment.wall:
            due = max(due, moment.watched + alert.snoozed_until - moment.wall)
        return due

    def _may_be_told(self, alert: Alert, moment: Moment) -> bool:
        """Tell whether people hear of an alert that opens: of so many of a rule in an hour they do."""
        most = _ASKED_FOR_IN_AN_HOUR if alert.is_asked_for else _OPENED_IN_AN_HOUR
        key = f"opened/{alert.rule}{'/asked' if alert.is_asked_for else ''}"
        text = self._desk.text(key)
        kept = None if text is None else decode_json(text)
        if kept is None or abs(moment.wall - kept["since"]) >= _HOUR:  # also if it was set back
            kept = {"since": moment.wall, "told": 0}
        kept["told"] += 1
        self._desk.keep_text(key, encode_json(kept))
        if kept["told"] == most:
            alert.reason += _NO_MORE
        return int(kept["told"]) <= most

    def _opened(self, rule: Rule, key: str, state: GroupState, firing: Firing, moment: Moment) -> Alert:
        event = firing.event
        cause = (rule.name, key, moment.watched, None if event is None else event.event_id)
        alert = Alert(
            _id_at(moment.wall, cause), rule.name, key, state.group, _severity(rule, firing),
            firing.title, firing.reason, moment.wall, moment.wall,
            event_id=None if event is None else event.event_id,
            is_asked_for=firing.is_asked_for,
            is_silenced=self._recipients.is_silenced(rule.name, state.group, moment.wall),
        )  # fmt: skip
        state.alert = alert.id
        self._show(alert, firing)
        return alert

    def _count(self, alert: Alert, firing: Firing, moment: Moment) -> None:
        alert.last_at, alert.fired_watched = moment.wall, moment.watched
        event = firing.event
        if event is None or event.event_id not in alert.event_ids:  # else somebody asked for it later
            alert.count += 1
        if event is not None:
            alert.event_ids = [*alert.event_ids, event.event_id][-EVENTS_KEPT:]
            alert.is_asked_for = alert.is_asked_for and firing.is_asked_for

    def _show(self, alert: Alert, firing: Firing) -> None:
        if firing.event is not None:
            alert.shown.append(firing.event.event_id)
            alert.event_id = firing.event.event_id
            alert.title, alert.reason = firing.title, firing.reason

    def _tell(self, alert: Alert, occasion: Occasion, moment: Moment) -> None:
        since, alert.told = alert.count - alert.told, alert.count
        alert.told_watched = moment.watched
        snoozed = alert.snoozed_until is not None and alert.snoozed_until > moment.wall
        if alert.is_silenced or (snoozed and occasion is Occasion.AGAIN):
            return
        alert.notices += 1
        not_before = self._recipients.not_before(alert.severity, moment.wall)
        for channel, recipient in self._recipients.recipients(alert.severity, alert.rule, moment.wall):
            key = f"{moment.wall:016d}-{alert.id}-{alert.notices}-{key_of(channel, recipient)}"
            notice = Notice(key, occasion, channel, recipient, alert.subject(), moment.wall, since)
            self._desk.tell(msgspec.structs.replace(notice, not_before=not_before))


def _severity(rule: Rule, firing: Firing) -> int:
    return int(firing.usual if rule.spec.severity is None else rule.spec.severity)


def _id_at(wall: int, cause: Sequence[Any]) -> str:
    """Return a ULID of a time that is made of a cause: the same when it is concluded again."""
    digest = hashlib.blake2b(repr(cause).encode(), digest_size=10).digest()
    return ulid_of(max(0, wall // 1000), int.from_bytes(digest, "big"))
