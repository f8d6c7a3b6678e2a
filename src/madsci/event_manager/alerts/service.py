"""What can be asked about alerts, and what people do about them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Protocol

from madsci.common.clock import Clock, from_us, now_us
from madsci.common.errors import AlertNotFoundError, ConflictError, InvalidInputError, NotFoundError
from madsci.common.ids import new_ulid
from madsci.common.nearest import did_you_mean
from madsci.common.types.event_type import EventType
from madsci.common.types.log_level import EventLogLevel
from madsci.event_manager.alerts.acts import ACTS, MEMBER, Act, Deed, encode_act
from madsci.event_manager.alerts.channel import Channel
from madsci.event_manager.alerts.delivery import Delivery, decode_delivery
from madsci.event_manager.alerts.notice import (
    DELIVERIES,
    OUTBOX,
    Notice,
    Occasion,
    Subject,
    decode_notice,
    encode_notice,
)
from madsci.event_manager.alerts.outbox import rows
from madsci.event_manager.alerts.records import ALERTS, Alert, AlertState, read_alert
from madsci.event_manager.alerts.rule import Rule
from madsci.event_manager.alerts.shelf import MAX_RULES, ListedRule, Shelf, to_keep, to_remove
from madsci.event_manager.model.tables import put, put_if_absent
from madsci.event_manager.stores.base import Tables

_DEEDS: Final = {
    Deed.ACKNOWLEDGE: "sees to",
    Deed.SNOOZE: "does not want to hear of",
    Deed.RESOLVE: "says that it is over:",
}


class Teller(Protocol):
    """Keeps events of the server; see ``OwnEvents``."""

    def keep(self, event_type: EventType, level: EventLogLevel, message: str, **members: Any) -> str:
        """Keep an event, and return its id once it is on disk."""
        ...


class Alerts:
    """Lists alerts, rules and deliveries, and takes what people do. Thread-safe; every call blocks."""

    def __init__(
        self,
        tables: Tables,
        shelf: Shelf,
        channels: Sequence[Channel],
        teller: Teller,
        clock: Clock = now_us,
    ) -> None:
        self._tables = tables
        self.shelf = shelf
        self._channels = channels
        self._teller = teller
        self._clock = clock

    def listed(
        self, number: int, state: AlertState | None = None, rule: str | None = None
    ) -> list[Alert]:
        """Return alerts, the last opened first, those in a state and of a rule if that is said."""
        found = [
            alert
            for _, text in rows(self._tables, ALERTS)
            if _is_wanted(alert := read_alert(text), state, rule)
        ]
        return found[-1 : -number - 1 : -1]

    def one(self, alert_id: str) -> Alert:
        """Return an alert.

        Raises:
            AlertNotFoundError: there is none with that id.
        """
        document = self._tables.read(ALERTS, alert_id)
        if document is None:
            raise AlertNotFoundError(alert_id)
        return read_alert(document)

    def act(self, act: Act) -> str:
        """Have something done about an alert; return the id of the event that tells of it.

        It takes effect once the alerts have followed the feed to that event, which takes less than a
        second where they are not behind.

        Raises:
            AlertNotFoundError: there is none with that id.
            ConflictError: it is over already.
            InvalidInputError: it is to be snoozed until a time that has passed.
        """
        alert = self.one(act.alert_id)
        if not alert.is_live:
            raise ConflictError(
                f"The alert {alert.id} is over already, since {from_us(alert.resolved_at or 0)}."
            )
        until = ""
        if act.deed is Deed.SNOOZE:
            if act.until is None or act.until <= self._clock():
                raise InvalidInputError("Until when? Give a time that comes, such as +2h.")
            until = f" until {from_us(act.until):%Y-%m-%d %H:%M} UTC"
        key = new_ulid()
        self._tables.apply([put(ACTS, key, encode_act(act))])
        told = f"{act.by} {_DEEDS[act.deed]} the alert {alert.id}{until}: {alert.title}"
        members = {"alert_id": alert.id, "by": act.by, "note": act.note, MEMBER: key}
        return self._teller.keep(EventType.LOG_INFO, EventLogLevel.INFO, told, **members)

    def rules(self) -> list[ListedRule]:
        """Return the rules in force, by name, those that are switched off among them."""
        return self.shelf.listed(self._tables)

    def put_rule(self, rule: Rule) -> None:
        """Keep a rule, in the place of the one with its name.

        Raises:
            ConflictError: there are too many.
        """
        known = [one.rule.name for one in self.rules()]
        if rule.name not in known and len(known) >= MAX_RULES:
            raise ConflictError(f"There are {MAX_RULES:,} rules already. Remove one first.")
        self._tables.apply(to_keep(rule, new_ulid()))
        self.shelf.changed()
        told = f"The rule of alerts {rule.name} was {'changed' if rule.name in known else 'added'}"
        self._teller.keep(EventType.LOG_INFO, EventLogLevel.INFO, told, rule=rule.name)

    def remove_rule(self, name: str) -> None:
        """Remove a rule that the server was given; what it was in the place of is in force again.

        Raises:
            NotFoundError: there is none of that name.
            ConflictError: it is not one that the server was given.
        """
        listed = {one.rule.name: one.origin for one in self.rules()}
        if listed.get(name) != "api":
            if name in listed:
                raise ConflictError(
                    f"The rule {name!r} is one of the {listed[name]}. Put a rule with that name and"
                    ' "enabled": false in its place.'
                )
            raise NotFoundError(f"There is no rule {name!r:.80}.{did_you_mean(name, listed)}")
        self._tables.apply(to_remove(name, new_ulid()))
        self.shelf.changed()
        told = f"The rule of alerts {name} was removed"
        self._teller.keep(EventType.LOG_INFO, EventLogLevel.INFO, told, rule=name)

    def waiting(self, number: int) -> list[Notice]:
        """Return what waits to be sent, the last decided first."""
        found = list(rows(self._tables, OUTBOX))
        return [decode_notice(text) for _, text in found[-1 : -number - 1 : -1]]

    def ended(self, number: int) -> list[Delivery]:
        """Return what was sent or given up, the last decided first."""
        found = list(rows(self._tables, DELIVERIES))
        return [decode_delivery(text) for _, text in found[-1 : -number - 1 : -1]]

    def drill(self) -> list[Notice]:
        """Send a drill to every recipient of every channel; return what was put into the outbox.

        Raises:
            ConflictError: there is no channel.
        """
        if not any(channel.recipients for channel in self._channels):
            raise ConflictError(
                "There is nobody to be told. Name somebody in email_alerts.email_addresses, or set"
                " alert_webhooks or alert_apprise."
            )
        now, alert_id = self._clock(), new_ulid()
        subject = Subject(
            alert_id, "drill", int(EventLogLevel.INFO), "This is a drill: nothing happened",
            "Somebody wants to see whether alerts arrive.", {}, now,
        )  # fmt: skip
        notices = [
            Notice(f"{now:016d}-{alert_id}-{number}", Occasion.DRILL, channel, recipient, subject, now)
            for number, (channel, recipient) in enumerate(
                (channel.name, recipient)
                for channel in self._channels
                for recipient in channel.recipients
            )
        ]
        self._tables.apply([put_if_absent(OUTBOX, one.key, encode_notice(one)) for one in notices])
        return notices


def _is_wanted(alert: Alert, state: AlertState | None, rule: str | None) -> bool:
    return (state is None or alert.state is state) and (rule is None or alert.rule == rule)
