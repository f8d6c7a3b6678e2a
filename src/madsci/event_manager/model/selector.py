"""The query language: a MongoDB-style selector parsed once into a small tree.

Every store compiles the tree; ``matcher`` is what it means. The language is an allow-list: what is not
written here is refused, with its name and place. So far: equality, ``$eq $ne $gt $gte $lt $lte $in
$nin $exists``, ``$and $or $nor $not``, dotted paths.

Three conveniences over MongoDB: ``event_id`` means ``_id``; a plain object given for ``source`` means
its members one by one; times, levels and types are read in any of their usual forms.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any, Final

from madsci.common.clock import parse_instant
from madsci.common.errors import InvalidSelectorError
from madsci.common.types.event_type import EventType
from madsci.common.types.log_level import level_number

TIME_FIELDS: Final = frozenset({"event_timestamp", "received_at", "archived_at"})
MAX_DEPTH: Final = 20
"""Nesting of $and, $or, $nor, $not: far beyond what people write, far below any stack."""
MAX_TERMS: Final = 1000
"""Comparisons in one selector, each listed value of ``$in`` counting as one."""
MAX_PATH: Final = 1000
"""Characters of a path."""
MAX_SEGMENTS: Final = 100
"""Names in a path; documents are nested less deeply."""
MAX_ALL_SEGMENTS: Final = 5000
"""Names in all paths together: stores look at each beginning of a path, and bind it."""

Path = tuple[str, ...]


@dataclass(frozen=True)
class And:
    """All parts hold; holds when there are none."""

    parts: tuple[Selector, ...]


@dataclass(frozen=True)
class Or:
    """At least one part holds."""

    parts: tuple[Selector, ...]


@dataclass(frozen=True)
class Not:
    """The part does not hold, also where it cannot be compared."""

    part: Selector


@dataclass(frozen=True)
class Equals:
    """A value at the path equals the operand, or is an array that contains it."""

    path: Path
    value: Any


@dataclass(frozen=True)
class Compare:
    """A value at the path, of the operand's kind, is greater or less than it.

    ``operator`` is one of ``$gt $gte $lt $lte``.
    """

    path: Path
    operator: str
    value: Any


@dataclass(frozen=True)
class In:
    """A value at the path equals one of the operands."""

    path: Path
    values: tuple[Any, ...]


@dataclass(frozen=True)
class Exists:
    """There is something at the path, be it null."""

    path: Path


Selector = And | Or | Not | Equals | Compare | In | Exists

EVERYTHING: Final = And(())


def parse_selector(value: object, naive_zone: tzinfo | None = None) -> Selector:
    """Parse a decoded JSON value as a selector.

    ``naive_zone`` is the zone of times without an offset, by default that of this machine.

    Raises:
        InvalidSelectorError: names the operator and the path that cannot be used.
    """
    if not isinstance(value, Mapping):
        raise _invalid(
            'A selector is a JSON object such as {} or {"log_level": {"$gte": 30}},'
            f" not {value!r:.80}."
        )
    return _Parser(naive_zone).document(value, 0)


def _invalid(message: str, path: str = "") -> InvalidSelectorError:
    return InvalidSelectorError(message, [{"loc": [path] if path else [], "msg": message}])


class _Parser:
    """One parse: counts terms, so that a selector cannot grow without bound."""

    def __init__(self, naive_zone: tzinfo | None) -> None:
        self._zone = naive_zone
        self._terms = 0
        self._segments = 0

    def document(self, selector: Mapping[str, Any], depth: int) -> Selector:
        if depth > MAX_DEPTH:
            raise _invalid(f"The selector is nested more than {MAX_DEPTH} levels deep. Flatten it.")
        parts = [self._member(key, value, depth) for key, value in selector.items()]
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def _member(self, key: str, value: Any, depth: int) -> Selector:
        if key in _LOGICAL:
            return _LOGICAL[key](self._list(key, value, depth))
        if key == "$comment":
            return EVERYTHING
        if key.startswith("$"):
            raise _invalid(
                f"The operator {key!r} is not supported at the top of a selector. Supported:"
                f" {', '.join((*_LOGICAL, '$comment'))}."
            )
        return self._field(self._path(key), key, value, depth)

    def _list(self, key: str, value: Any, depth: int) -> tuple[Selector, ...]:
        if not isinstance(value, list) or not value:
            raise _invalid(f"{key} takes a list of one or more selectors, not {value!r:.80}.")
        for part in value:
            if not isinstance(part, Mapping):
                raise _invalid(f"{key} takes a list of selectors; {part!r:.80} is none.")
        return tuple(self.document(part, depth + 1) for part in value)

    def _field(self, path: Path, name: str, value: Any, depth: int) -> Selector:
        if not isinstance(value, Mapping):
            return self._equals(path, name, value)
        operators = [key for key in value if key.startswith("$")]
        if operators and len(operators) == len(value):
            parts = [self._operator(path, name, key, value[key], depth) for key in operators]
            return parts[0] if len(parts) == 1 else And(tuple(parts))
        if operators:
            raise _invalid(f"{name} mixes operators and plain members: {value!r:.80}.", name)
        if path == ("source",):
            # "All events of this node" is what people mean, not "exactly this source and no more".
            members = [
                self._field(self._path(f"source.{key}"), f"source.{key}", member, depth + 1)
                for key, member in value.items()
            ]
            return members[0] if len(members) == 1 else And(tuple(members))
        return self._equals(path, name, value)

    def _operator(self, path: Path, name: str, operator: str, operand: Any, depth: int) -> Selector:
        if depth > MAX_DEPTH:
            raise _invalid(f"{name} is nested more than {MAX_DEPTH} levels deep.", name)
        if operator == "$not":
            if not isinstance(operand, Mapping) or not operand:
                raise _invalid(f"$not at {name} takes an object of operators.", name)
            if not all(key.startswith("$") for key in operand):
                raise _invalid(f"$not at {name} takes operators, not {operand!r:.80}.", name)
            return Not(self._field(path, name, operand, depth + 1))
        if operator in ("$eq", "$ne"):
            equals = self._equals(path, name, operand)
            return equals if operator == "$eq" else Not(equals)
        if operator in ("$gt", "$gte", "$lt", "$lte"):
            return Compare(path, operator, self._value(path, name, operand))
        if operator in ("$in", "$nin"):
            found = self._in(path, name, operator, operand)
            return found if operator == "$in" else Not(found)
        if operator == "$exists":
            self._count(1)
            return Exists(path) if operand else Not(Exists(path))
        raise _invalid(
            f"The operator {operator!r} at {name} is not supported. Supported: $eq $ne $gt $gte $lt"
            " $lte $in $nin $exists $not.",
            name,
        )

    def _in(self, path: Path, name: str, operator: str, operand: Any) -> In:
        if not isinstance(operand, list):
            raise _invalid(f"{operator} at {name} takes a list, not {operand!r:.80}.", name)
        for value in operand:
            if isinstance(value, Mapping) and any(key.startswith("$") for key in value):
                raise _invalid(f"{operator} at {name} takes values, not operators.", name)
        return In(path, tuple(self._value(path, name, value) for value in operand))

    def _equals(self, path: Path, name: str, value: Any) -> Equals:
        return Equals(path, self._value(path, name, value))

    def _value(self, path: Path, name: str, value: Any) -> Any:
        """Read an operand as the field keeps it."""
        self._count(1)
        if path[0] in TIME_FIELDS and len(path) == 1 and value is not None:
            try:
                return parse_instant(value, self._zone)
            except ValueError as error:
                raise _invalid(f"{name}: {error}", name) from error
        if path == ("log_level",) and isinstance(value, str):
            number = level_number(value)
            return value if number is None else number
        if path == ("event_type",) and isinstance(value, str):
            kind = EventType._value2member_map_.get(value) or EventType._missing_(value)
            return str(kind) if kind is not None else value
        return value

    def _path(self, name: str) -> Path:
        path = tuple(name.split("."))
        if len(name) > MAX_PATH or len(path) > MAX_SEGMENTS:
            raise _invalid(
                f"The path {name[:40]!r}... has more than {MAX_PATH} characters, or more than"
                f" {MAX_SEGMENTS} names."
            )
        self._segments += len(path)
        if self._segments > MAX_ALL_SEGMENTS:
            raise _invalid(
                f"The paths of the selector have more than {MAX_ALL_SEGMENTS} names. Ask in parts."
            )
        return ("_id", *path[1:]) if path[0] == "event_id" else path

    def _count(self, terms: int) -> None:
        self._terms += terms
        if self._terms > MAX_TERMS:
            raise _invalid(f"The selector has more than {MAX_TERMS} comparisons. Ask in parts.")


_LOGICAL: Final[dict[str, Callable[[tuple[Selector, ...]], Selector]]] = {
    "$and": And,
    "$or": Or,
    "$nor": lambda parts: Not(Or(parts)),
}
