"""From the JSON of a MongoDB-style selector to the tree of ``selector``.

The language is an allow-list: what is not written here is refused, with its name and place. So are
paths that begin with nothing that events have, and words that are no level or type. Three conveniences
over MongoDB: ``event_id`` means ``_id``; a plain object given for ``source`` or ``sender`` means its
members one by one; times, levels and types are read in any of their usual forms, times relative to now
among them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import tzinfo
from typing import Any, Final

from madsci.common.asked_time import Span, is_relative, read_asked_time
from madsci.common.clock import now_us
from madsci.common.errors import InvalidSelectorError
from madsci.common.flattening import column_path
from madsci.common.nearest import did_you_mean
from madsci.common.types.members import INSTANTS
from madsci.event_manager.model import operands, right_words
from madsci.event_manager.model.operands import invalid, is_operators
from madsci.event_manager.model.pattern import Pattern
from madsci.event_manager.model.selector import (
    EVERYTHING,
    NOTHING,
    And,
    Compare,
    ElementMatches,
    ElementPasses,
    Equals,
    Exists,
    HasBits,
    HasSize,
    HasType,
    In,
    Matches,
    Modulo,
    Not,
    Or,
    Path,
    Selector,
    Text,
)

MAX_DEPTH: Final = 20
"""Nesting of $and, $or, $nor, $not, $elemMatch: far beyond what people write, far below any stack."""
MAX_TERMS: Final = 1000
"""Comparisons in one selector, each listed value of ``$in`` counting as one."""
MAX_PATH: Final = 1000
"""Characters of a path."""
MAX_SEGMENTS: Final = 100
"""Names in a path; documents are nested less deeply."""
MAX_ALL_SEGMENTS: Final = 5000
"""Names in all paths together: stores look at each beginning of a path, and bind it."""

_COMPARISONS: Final = ("$gt", "$gte", "$lt", "$lte")
_BITS: Final = ("$bitsAllSet", "$bitsAllClear", "$bitsAnySet", "$bitsAnyClear")
_JAVASCRIPT: Final = frozenset({"$where", "$function", "$accumulator", "$expr"})
_AT_THE_TOP: Final = ("$and", "$or", "$nor", "$comment", "$text")
_SUPPORTED: Final = (
    "$eq", "$ne", *_COMPARISONS, "$in", "$nin", "$exists", "$type", "$regex", "$options", "$mod",
    "$all", "$size", "$elemMatch", "$not", *_BITS,
)  # fmt: skip


def parse_selector(
    value: object, naive_zone: tzinfo | None = None, *, is_kept: bool = False
) -> Selector:
    """Parse a decoded JSON value as a selector.

    ``naive_zone`` is the zone of times without an offset, by default that of this machine. Times
    relative to now become instants here, once; a selector that ``is_kept`` to be asked later has none.

    Raises:
        InvalidSelectorError: names the operator and the path that cannot be used.
    """
    if not isinstance(value, Mapping):
        raise invalid(
            'A selector is a JSON object such as {} or {"log_level": {"$gte": 30}},'
            f" not {value!r:.80}."
        )
    return _Parser(naive_zone, is_kept=is_kept).document(value, 0)


class _Parser:
    """One parse: counts terms, so that a selector cannot grow without bound."""

    def __init__(self, naive_zone: tzinfo | None, *, is_kept: bool) -> None:
        self._zone = naive_zone
        self._now = now_us()
        self._is_kept = is_kept
        self._terms = 0
        self._segments = 0
        self._searches = 0
        self._prefix = ""
        """Where the document being read lies in the event, if it is an array's element."""

    def document(self, selector: Mapping[str, Any], depth: int) -> Selector:
        if depth > MAX_DEPTH:
            raise invalid(f"The selector is nested more than {MAX_DEPTH} levels deep. Flatten it.")
        return _joined([self._member(key, value, depth) for key, value in selector.items()])

    def _member(self, key: str, value: Any, depth: int) -> Selector:
        if key in _LOGICAL:
            return _LOGICAL[key](self._list(key, value, depth))
        if key == "$comment":
            return EVERYTHING
        if key == "$text":
            return self._text(value)
        if key.startswith("$"):
            raise _unsupported(key, "at the top of a selector", _AT_THE_TOP)
        return self._field(self._path(key), self._prefix + key, value, depth)

    def _list(self, key: str, value: Any, depth: int) -> tuple[Selector, ...]:
        if not isinstance(value, list) or not value:
            raise invalid(f"{key} takes a list of one or more selectors, not {value!r:.80}.", key)
        for part in value:
            if not isinstance(part, Mapping):
                raise invalid(f"{key} takes a list of selectors; {part!r:.80} is none.", key)
        return tuple(self.document(part, depth + 1) for part in value)

    def _text(self, operand: Any) -> Selector:
        self._count(1)
        self._searches += 1
        if self._searches > 1 or self._prefix:
            raise invalid(
                "$text stands once in a selector, and not inside $elemMatch. Put all words into one"
                " $search.",
                "$text",
            )
        return Text(operands.text_search(operand))

    def _field(self, path: Path, name: str, value: Any, depth: int) -> Selector:
        if isinstance(value, Mapping) and is_operators(value):
            if not all(key.startswith("$") for key in value):
                raise invalid(f"{name} mixes operators and plain members: {value!r:.80}.", name)
            return self._operators(path, name, value, depth)
        if isinstance(value, Mapping) and value and path in _BY_MEMBERS and not self._prefix:
            # "All events of this node" is what people mean, not "exactly this source and no more".
            return _joined(
                [
                    self._field(self._path(f"{name}.{key}"), f"{name}.{key}", member, depth + 1)
                    for key, member in value.items()
                ]
            )
        if isinstance(value, Mapping) and not self._prefix:
            meant = right_words.forgotten_sign(path, value, _SUPPORTED)
            if meant is not None:
                raise invalid(f"{name} is no object, and has no members. Did you mean {meant}?", name)
        return self._is(path, name, value)

    def _is(self, path: Path, name: str, operand: Any) -> Selector:
        """Return what a value alone asks for: to be equal to it; or to match it, if it is a pattern."""
        value = self._value(path, name, operand)
        return self._matches(path, name, value) if isinstance(value, Pattern) else _equal(path, value)

    def _matches(self, path: Path, name: str, pattern: Pattern) -> Selector:
        if not self._prefix:
            try:
                right_words.check_pattern(path, pattern)
            except ValueError as error:
                raise invalid(f"{name}: {error}", name) from error
        return Matches(path, pattern, of_instant=self._is_time(path))

    def _operators(self, path: Path, name: str, members: Mapping[str, Any], depth: int) -> Selector:
        if depth > MAX_DEPTH:
            raise invalid(f"{name} is nested more than {MAX_DEPTH} levels deep.", name)
        if "$options" in members and "$regex" not in members:
            raise invalid(f"$options at {name} stands without $regex.", name)
        options = members.get("$options", "")
        parts: list[Selector] = []
        for operator, operand in members.items():
            if operator == "$options":
                continue
            if operator == "$regex":
                self._count(1)
                parts.append(self._matches(path, name, operands.pattern(operand, options, name)))
            else:
                parts.append(self._operator(path, name, operator, operand, depth))
        return _joined(parts)

    def _operator(self, path: Path, name: str, operator: str, operand: Any, depth: int) -> Selector:
        nested = {"$not": self._not, "$elemMatch": self._element, "$all": self._all}
        if operator in nested:
            return nested[operator](path, name, operand, depth)
        if operator in _NEGATED:
            return Not(self._operator(path, name, _NEGATED[operator], operand, depth))
        if operator == "$in":
            return self._in(path, name, operand)
        if operator == "$eq" or operator in _COMPARISONS:
            value = self._value(path, name, operand)
            if isinstance(value, Pattern):
                raise invalid(f"{operator} at {name} takes a value. Give the pattern to $regex.", name)
            if operator == "$eq":
                return _equal(path, value)
            bound = value.bound(operator) if isinstance(value, Span) else value
            return Compare(path, operator, bound)
        self._count(1)
        return self._test(path, name, operator, operand)

    def _test(self, path: Path, name: str, operator: str, operand: Any) -> Selector:
        if operator == "$exists":
            return Exists(path) if _is_true(operand) else Not(Exists(path))
        if operator == "$type":
            return self._type(path, operands.type_names(operand, name))
        if operator == "$size":
            return HasSize(path, operands.array_size(operand, name))
        if operator == "$mod":
            return self._of_number(Modulo(path, *operands.modulo(operand, name)))
        if operator in _BITS:
            mask = operands.bit_mask(operator, operand, name)
            return self._of_number(HasBits(path, operator, mask))
        raise _unsupported(operator, f"at {name}", _SUPPORTED, name)

    def _is_time(self, path: Path) -> bool:
        return len(path) == 1 and path[0] in INSTANTS and not self._prefix

    def _of_number(self, leaf: Modulo | HasBits) -> Selector:
        return NOTHING if self._is_time(leaf.path) else leaf  # instants are shown as texts

    def _type(self, path: Path, types: frozenset[str]) -> Selector:
        if self._is_time(path):
            # Instants are shown as texts, whatever a store keeps.
            absent = Equals(path, None)
            shown: dict[str, Selector] = {"string": Not(absent), "null": absent}
            return Or(tuple(test for kind, test in shown.items() if kind in types))
        return HasType(path, types)

    def _not(self, path: Path, name: str, operand: Any, depth: int) -> Selector:
        if isinstance(operand, Mapping) and set(operand) == {"$regularExpression"}:
            return Not(self._is(path, name, operand))
        if not is_operators(operand) or not all(key.startswith("$") for key in operand):
            raise invalid(f"$not at {name} takes an object of operators, not {operand!r:.80}.", name)
        return Not(self._operators(path, name, operand, depth + 1))

    def _element(self, path: Path, name: str, operand: Any, depth: int) -> Selector:
        if not isinstance(operand, Mapping):
            raise invalid(f"$elemMatch at {name} takes an object, not {operand!r:.80}.", name)
        self._count(1)
        first = next(iter(operand), "")
        if is_operators(operand) and first.startswith("$") and first not in _AT_THE_TOP:
            if not all(key.startswith("$") for key in operand):
                raise invalid(f"$elemMatch at {name} mixes operators and plain members.", name)
            return ElementPasses(path, self._operators((), name, operand, depth + 1))
        outer, self._prefix = self._prefix, f"{name}."
        try:
            return ElementMatches(path, self.document(operand, depth + 1))
        finally:
            self._prefix = outer

    def _all(self, path: Path, name: str, operand: Any, depth: int) -> Selector:
        if not isinstance(operand, list):
            raise invalid(f"$all at {name} takes a list, not {operand!r:.80}.", name)
        parts: list[Selector] = []
        for one in operand:
            if is_operators(one) is not is_operators(operand[0]):
                raise invalid(f"$all at {name} takes values or $elemMatch, not both.", name)
            if not is_operators(one):
                parts.append(self._is(path, name, one))
            elif set(one) == {"$elemMatch"}:
                parts.append(self._element(path, name, one["$elemMatch"], depth))
            else:
                raise invalid(f"$all at {name} takes values or $elemMatch, not {one!r:.80}.", name)
        return _joined(parts) if parts else NOTHING

    def _in(self, path: Path, name: str, operand: Any) -> Selector:
        if not isinstance(operand, list):
            raise invalid(f"$in and $nin at {name} take a list, not {operand!r:.80}.", name)
        if any(is_operators(value) for value in operand):
            raise invalid(f"$in and $nin at {name} take values, not operators.", name)
        parts = [self._is(path, name, value) for value in operand]
        values = In(path, tuple(part.value for part in parts if isinstance(part, Equals)))
        patterns = [part for part in parts if not isinstance(part, Equals)]
        return Or((values, *patterns)) if patterns else values

    def _value(self, path: Path, name: str, value: Any) -> Any:
        """Read an operand as the field keeps it, a time as the ``Span`` that it means."""
        self._count(1)
        value = operands.plain_value(value, name)
        if self._prefix or len(path) != 1 or isinstance(value, Pattern):
            return value
        try:
            return self._time(value) if self._is_time(path) else right_words.member_value(path, value)
        except ValueError as error:
            raise invalid(f"{name}: {error}", name) from error

    def _time(self, value: Any) -> Span | None:
        if self._is_kept and is_relative(value):
            raise ValueError(
                f"{value!r:.40} would be read once, and never move. Write a date, or leave the age of"
                " events to the rules."
            )
        return None if value is None else read_asked_time(value, self._zone, self._now)

    def _path(self, name: str) -> Path:
        try:
            path = column_path(name)
        except ValueError as error:
            raise invalid(f"A path cannot be used: {error}.", name) from error
        if len(name) > MAX_PATH or len(path) > MAX_SEGMENTS:
            raise invalid(
                f"The path {name[:40]!r}... has more than {MAX_PATH} characters, or more than"
                f" {MAX_SEGMENTS} names."
            )
        self._segments += len(path)
        if self._segments > MAX_ALL_SEGMENTS:
            raise invalid(
                f"The paths of the selector have more than {MAX_ALL_SEGMENTS} names. Ask in parts."
            )
        if self._prefix:
            return path
        if not right_words.is_member(path):
            raise invalid(f"{name:.80}: {right_words.no_member(path)}.", name)
        return ("_id", *path[1:]) if path[0] == "event_id" else path

    def _count(self, terms: int) -> None:
        self._terms += terms
        if self._terms > MAX_TERMS:
            raise invalid(f"The selector has more than {MAX_TERMS} comparisons. Ask in parts.")


