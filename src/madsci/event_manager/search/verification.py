"""Looking for damage in the store of a running server, as a task: a part of all events each hour.

Who reads an event learns whether it is damaged. Of those that nobody reads, and of an index that leaves
out an event, only such a look tells, and as long as there is a backup that has them whole.
"""

from __future__ import annotations

import time
from typing import Final

from madsci.event_manager.search.jobs import VerifyJob
from madsci.event_manager.search.service import Search
from madsci.event_manager.tasks.schedule import Every, Schedule
from madsci.event_manager.tasks.task import KeepTurn

_SECONDS: Final = 60.0
"""At work in each hour: a million events or two, beside the server, with its lowest priority."""
_START: Final = 600.0
"""After a start, which has looked at the newest events itself, in seconds."""


class VerificationTask:
    """Goes from the newest event to the oldest and begins again, as it does after a restart."""

    name = "verification"

    def __init__(self, search: Search, *, rest: float = _START) -> None:
        self.schedule: Schedule = Every(1)
        self._search = search
        self._not_before = time.monotonic() + rest
        self._place: int | None = None

    def run(self, keep_turn: KeepTurn) -> None:
        """Look at the next events, for a minute at most."""
        if time.monotonic() < self._not_before:
            return
        end = time.monotonic() + _SECONDS
        while keep_turn() and time.monotonic() < end:
            self._place = self._search.verify(VerifyJob(self._place))
            if self._place is None:
                return
