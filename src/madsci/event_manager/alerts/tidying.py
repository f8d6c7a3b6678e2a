"""What is removed after a while, so that the tables of alerts do not grow for ever."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from madsci.common.clock import Clock, now_us
from madsci.common.errors import OverloadedError
from madsci.common.ids import new_ulid
from madsci.event_manager.alerts.acts import ACTS, read_act
from madsci.event_manager.alerts.channel import Channel
from madsci.event_manager.alerts.delivery import (
    GIVEN_UP_AFTER,
    Delivery,
    State,
    decode_delivery,
    encode_delivery,
)
from madsci.event_manager.alerts.line import DispatchStore, lease_of
from madsci.event_manager.alerts.notice import DELIVERIES, OUTBOX, Notice, decode_notice
from madsci.event_manager.alerts.outbox import rows
from madsci.event_manager.alerts.records import ALERTS, read_alert
from madsci.event_manager.model.tables import Change, delete, put_if_absent
from madsci.event_manager.tasks.schedule import Every, Schedule
from madsci.event_manager.tasks.task import KeepTurn

_KEPT: Final = 90 * 86_400_000_000
"""Microseconds for which an alert that is over, and what was sent of it, is kept: a quarter."""
_MOST: Final = 10_000
"""Alerts that are over, and messages, that are kept besides: what is listed in a moment."""
_PAGE: Final = 1_000
_ASKING: Final = 5.0
"""Seconds for which nobody else could send over a channel, if this process ended while it asks."""


@dataclass(frozen=True)
class TidyingTask:
    """Removes old alerts and messages, and gives up those of channels that are gone.

    A channel that another server of the store sends over is not gone, though this one does not have it.
    """

    tables: DispatchStore
    channels: Sequence[Channel]
    clock: Clock = now_us
    schedule: Schedule = Every(1)  # noqa: RUF009 - immutable
    name: str = "alerts"

    def run(self, keep_turn: KeepTurn) -> None:
        """Go through the tables; leave off when the turn is lost, or the server stops."""
        for clean in (self._alerts, self._deliveries, self._orphans, self._acts):
            if not keep_turn():
                raise OverloadedError("Old alerts are removed later. The server stops.")
            changes = clean()
            for start in range(0, len(changes), _PAGE):
                self.tables.apply(changes[start : start + _PAGE])

    def _alerts(self) -> list[Change]:
        over = [
            alert for _, text in rows(self.tables, ALERTS) if not (alert := read_alert(text)).is_live
        ]
        before, surplus = self.clock() - _KEPT, max(0, len(over) - _MOST)
        return [
            delete(ALERTS, alert.id)
            for number, alert in enumerate(over)
            if number < surplus or (alert.resolved_at or 0) < before
        ]

    def _deliveries(self) -> list[Change]:
        found = [(key, _ended_at(text)) for key, text in rows(self.tables, DELIVERIES)]
        before, surplus = self.clock() - _KEPT, max(0, len(found) - _MOST)
        return [
            delete(DELIVERIES, key)
            for number, (key, ended_at) in enumerate(found)
            if number < surplus or (ended_at is not None and ended_at < before)
        ]

    def _orphans(self) -> list[Change]:
        names = [one.name for one in self.channels]
        there_are = f"There are: {', '.join(names) or 'none'}."
        attended = dict.fromkeys(names, True)
        changes: list[Change] = []
        for key, text in rows(self.tables, OUTBOX):
            notice = _notice(text)
            if notice is None:
                continue
            if notice.channel not in attended:
                attended[notice.channel] = self._is_attended(notice.channel)
            if not attended[notice.channel]:
                told = f"There is no channel {notice.channel!r:.100} any more. {there_are}"
                given_up = encode_delivery(Delivery.of(notice, State.GIVEN_UP, self.clock(), told))
                changes += [put_if_absent(DELIVERIES, key, given_up), delete(OUTBOX, key)]
        return changes

    def _is_attended(self, channel: str) -> bool:
        """Tell whether another server sends over a channel: then its lease cannot be had."""
        lease, holder = lease_of(channel), new_ulid()
        if not self.tables.hold(lease, holder, _ASKING):
            return True
        self.tables.let_go(lease, holder)
        return False

    def _acts(self) -> list[Change]:
        """Return the removal of acts of which no event was kept: whoever did them was told so."""
        before = self.clock() - GIVEN_UP_AFTER
        return [
            delete(ACTS, key) for key, text in rows(self.tables, ACTS) if read_act(text).at < before
        ]


def _ended_at(document: str) -> int | None:
    """Return when a delivery ended; ``None`` of one that cannot be read, as those of later releases."""
    try:
        return decode_delivery(document).ended_at
    except msgspec.MsgspecError:
        return None


def _notice(document: str) -> Notice | None:
    try:
        return decode_notice(document)
    except msgspec.MsgspecError:  # of a later release, whose server may be back soon
        return None
