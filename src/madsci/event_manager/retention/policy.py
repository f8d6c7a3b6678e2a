"""How long which events are kept, as selectors: pure, and the same for a run and for its preview."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import tzinfo
from typing import Final

from madsci.common.clock import FIRST_US
from madsci.common.errors import InvalidSelectorError, SettingsError
from madsci.common.types.retention_settings import RetentionRule, RetentionSettings
from madsci.event_manager.model.matcher import matches
from madsci.event_manager.model.selector import (
    EVERYTHING,
    NOT_ARCHIVED,
    NOTHING,
    And,
    Compare,
    Equals,
    In,
    Not,
    Or,
    Selector,
)
from madsci.event_manager.model.selector_parser import parse_selector
from madsci.event_manager.model.stored_event import StoredEvent

OTHERS: Final = "others"
"""The name of the rule of all events that no other rule is about."""

ARCHIVED: Final = Equals(("archived",), value=True)
_DAY_US: Final = 86_400_000_000


@dataclass(frozen=True)
class Rule:
    """How long the events of some types and levels are kept: days, ``None`` for ever."""

    name: str
    about: Selector
    archive_after_days: float | None
    delete_after_days: float | None


@dataclass(frozen=True)
class Policy:
    """Rules, of which the first that is about an event decides, and what is never deleted.

    The last rule is about every event.
    """

    rules: tuple[Rule, ...]
    hold: Selector = NOTHING

    @classmethod
    def from_settings(cls, settings: RetentionSettings, naive_zone: tzinfo | None) -> Policy:
        """Return the policy that the settings say; times without an offset are in the zone.

        Raises:
            SettingsError: a selector of ``legal_hold`` cannot be used.
        """
        rules = [
            Rule(f"rule {number}", _about(rule), rule.archive_after_days, rule.delete_after_days)
            for number, rule in enumerate(settings.retention_rules, 1)
        ]
        others = Rule(
            OTHERS, EVERYTHING, settings.soft_delete_after_days, settings.hard_delete_after_days
        )
        held = [
            _held(number, selector, naive_zone)
            for number, selector in enumerate(settings.legal_hold, 1)
        ]
        return cls((*rules, others), Or(tuple(held)))

    @property
    def holds(self) -> bool:
        """Whether there may be events that are never deleted."""
        return self.hold != NOTHING

    def rule_of(self, event: StoredEvent) -> Rule:
        """Return the rule that decides about an event."""
        document = {"event_type": event.event_type, "log_level": event.log_level}
        return next(rule for rule in self.rules if matches(rule.about, document))

    def to_archive(self, now: int) -> Due:
        """Return which events are to be archived."""
        return self._due(lambda rule: rule.archive_after_days, lambda days: old(days, now))

    def to_delete(self, now: int) -> Due:
        """Return which archived events are to be deleted, those that are held left out."""
        due = self._archived_due(now)
        of_rule = {name: self.unheld(selector) for name, selector in due.of_rule.items()}
        return Due(self.unheld(due.all), of_rule)

    def held_back(self, now: int) -> Selector:
        """Return which archived events would be deleted if they were not held."""
        return And((self._archived_due(now).all, self.hold))

    def unheld(self, selector: Selector) -> Selector:
        """Return what a selector matches, without the events that are never deleted."""
        return And((selector, Not(self.hold))) if self.holds else selector

    def _archived_due(self, now: int) -> Due:
        return self._due(lambda rule: rule.delete_after_days, lambda days: archived_for_long(days, now))

    def _due(self, days_of: Callable[[Rule], float | None], age: Callable[[float], Selector]) -> Due:
        of_rule: dict[str, Selector] = {}
        earlier: list[Selector] = []
        for rule in self.rules:
            days = days_of(rule)
            if days is not None:
                others = (Not(Or(tuple(earlier))),) if earlier else ()
                of_rule[rule.name] = And((age(days), rule.about, *others))
            earlier.append(rule.about)
        if len(of_rule) == 1:
            (only,) = of_rule.values()
            return Due(only, of_rule)
        shortest = min((days for rule in self.rules if (days := days_of(rule)) is not None), default=0)
        # What stands first is asked first, and is what the store has an index for.
        return Due(And((age(shortest), Or(tuple(of_rule.values())))), of_rule)


@dataclass(frozen=True)
class Due:
    """The events with which something is to be done: all of them, and those by each rule's name."""

    all: Selector
    of_rule: dict[str, Selector]


def old(days: float, now: int) -> Selector:
    """Return the events that are not archived and that happened so many days ago."""
    return And((NOT_ARCHIVED, before(_ago(days, now))))


def before(moment: int) -> Selector:
    """Return the events that happened before a moment."""
    return Compare(("event_timestamp",), "$lt", moment)


def archived_for_long(days: float, now: int) -> Selector:
    """Return the events that were archived so many days ago; for 0 days all that are archived.

    Of those that came in as archived, without a time, it is the time when they came in.
    """
    if not days:
        return ARCHIVED
    moment = _ago(days, now)
    came_in = And((Equals(("archived_at",), None), Compare(("received_at",), "$lt", moment)))
    return And((ARCHIVED, Or((Compare(("archived_at",), "$lt", moment), came_in))))


def _ago(days: float, now: int) -> int:
    # Beyond the first year there are no events, and no text of a time.
    return max(FIRST_US, now - int(min(days, 10_000_000) * _DAY_US))


def _about(rule: RetentionRule) -> Selector:
    parts: list[Selector] = []
    if rule.event_types is not None:
        parts.append(In(("event_type",), tuple(kind.value for kind in rule.event_types)))
    if rule.min_level is not None:
        parts.append(Compare(("log_level",), "$gte", int(rule.min_level)))
    if rule.levels is not None:
        parts.append(In(("log_level",), tuple(int(level) for level in rule.levels)))
    return And(tuple(parts))


def _held(number: int, selector: object, naive_zone: tzinfo | None) -> Selector:
    try:
        return parse_selector(selector, naive_zone, is_kept=True)
    except InvalidSelectorError as error:
        raise SettingsError(
            f"legal_hold: selector {number} cannot be used. {error.message} Correct it; no event is"
            " deleted while it is wrong, since the server does not start."
        ) from error
