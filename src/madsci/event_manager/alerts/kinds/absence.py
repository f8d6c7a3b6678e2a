"""A rule that fires when nothing comes for a time from somebody who sent something before."""

from __future__ import annotations

from madsci.common.lengths import duration
from madsci.event_manager.alerts.kinds.kind import Case, Sight
from madsci.event_manager.alerts.life import Firing
from madsci.event_manager.alerts.records import GroupState
from madsci.event_manager.alerts.rule import Rule
from madsci.event_manager.model.identity import who


class Absence:
    """Goes by when events arrive, and by the time in which the recorder was there to take them."""

    def begins(self, case: Case, sight: Sight) -> None:
        """Take note of the event, which ends the silence."""
        state = case.state
        if sight.is_history:
            return
        if state.alert is not None:
            case.life.clear(state, case.moment)
        state.seen, state.seen_id = case.moment.watched, sight.event.event_id
        state.who = who(sight.document)

    def ends(self, case: Case, sight: Sight) -> None:
        """Nothing ends it but an event that it waits for."""

    def look(self, case: Case) -> None:
        """Fire, if it is silent for too long."""
        due = self.next_look(case)
        if due is not None and case.moment.watched >= due:
            case.life.fire(case.rule, case.key, case.state, _firing(case.rule, case.state), case.moment)

    def next_look(self, case: Case) -> int | None:
        """Return when it has been silent for too long; ``None`` once people know of it."""
        state = case.state
        if state.alert is not None or state.seen is None:
            return None
        return state.seen + case.rule.within

    def is_idle(self, state: GroupState) -> bool:
        """Tell whether nothing is waited for."""
        return state.alert is None and state.seen is None


def _firing(rule: Rule, state: GroupState) -> Firing:
    length = duration(rule.within)
    whom = state.who or "anybody"
    last = f" The last one was {state.seen_id}." if state.seen_id else " There was none at all."
    return Firing(
        f"Nothing from {whom} for {length}: {rule.name}",
        rule.spec.description
        or f"The rule {rule.name} waits for an event at least every {length}, and none came.{last}",
    )
