"""The rules in force: those of the settings, and those that the server was given."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import tzinfo
from typing import Final, NamedTuple

from madsci.common.errors import InvalidInputError
from madsci.common.types.alert_rules import AlertRule
from madsci.event_manager.alerts.rule import Rule, compiled, read_rule
from madsci.event_manager.alerts.rulebook import Rulebook
from madsci.event_manager.feed.follower import Kept
from madsci.event_manager.model.stored_event import decode_json
from madsci.event_manager.model.tables import Change, delete, put

RULES: Final = "alert_rules"
"""The table of rules that the server was given, by name."""
VERSION: Final = "alert_rules_version"
"""The table of one document, another one whenever they have changed."""
_THE: Final = "the"
_LOOK: Final = 0.5
"""Seconds between two looks whether the rules have changed: a database is not asked at each step."""
MAX_RULES: Final = 2_000
"""Rules that a server takes; each costs every event that it may be about some microseconds."""


class ListedRule(NamedTuple):
    """A rule, and where it is from: ``default``, ``settings`` or ``api``."""

    rule: Rule
    origin: str


class Shelf:
    """Knows the rules in force; the later of one name is in the place of the earlier one.

    Defaults come first, then the settings, then what the server was given, which is in its small
    tables and so the same for all servers of a store. Any number of threads may ask.
    """

    def __init__(
        self,
        defaults: Sequence[AlertRule],
        configured: Sequence[AlertRule],
        zone: tzinfo | None = None,
        *,
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        """Raises ``InvalidInputError``: a rule cannot be used."""
        self._zone = zone
        self._fixed = [ListedRule(compiled(one, zone), "default") for one in defaults]
        self._fixed += [ListedRule(compiled(one, zone), "settings") for one in configured]
        names = [one.name for one in configured]
        doubled = next((name for name in names if names.count(name) > 1), None)
        if doubled is not None:
            raise InvalidInputError(f"Two rules of alerts are called {doubled!r}. Rename one of them.")
        self._elapsed = elapsed
        self._look_at = 0.0
        self._known: tuple[str | None, Rulebook] | None = None

    def rulebook(self, kept: Kept) -> Rulebook:
        """Return the rules in force as those who follow ask them.

        What another server was given shows within a second.
        """
        known, now = self._known, self._elapsed()
        if known is not None and now < self._look_at:
            return known[1]
        version = kept.read(VERSION, _THE)
        if known is None or known[0] != version:
            known = version, Rulebook(one.rule for one in self.listed(kept))
            self._known = known
        self._look_at = now + _LOOK
        return known[1]

    def changed(self) -> None:
        """Say that the rules have changed, so that this server asks the next event by the new ones."""
        self._look_at = 0.0

    def listed(self, kept: Kept) -> list[ListedRule]:
        """Return the rules in force, by name, those that are switched off among them."""
        found = {one.rule.name: one for one in self._fixed}
        for name, document in kept.scan(RULES, limit=MAX_RULES):
            found[name] = ListedRule(read_rule(decode_json(document), self._zone), "api")
        return [found[name] for name in sorted(found)]

    def read(self, document: object) -> Rule:
        """Return a rule from decoded JSON.

        Raises:
            InvalidInputError: it is none; says why, and what to do.
        """
        return read_rule(document, self._zone)


def to_keep(rule: Rule, version: str) -> list[Change]:
    """Return the changes that keep a rule; ``version`` is a text that there never was."""
    spec = rule.spec.model_dump_json(exclude_unset=True)
    return [put(RULES, rule.name, spec), put(VERSION, _THE, f'"{version}"')]


def to_remove(name: str, version: str) -> list[Change]:
    """Return the changes that remove a rule which the server was given."""
    return [delete(RULES, name), put(VERSION, _THE, f'"{version}"')]
