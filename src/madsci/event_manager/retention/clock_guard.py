"""Whether the clock may be believed when it says how old events are.

A clock that is ahead makes every event old. So the policy goes on only where time is known to have
passed: since the latest time that was ever believed, as long as no more than a week is missing between
two signs of it. Signs are events, by the times that their senders and this server gave them.
"""

from __future__ import annotations

from typing import Final

from madsci.common.clock import Clock, iso, now_us, parse_instant
from madsci.common.errors import HeldBackError
from madsci.common.lengths import duration
from madsci.event_manager.model.query import Query
from madsci.event_manager.model.selector import And, Compare, Or
from madsci.event_manager.model.tables import FACTS, fact_of
from madsci.event_manager.stores.base import EventStore
from madsci.event_manager.stores.facts import remember
from madsci.event_manager.tasks.turn import last_done, note_done

_DAY_US: Final = 86_400_000_000
GAP_US: Final = 7 * _DAY_US
"""What may be missing: a week without events, or by which a clock is ahead that nobody notices."""
SETTLED_US: Final = 2 * _DAY_US
"""So long events have to come in after a longer gap, until it is taken for the time that passed."""
LONGEST_US: Final = 200 * _DAY_US
"""A longer gap is one that somebody has to confirm: a year that was typed wrong is more common than a
lab that stood still for so long."""
_START_US: Final = 3_600_000_000
"""What came in so long before a start may be of the same wrong clock as the start."""
_FIRST: Final = "retention/known_since"
"""The fact that says since when time is known to pass, where the clock was never believed."""
_BELIEVED: Final = "clock"
"""The task that is done when the clock is believed: its last slot is the latest such time."""
_MOMENT: Final = "event_timestamp"
_RECEIPT: Final = "received_at"


class ClockGuard:
    """Holds a task back while the clock is too far ahead of what the store knows. Thread-safe.

    ``interval`` is the time between two runs of the task, in microseconds.
    """

    def __init__(self, store: EventStore, interval: int, clock: Clock = now_us) -> None:
        self._store = store
        self._gap = interval + GAP_US
        self._clock = clock
        self._started = clock() - _START_US
        self._confirmed: int | None = None

    def check(self, now: int) -> None:
        """Return if it is known that it is so late by now (microseconds since the epoch).

        Raises:
            HeldBackError: it is not; says how to go on.
            StoreError: the store cannot be asked.
        """
        known = self._known(now)
        known = now if known is None else self._followed(known, now)
        missing = now - known
        if missing <= self._gap or (missing <= LONGEST_US and self._is_settled(now)):
            self._believe(now)
            return
        later = (
            " It goes on by itself once events have come in for two days."
            if missing <= LONGEST_US
            else ""
        )
        raise HeldBackError(
            f"Retention is held back: this server's clock says {iso(now)}, and nothing is known of the"
            f" {duration(missing)} since {iso(known)}. Events would be deleted too early if the clock"
            " is ahead. Nothing was archived or deleted. If the clock is wrong, set it right. If it is"
            f" right, confirm that with POST /retention/confirm.{later}"
        )

    def confirm(self) -> int:
        """Take it for known that the clock is right now, as somebody says; return the time it shows."""
        self._confirmed = self._clock()
        return self._confirmed

    def latest(self) -> int | None:
        """Return the latest time that was ever believed; ``None`` where none was."""
        done = last_done(self._store, _BELIEVED)
        return None if done is None else parse_instant(done)

    def _believe(self, now: int) -> None:
        latest = self.latest()
        if latest is None or latest < now:
            note_done(self._store, _BELIEVED, iso(now))

    def _known(self, now: int) -> int | None:
        """Return the latest time that has come for certain; ``None`` where none is known."""
        latest = self.latest()
        times = [self._first(now) if latest is None else latest, self._confirmed]
        return max((one for one in times if one is not None and one <= now), default=None)

    def _first(self, now: int) -> int | None:
        """Return when the newest event came in; later on the same, whatever comes in.

        What came in since this server started, or just before, says nothing: by a clock that was wrong
        all the time.
        """
        kept = self._store.read(FACTS, _FIRST)
        if kept is not None:
            return parse_instant(fact_of(kept))
        before, ahead = Compare((_RECEIPT,), "$lt", self._started), Compare((_RECEIPT,), "$gt", now)
        newest = self._store.find(Query(Or((before, ahead)), 1)).events
        if not newest or newest[0].received_at > now:  # the clock is behind: nothing is too old by it
            return None
        return parse_instant(remember(self._store, _FIRST, iso(newest[0].received_at)))

    def _followed(self, known: int, now: int) -> int:
        """Go from event to event as long as none is a week later than the one before it."""
        while known < now - self._gap:
            page = self._store.find(Query(_both_within(known, known + GAP_US), 1))
            if not page.events:
                break
            known = page.events[0].event_timestamp
        return known

    def _is_settled(self, now: int) -> bool:
        """Tell whether events came in before two days, by the clock as it is now."""
        return bool(self._store.find(Query(_both_within(now - GAP_US, now - SETTLED_US), 1)).events)


def _both_within(after: int, until: int) -> And:
    """Return the events that happened and came in within a time; of these there is an index."""
    return And(
        tuple(
            Compare((name,), operator, moment)
            for name in (_MOMENT, _RECEIPT)
            for operator, moment in (("$gt", after), ("$lte", until))
        )
    )
