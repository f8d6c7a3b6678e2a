"""What follows the feed and keeps the life of the lab."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from madsci.common.clock import FIRST_US
from madsci.event_manager.analytics.event_texts import source_node
from madsci.event_manager.analytics.form import noted, removals
from madsci.event_manager.analytics.ledger import Ledger
from madsci.event_manager.analytics.marking import Abouts, mark_of
from madsci.event_manager.analytics.marks import Mark
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
        form = noted(kept)
        if form is None:
            return Conclusion(removals(kept), has_more=True, begins_anew=True)
        ledger = Ledger(kept)
        events = [one.event for one in entries if not one.is_raised_alert]  # which had its own entry
        latest = max((one.received_at for one in events), default=FIRST_US)
        marks, signs = _told(events)
        ledger.add(marks, signs, latest, now)
        wake_at, has_more = now + _MINUTE, False
        if entries and latest < now - _MINUTE:
            wake_at = now  # when no more comes at once
        elif not ledger.may_fold(now):
            wake_at = ledger.rests_until
        else:
            has_more = ledger.fold((now // _MINUTE - 1) * _MINUTE)
        return Conclusion([*form, *ledger.changes()], wake_at, has_more)


def _told(events: Sequence[StoredEvent]) -> tuple[list[Mark], dict[int, dict[str, int]]]:
    """Return what events say, and in which minutes of which hours nodes were alive without a mark.

    One event after the other: a thousand of them are more than a processor has at hand.
    """
    marks: list[Mark] = []
    abouts: Abouts = {}
    alive: defaultdict[int, set[str]] = defaultdict(set)
    for event in events:
        mark = mark_of(event, abouts)
        if mark is not None:
            marks.append(mark)
        elif (node := source_node(event.source)) is not None:
            alive[event.event_timestamp // _MINUTE].add(node)
    return marks, _signs(alive)


def _signs(alive: Mapping[int, Iterable[str]]) -> dict[int, dict[str, int]]:
    """Return in which minutes of which hours nodes were alive, of nodes by minutes."""
    signs: defaultdict[int, dict[str, int]] = defaultdict(dict)
    for minute, nodes in alive.items():
        at = minute * _MINUTE
        minutes, bit = signs[hour_of(at)], minute_of(at)
        for node in nodes:
            minutes[node] = minutes.get(node, 0) | bit
    return signs
