"""When a rule would have fired: it goes through history as through a feed."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any, Final

from madsci.common.errors import QueryTimeoutError
from madsci.common.types.alert_rules import AlertRule
from madsci.event_manager.alerts.follower import AlertFollower
from madsci.event_manager.alerts.records import ALERTS, Alert, read_alert
from madsci.event_manager.alerts.rule import compiled
from madsci.event_manager.alerts.rulebook import Rulebook
from madsci.event_manager.model.budget import Budget
from madsci.event_manager.model.feed import Entry, Position
from madsci.event_manager.model.selector import Or, Selector
from madsci.event_manager.model.tables import Change, Way
from madsci.event_manager.stores.base import EventReader

MOST: Final = 1_000
"""Alerts that an answer shows."""
_AT_ONCE: Final = 1_000


@dataclass(frozen=True)
class Preview:
    """What a rule would have done. Times are microseconds since 1970.

    ``until`` is how far history was gone through; ``is_whole`` says whether that is its end.
    """

    alerts: list[Alert]
    opened: int
    notices: int
    events: int
    until: int
    is_whole: bool


@dataclass(frozen=True)
class PreviewJob:
    """A question: what would this rule have done from a time on?"""

    spec: AlertRule
    since: int
    now: int
    end: Position
    zone: tzinfo | None = None

    @property
    def narrowing(self) -> str:
        """What to ask instead."""
        return "Go through a shorter time, or have the rule be about fewer events."

    @property
    def _selector(self) -> Selector:
        rule = compiled(self.spec, self.zone)
        return rule.selector if rule.ended_by is None else Or((rule.selector, rule.ended_by))

    def run(self, events: EventReader, budget: Budget) -> Preview:
        """Return it; where the time is up, as far as that went."""
        replay, until, is_whole = Replay(self.spec, self.zone), self.since, False
        try:
            for entries in self._parts(events, budget):
                replay.show(entries)
                until = max(until, entries[-1].event.received_at)
                budget.check()
            replay.go_on_to(self.now)
            until, is_whole = self.now, True
        except QueryTimeoutError:
            if until == self.since:
                raise
        return replay.result(until, is_whole=is_whole)

    def _parts(self, events: EventReader, budget: Budget) -> Iterator[Sequence[Entry]]:
        position, selector = events.before_time(self.since, budget), self._selector
        while True:
            part = events.since(position, _AT_ONCE, self.end, selector, budget)
            entries = [one for one in part.entries if not one.is_raised_alert]
            if entries:
                yield entries
            position = part.next
            if not part.has_more:
                return


class Replay:
    """A rule that goes through history. For one thread."""

    def __init__(self, spec: AlertRule, zone: tzinfo | None = None) -> None:
        rulebook = Rulebook([compiled(spec.model_copy(update={"enabled": True}), zone)])
        self._people = _Counting()
        self._follower = AlertFollower(lambda _: rulebook, self._people, is_replay=True)
        self._kept = _Documents()
        self._wake_at: int | None = None
        self._events = 0

    def show(self, entries: Sequence[Entry]) -> None:
        """Show it the next entries, in their order; time passes up to each."""
        for entry in entries:
            self.go_on_to(entry.event.received_at)
            self._conclude([entry], entry.event.received_at)
        self._events += len(entries)

    def go_on_to(self, wall: int) -> None:
        """Let time pass, and have it look whenever it wants to."""
        while self._wake_at is not None and self._wake_at <= wall:
            self._conclude([], self._wake_at)

    def result(self, until: int, *, is_whole: bool) -> Preview:
        """Return what it did so far."""
        alerts = [read_alert(text) for text in self._kept.all(ALERTS)]
        told = self._people.told
        return Preview(alerts[-MOST:], len(alerts), told, self._events, until, is_whole)

    def _conclude(self, entries: Sequence[Entry], now: int) -> None:
        concluded = self._follower.conclude(entries, self._kept, now)
        self._kept.apply(concluded.changes)
        self._wake_at = concluded.wake_at


class _Counting:
    """Nobody is told in a replay; how often somebody would have been is counted."""

    def __init__(self) -> None:
        self.told = 0

    def recipients(self, severity: int, rule: str, at_us: int) -> Sequence[tuple[str, str]]:
        del severity, rule, at_us
        self.told += 1
        return ()

    def not_before(self, severity: int, at_us: int) -> int:
        del severity
        return at_us

    def is_silenced(self, rule: str, group: Mapping[str, Any], at_us: int) -> bool:
        del rule, group, at_us
        return False


class _Documents:
    """Small tables of one replay."""

    def __init__(self) -> None:
        self._keys: dict[str, list[str]] = {}
        self._texts: dict[tuple[str, str], str] = {}

    def read(self, table: str, key: str) -> str | None:
        return self._texts.get((table, key))

    def scan(
        self, table: str, prefix: str = "", after: str | None = None, limit: int = 1_000
    ) -> list[tuple[str, str]]:
        keys = self._keys.get(table, [])
        first = bisect_left(keys, prefix if after is None else max(prefix, after))
        found = [
            (key, self._texts[table, key])
            for key in keys[first : first + limit + 1]
            if key != after and key.startswith(prefix)
        ]
        return found[:limit]

    def all(self, table: str) -> list[str]:
        return [self._texts[table, key] for key in self._keys.get(table, [])]

    def apply(self, changes: Sequence[Change]) -> None:
        for one in changes:
            place, keys = (one.table, one.key), self._keys.setdefault(one.table, [])
            if one.way is Way.DELETE:
                if self._texts.pop(place, None) is not None:
                    del keys[bisect_left(keys, one.key)]
                continue
            if place not in self._texts:
                insort(keys, one.key)
            self._texts[place] = one.value or ""
