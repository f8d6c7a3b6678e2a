"""What kinds of rules have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from madsci.event_manager.alerts.desk import Desk
from madsci.event_manager.alerts.life import Life
from madsci.event_manager.alerts.moment import Moment
from madsci.event_manager.alerts.records import GroupState
from madsci.event_manager.alerts.rule import Rule
from madsci.event_manager.model.stored_event import StoredEvent


@dataclass(frozen=True)
class Case:
    """A rule at one group of events, and what it may use."""

    rule: Rule
    key: str
    state: GroupState
    moment: Moment
    desk: Desk
    life: Life


@dataclass(frozen=True)
class Sight:
    """An event that a rule is shown. ``is_history`` if people are not to be told of it any more."""

    event: StoredEvent
    document: Mapping[str, Any]
    is_history: bool = False


class Kind(Protocol):
    """When rules of a kind fire. Keeps nothing: what it knows is in the state of the case."""

    def begins(self, case: Case, sight: Sight) -> None:
        """See an event that the rule is about."""
        ...

    def ends(self, case: Case, sight: Sight) -> None:
        """See an event that ends what such an event began."""
        ...

    def look(self, case: Case) -> None:
        """Look whether its time has come; called at that time, and sometimes earlier."""
        ...

    def next_look(self, case: Case) -> int | None:
        """Return when to look, in watched time; ``None`` for never."""
        ...

    def is_idle(self, state: GroupState) -> bool:
        """Tell whether the state says nothing, so that it may be forgotten."""
        ...