_BY_MEMBERS: Final[tuple[Path, ...]] = (("source",), ("sender",))
_LOGICAL: Final[dict[str, Callable[[tuple[Selector, ...]], Selector]]] = {
    "$and": And,
    "$or": Or,
    "$nor": lambda parts: Not(Or(parts)),
}
_NEGATED: Final = {"$ne": "$eq", "$nin": "$in"}


def _joined(parts: list[Selector]) -> Selector:
    return parts[0] if len(parts) == 1 else And(tuple(parts))


def _is_true(value: Any) -> bool:
    # As MongoDB reads a flag: everything is true but false, null and zero.
    return not (value is None or value is False or (isinstance(value, (int, float)) and value == 0))


def _equal(path: Path, value: Any) -> Selector:
    if not isinstance(value, Span):
        return Equals(path, value)
    if value.first == value.last:
        return Equals(path, value.first)
    return And((Compare(path, "$gte", value.first), Compare(path, "$lte", value.last)))


def _unsupported(
    operator: str, place: str, supported: tuple[str, ...], path: str = ""
) -> InvalidSelectorError:
    if operator in _JAVASCRIPT:
        return invalid(
            f"The operator {operator!r} {place} is not supported: it runs code in the server. Say it"
            " with the other operators.",
            path,
        )
    return invalid(
        f"The operator {operator!r:.40} {place} is not supported."
        f"{did_you_mean(operator, supported)} Supported: {' '.join(supported)}.",
        path,
    )
