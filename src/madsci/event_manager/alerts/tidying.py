"""What is removed after a while, so that the tables of alerts do not grow for ever."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from madsci.common.clock import Clock, now_us
from madsci.common.errors import OverloadedError
from madsci.event_manager.alerts.acts import ACTS, read_act
from madsci.event_manager.alerts.channel import Channel
from madsci.event_manager.alerts.delivery import (
    GIVEN_UP_AFTER,
    Delivery,
    State,
    decode_delivery,
    encode_delivery,
)
from madsci.event_manager.alerts.notice import DELIVERIES, OUTBOX, decode_notice
from madsci.event_manager.alerts.records import ALERTS, read_alert
from madsci.event_manager.model.tables import Change, delete, put
from madsci.event_manager.stores.base import Tables
from madsci.event_manager.tasks.schedule import Every, Schedule
from madsci.event_manager.tasks.task import KeepTurn

_KEPT: Final = 90 * 86_400_000_000
"""Microseconds for which an alert that is over, and what was sent of it, is kept: a quarter."""
_MOST: Final = 10_000
"""Alerts that are over, and messages, that are kept besides: what is listed in a moment."""
_PAGE: Final = 1_000


@dataclass(frozen=True)
class TidyingTask:
    """Removes old alerts and messages, and gives up those of channels that are gone."""

    tables: Tables
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
        over = [alert for _, text in self._rows(ALERTS) if not (alert := read_alert(text)).is_live]
        before, surplus = self.clock() - _KEPT, max(0, len(over) - _MOST)
        return [
            delete(ALERTS, alert.id)
            for number, alert in enumerate(over)
            if number < surplus or (alert.resolved_at or 0) < before
        ]

    def _deliveries(self) -> list[Change]:
        rows = self._rows(DELIVERIES)
        before, surplus = self.clock() - _KEPT, max(0, len(rows) - _MOST)
        return [
            delete(DELIVERIES, key)
            for number, (key, text) in enumerate(rows)
            if number < surplus or decode_delivery(text).ended_at < before
        ]

    def _orphans(self) -> list[Change]:
        names = [one.name for one in self.channels]
        told = f"There is no such channel any more. There are: {', '.join(names) or 'none'}."
        changes: list[Change] = []
        for key, text in self._rows(OUTBOX):
            notice = decode_notice(text)
            if notice.channel not in names:
                given_up = Delivery.of(notice, State.GIVEN_UP, self.clock(), told)
                changes += [put(DELIVERIES, key, encode_delivery(given_up)), delete(OUTBOX, key)]
        return changes

    def _acts(self) -> list[Change]:
        """Return the removal of acts of which no event was kept: whoever did them was told so."""
        before = self.clock() - GIVEN_UP_AFTER
        return [delete(ACTS, key) for key, text in self._rows(ACTS) if read_act(text).at < before]

    def _rows(self, table: str) -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = []
        while True:
            page = self.tables.scan(table, after=found[-1][0] if found else None, limit=_PAGE)
            found.extend(page)
            if len(page) < _PAGE:
                return found
