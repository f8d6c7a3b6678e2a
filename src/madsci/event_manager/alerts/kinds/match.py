"""A rule that fires at each event that matches."""

from __future__ import annotations

from typing import Final

from madsci.common.types.log_level import EventLogLevel
from madsci.event_manager.alerts.kinds.kind import Case, Sight
from madsci.event_manager.alerts.life import Firing
from madsci.event_manager.alerts.records import GroupState
from madsci.event_manager.model.identity import Identity, identity, who

_MESSAGE: Final = identity("message")


class Match:
    """Told of one by one, and together while they go on."""

    def begins(self, case: Case, sight: Sight) -> None:
        """Fire."""
        if not sight.is_history:
            case.life.fire(case.rule, case.key, case.state, _firing(case, sight), case.moment)

    def ends(self, case: Case, sight: Sight) -> None:
        """See that it is over."""
        del sight
        case.life.clear(case.state, case.moment)

    def look(self, case: Case) -> None:
        """There is nothing to wait for."""

    def next_look(self, case: Case) -> int | None:
        """Return ``None``: it waits for nothing."""
        del case
        return None

    def is_idle(self, state: GroupState) -> bool:
        """Tell whether no alert is open."""
        return state.alert is None


def _firing(case: Case, sight: Sight) -> Firing:
    event, rule = sight.event, case.rule
    name = EventLogLevel.at_or_below(event.log_level).name
    reason = f"An event came that the rule {rule.name} is about."
    if event.alert:
        reason = "Whoever sent the event asked for people to be told of it."
    return Firing(
        f"{event.event_type} ({name}) from {who(sight.document)}: {said(sight)}",
        rule.spec.description or reason,
        event,
        usual=event.log_level,
    )


def said(sight: Sight, message: Identity = _MESSAGE) -> str:
    """Return what an event says, in a line."""
    return str(message.of(sight.document) or "no message")
