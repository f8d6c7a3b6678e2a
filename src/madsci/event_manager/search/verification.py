"""Looking for damage in the store of a running server, as a task: a part of all events each hour.

It begins with what the start has left out: the structure of a large store, and most of its events.

Who reads an event learns whether it is damaged. Of those that nobody reads, and of an index that leaves
out an event, only such a look tells, and as long as there is a backup that has them whole.
"""

from __future__ import annotations

import time
from typing import Final

from madsci.common.clock import now_us
from madsci.event_manager.ingest.own_events import keep_alerts
from madsci.event_manager.search.jobs import VerifyJob
from madsci.event_manager.search.service import Search
from madsci.event_manager.stores.base import EventStore
from madsci.event_manager.tasks.schedule import Every, Schedule
from madsci.event_manager.tasks.task import KeepTurn

_SECONDS: Final = 60.0
"""At work in each hour: a million events or two, beside the server, with its lowest priority."""
_START: Final = 600.0
"""After a start that has looked at all of it itself, in seconds."""


class VerificationTask:
    """Goes from the newest event to the oldest and begins again, as it does after a restart."""

    name = "verification"

    def __init__(self, search: Search, store: EventStore, *, rest: float | None = None) -> None:
        # From this start on, whatever another process of this store did in this hour.
        self.schedule: Schedule = Every(1, now_us())
        self._search = search
        self._store = store
        if rest is None:
            rest = _START if store.is_checked else 0.0
        self._not_before = time.monotonic() + rest
        self._told: str | None = None
        self._place: int | None = None

    def run(self, keep_turn: KeepTurn) -> None:
        """Look at the next events, for a minute at most."""
        if time.monotonic() < self._not_before:
            return
        end = time.monotonic() + _SECONDS
        while keep_turn() and time.monotonic() < end:
            try:
                self._place = self._search.ask_beside(VerifyJob(self._place))
            finally:
                self._tell_of_damage()  # also of what ended the look
            if self._place is None:
                return

    def _tell_of_damage(self) -> None:
        damage = self._store.damage
        if damage is not None and damage != self._told:
            self._told = damage
            keep_alerts(self._store, [damage])
