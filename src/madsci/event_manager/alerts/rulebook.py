"""All rules, filed so that an event meets only those that may be about it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from madsci.event_manager.alerts.rule import Rule
from madsci.event_manager.model.matcher import values_at
from madsci.event_manager.model.selector import And, Compare, Equals, In, Or, Path, Selector, conjuncts
from madsci.event_manager.model.stored_event import StoredEvent
from madsci.event_manager.model.values import Kind, kind_of

_Value = tuple[Kind, Any]
_Place = tuple[Path, _Value]
_LEVEL: Final = ("log_level",)
_COMMON: Final[dict[Path, int]] = {
    ("alert",): 4, ("archived",): 5, ("event_type",): 3, ("sender", "host"): 2,
}  # fmt: skip
"""How many events are likely to share a value: the fewer, the better it files."""
_USUAL: Final = 1
_ANY_ABOVE: Final = 4


@dataclass(frozen=True, eq=False)
class Filed:
    """A selector of a rule, found by a sign that an event bears."""

    rule: Rule
    is_end: bool
    """Whether it is its ``ended_by``."""
    rest: Selector
    """What has to hold beside the sign."""


class SeenEvent:
    """An event, and the document that selectors speak about, made when the first one asks."""

    def __init__(self, event: StoredEvent) -> None:
        self.event = event

    @cached_property
    def document(self) -> dict[str, Any]:
        """The event as selectors see it."""
        return self.event.document()

    def values(self, path: Path) -> Iterator[Any]:
        """Yield what a path reaches; for the members that all events have, nothing is decoded."""
        if len(path) == 1 and path[0] in _PLAIN:
            yield getattr(self.event, path[0])
        elif path[0] == "source" and len(path) == 2:  # noqa: PLR2004
            yield self.event.source.get(path[1])
        else:
            yield from values_at(self.document, path)


_PLAIN: Final = frozenset({"event_type", "log_level", "alert", "trace_id", "span_id"})


class Rulebook:
    """Finds the rules that an event may be about. Immutable; any number of threads may ask."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.rules: dict[str, Rule] = {rule.name: rule for rule in rules if rule.spec.enabled}
        self._by_value: dict[Path, dict[_Value, list[Filed]]] = {}
        self._floors: list[tuple[float, Filed]] = []
        """Levels from which on rules may be about an event, ascending."""
        self._others: list[Filed] = []
        for rule in self.rules.values():
            for selector, is_end in ((rule.selector, False), (rule.ended_by, True)):
                if selector is not None:
                    self._file(rule, selector, is_end=is_end)
        self._floors.sort(key=lambda one: one[0])

    def _file(self, rule: Rule, selector: Selector, *, is_end: bool) -> None:
        signs, rest = _split(selector)
        filed = Filed(rule, is_end, rest)
        for sign in signs or ():
            if isinstance(sign, tuple):
                path, value = sign
                self._by_value.setdefault(path, {}).setdefault(value, []).append(filed)
            else:
                self._floors.append((sign, filed))
        if signs is None:
            self._others.append(filed)

    def candidates(self, seen: SeenEvent) -> list[Filed]:
        """Return the rules that may be about an event, each once in each of its two ways."""
        found: dict[Filed, None] = {}  # one is filed under several signs
        for path, of_path in self._by_value.items():
            for value in seen.values(path):
                if isinstance(value, (str, int, float)):
                    found.update(dict.fromkeys(of_path.get((kind_of(value), value), ())))
        for floor, filed in self._floors:
            if floor > seen.event.log_level:
                break
            found[filed] = None
        return [*found, *self._others]


def _split(selector: Selector) -> tuple[list[_Place | float] | None, Selector]:
    """Return signs as ``_signs`` does, the best there are, and what has to hold beside them."""
    parts = list(conjuncts(selector))
    known = [(signs, part) for part in parts if (signs := _signs(part)) is not None]
    if not known:
        return None, selector
    signs, sign = min(known, key=lambda one: _weight(one[0]))
    if not isinstance(sign, (Equals, In)):  # others say more than their signs
        return signs, selector
    rest = [part for part in parts if part is not sign]
    return signs, rest[0] if len(rest) == 1 else And(tuple(rest))


def _signs(selector: Selector) -> list[_Place | float] | None:
    """Return signs one of which an event bears if it matches: a value, or a level from which on.

    ``None`` where none is known, so that every event may match.
    """
    if isinstance(selector, Equals):
        return _places(selector.path, (selector.value,))
    if isinstance(selector, In):
        return _places(selector.path, selector.values)
    if isinstance(selector, Compare):
        is_floor = selector.path == _LEVEL and selector.operator in ("$gt", "$gte")
        return [float(selector.value)] if is_floor else None
    if isinstance(selector, Or):
        parts = [_signs(part) for part in selector.parts]
        return None if None in parts else [sign for part in parts if part for sign in part]
    return _split(selector)[0] if isinstance(selector, And) else None


def _places(path: Path, values: Iterable[Any]) -> list[_Place | float] | None:
    listed = list(values)
    if not all(isinstance(value, (str, int, float)) for value in listed):
        return None
    return [(path, (kind_of(value), value)) for value in listed]


def _weight(signs: list[_Place | float]) -> tuple[int, int]:
    weights = (
        _COMMON.get(sign[0], _USUAL) if isinstance(sign, tuple) else _ANY_ABOVE for sign in signs
    )
    return max(weights, default=0), len(signs)
