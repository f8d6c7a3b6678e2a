"""A rule that fires when more events come within a time than may."""

from __future__ import annotations

from madsci.common.lengths import duration
from madsci.event_manager.alerts.kinds.kind import Case, Sight
from madsci.event_manager.alerts.life import Firing
from madsci.event_manager.alerts.records import GroupState
from madsci.event_manager.model.identity import who


class Rate:
    """Counts by the clocks of those who send, so that what was spooled does not come all at once."""

    def begins(self, case: Case, sight: Sight) -> None:
        """Count the event; fire when it is one too many."""
        if sight.is_history:
            return
        rule, state = case.rule, case.state
        most = rule.spec.more_than or 0
        state.times = sorted([*state.times, sight.event.event_timestamp])[-(most + 1) :]
        state.seen = case.moment.watched
        if len(state.times) <= most or state.times[-1] - state.times[0] > rule.within:
            return
        case.life.fire(rule, case.key, state, _firing(case, sight), case.moment)

    def ends(self, case: Case, sight: Sight) -> None:
        """Nothing ends it but time."""

    def look(self, case: Case) -> None:
        """Forget what came too long ago to count."""
        seen = case.state.seen
        if seen is not None and case.moment.watched >= seen + case.rule.within:
            case.state.times, case.state.seen = [], None

    def next_look(self, case: Case) -> int | None:
        """Return when the last one does not count any more."""
        return None if case.state.seen is None else case.state.seen + case.rule.within

    def is_idle(self, state: GroupState) -> bool:
        """Tell whether nothing came lately."""
        return state.alert is None and not state.times


def _firing(case: Case, sight: Sight) -> Firing:
    rule, most = case.rule, case.rule.spec.more_than or 0
    length = duration(rule.within)
    return Firing(
        f"More than {most:,} events within {length} from {who(sight.document)}: {rule.name}",
        rule.spec.description or f"The rule {rule.name} allows {most:,} within {length}.",
        sight.event,
        usual=sight.event.log_level,
    )
