"""A rule that fires when what was begun is not ended within a time."""

from __future__ import annotations

from typing import Final

from madsci.common.lengths import duration
from madsci.event_manager.alerts.kinds.kind import Case, Sight
from madsci.event_manager.alerts.kinds.match import said
from madsci.event_manager.alerts.life import Firing
from madsci.event_manager.alerts.records import GroupState
from madsci.event_manager.model.identity import who

LONGEST: Final = 366 * 86_400_000_000
"""Microseconds after which what was begun is no longer known: its end will never come."""


class Unfinished:
    """Goes by when events arrive, and by the time in which the recorder was there to take them."""

    def begins(self, case: Case, sight: Sight) -> None:
        """Take note of the beginning; one that is told again is the same one."""
        if not sight.is_history:
            begin(case, sight)

    def ends(self, case: Case, sight: Sight) -> None:
        """See that it has ended."""
        del sight
        case.life.clear(case.state, case.moment)
        case.state.seen = None

    def look(self, case: Case) -> None:
        """Fire, if it takes too long; forget it after a year."""
        seen, watched = case.state.seen, case.moment.watched
        if seen is None:
            return
        if watched >= seen + LONGEST:
            case.state.seen = None
        elif case.state.alert is None and watched >= seen + case.rule.within:
            length = duration(case.rule.within)
            reason = f"The rule {case.rule.name} lets it take {length}, and no event ended it."
            case.life.fire(case.rule, case.key, case.state, unended(case, reason), case.moment)

    def next_look(self, case: Case) -> int | None:
        """Return when it takes too long, or when it is to be forgotten."""
        seen = case.state.seen
        if seen is None:
            return None
        return seen + (case.rule.within if case.state.alert is None else LONGEST)

    def is_idle(self, state: GroupState) -> bool:
        """Tell whether nothing is under way."""
        return state.alert is None and state.seen is None


def begin(case: Case, sight: Sight) -> None:
    """Take note of what was begun, unless it was before, or nothing says what it is."""
    state = case.state
    if state.seen is None and any(value is not None for value in state.group.values()):
        state.seen, state.seen_id = case.moment.watched, sight.event.event_id
        state.at = sight.event.event_timestamp
        state.who = f"{who(sight.document)}: {said(sight)}"


def unended(case: Case, reason: str) -> Firing:
    """Return the firing of what has not ended."""
    began = case.state.seen or 0
    length = duration(case.moment.watched - began)
    return Firing(
        f"Not finished after {length}: {case.state.who}",
        f"{case.rule.spec.description or reason} It began with the event {case.state.seen_id}.",
    )
