"""What follows the feed and keeps the life of the lab."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Final

from madsci.common.clock import FIRST_US
from madsci.event_manager.analytics.ledger import Ledger
from madsci.event_manager.analytics.marks import Mark, mark_of, shows_alive
from madsci.event_manager.analytics.shelves import hour_of
from madsci.event_manager.analytics.signs import minute_of
from madsci.event_manager.feed.follower import Conclusion, Kept
from madsci.event_manager.model.feed import Entry
from madsci.event_manager.model.stored_event import StoredEvent

NAME: Final = "utilization"
_MINUTE: Final = 60_000_000
"""Microseconds. The fold goes on once a minute, and stays as much behind the clock, since most of what
comes late comes within it. Far behind in the feed it waits: what comes there may be of any time."""


class UtilizationFollower:
    """Keeps what events say of the life of the lab, and concludes what was under way when."""

    name = NAME

    def conclude(self, entries: Sequence[Entry], kept: Kept, now: int) -> Conclusion:
        """Return the marks of entries, and the runs that are over by now."""
        ledger = Ledger(kept)
        events = [one.event for one in entries if not one.is_raised_alert]  # which had its own entry
        latest = max((one.received_at for one in events), default=FIRST_US)
        signs: defaultdict[int, dict[str, int]] = defaultdict(dict)
        ledger.add(_marks(events, signs), signs, latest, now)
        if entries and latest < now - _MINUTE:
            return Conclusion(ledger.changes(), wake_at=now)  # when no more comes at once
        if not ledger.may_fold(now):
            return Conclusion(ledger.changes(), wake_at=ledger.rests_until)
        has_more = ledger.fold((now // _MINUTE - 1) * _MINUTE)
        return Conclusion(ledger.changes(), now + _MINUTE, has_more)


def _marks(events: Sequence[StoredEvent], signs: defaultdict[int, dict[str, int]]) -> Iterator[Mark]:
    """Yield what events say; note in which minutes of which hours nodes were alive.

    One event after the other: a thousand of them are more than a processor has at hand.
    """
    seen: set[tuple[str, int]] = set()
    for event in events:
        mark = mark_of(event)
        node, at = event.source.get("node_id"), event.event_timestamp
        if isinstance(node, str) and (sign := (node, at // _MINUTE)) not in seen and shows_alive(mark):
            seen.add(sign)
            minutes = signs[hour_of(at)]
            minutes[node] = minutes.get(node, 0) | minute_of(at)
        if mark is not None:
            yield mark
