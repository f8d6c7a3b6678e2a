"""A rule that fires when something takes far longer than the like of it took before."""

from __future__ import annotations

import math
from typing import Final

from madsci.common.lengths import duration
from madsci.event_manager.alerts.kinds.kind import Case, Sight
from madsci.event_manager.alerts.kinds.unfinished import LONGEST, begin, unended
from madsci.event_manager.alerts.records import GroupState
from madsci.event_manager.alerts.rule import Rule
from madsci.event_manager.model.identity import group_of, key_of
from madsci.event_manager.model.stored_event import decode_json, encode_json

_LAST: Final = 200
"""Times that are compared with: enough for the second longest to be the 99th percentile."""
_FEWEST: Final = 20
"""Fewer times than these say nothing of how long something may take."""
_OF_ALL: Final = 0.99
_LOOK: Final = 3_600_000_000
"""Microseconds between two looks whether it is known by now how long something may take."""


class Stuck:
    """Compares with the 99th percentile, by nearest rank, of the last times of the same kind of thing.

    Below twenty of them nothing is known, and nothing fires.
    """

    def begins(self, case: Case, sight: Sight) -> None:
        """Take note of the beginning."""
        if case.state.seen is None:
            case.state.is_history = sight.is_history
            alike = group_of(case.rule.alike, sight.document)
            case.state.alike = f"learned/{case.rule.name}/{key_of(alike)}"
        begin(case, sight)

    def ends(self, case: Case, sight: Sight) -> None:
        """Learn how long it took."""
        state = case.state
        if state.seen is not None and state.alike is not None and state.at is not None:
            took = sight.event.event_timestamp - state.at
            if 0 <= took < LONGEST:  # else a clock was set meanwhile
                # What was stuck does not become usual at once: it counts as the most that is.
                most = self._limit(case)
                self._learn(case, took if most is None else min(took, most))
        case.life.clear(state, case.moment)
        state.seen = None

    def look(self, case: Case) -> None:
        """Fire, if it takes too long."""
        state, watched, limit = case.state, case.moment.watched, self._limit(case)
        if state.seen is None:
            return
        is_late = limit is not None and state.alert is None and watched >= state.seen + limit
        if watched >= state.seen + LONGEST or (is_late and state.is_history):
            state.seen = None
        elif is_late and limit is not None:
            reason = (
                f"The rule {case.rule.name} takes it for stuck after {duration(limit)}:"
                f" {case.rule.times:g} times as long as 99 of 100 took before."
            )
            case.life.fire(case.rule, case.key, state, unended(case, reason), case.moment)

    def next_look(self, case: Case) -> int | None:
        """Return when it takes too long, or when it is to be forgotten."""
        state = case.state
        if state.seen is None:
            return None
        if state.alert is not None:
            return state.seen + LONGEST
        limit = self._limit(case)  # which the next one that ends may make known
        return case.moment.watched + _LOOK if limit is None else state.seen + limit

    def is_idle(self, state: GroupState) -> bool:
        """Tell whether nothing is under way."""
        return state.alert is None and state.seen is None

    def _limit(self, case: Case) -> int | None:
        """Return how long it may take, in microseconds; ``None`` where too little is known."""
        times = _times(case)
        return None if len(times) < _FEWEST else limit_of(case.rule, times)

    def _learn(self, case: Case, took: int) -> None:
        if case.state.alike is not None:
            case.desk.keep_text(case.state.alike, encode_json([*_times(case), took][-_LAST:]))


def limit_of(rule: Rule, times: list[int]) -> int:
    """Return how long something may take that took these times before, in microseconds."""
    rank = math.ceil(_OF_ALL * len(times))
    return max(rule.at_least, round(rule.times * sorted(times)[rank - 1]))


def _times(case: Case) -> list[int]:
    text = None if case.state.alike is None else case.desk.text(case.state.alike)
    times: list[int] = [] if text is None else decode_json(text)
    return times
