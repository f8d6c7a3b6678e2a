"""The values of JSON in MongoDB's order: their kinds, and comparing two of them.

See https://www.mongodb.com/docs/manual/reference/bson-type-comparison-order/.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, Final

MISSING: Final = object()
"""What stands at a path that leads nowhere. It is compared as null is."""

INT32: Final = range(-(2**31), 2**31)
INT64: Final = range(-(2**63), 2**63)


class Kind(IntEnum):
    """The kinds of values, in MongoDB's sort order. A comparison never crosses kinds."""

    NULL = 0
    NUMBER = 1
    TEXT = 2
    OBJECT = 3
    ARRAY = 4
    BOOLEAN = 5


_KINDS: Final[dict[type, Kind]] = {
    type(None): Kind.NULL, bool: Kind.BOOLEAN, int: Kind.NUMBER, float: Kind.NUMBER, str: Kind.TEXT,
    list: Kind.ARRAY, dict: Kind.OBJECT,
}  # fmt: skip
"""Of the types that decoded JSON has, which are told at once."""


def kind_of(value: Any) -> Kind:
    """Return the kind within which a value is compared; missing counts as null."""
    kind = _KINDS.get(type(value))
    if kind is not None:
        return kind
    if value is None or value is MISSING:
        return Kind.NULL
    if isinstance(value, bool):
        return Kind.BOOLEAN
    if isinstance(value, (int, float)):
        return Kind.NUMBER
    if isinstance(value, str):
        return Kind.TEXT
    return Kind.ARRAY if isinstance(value, list) else Kind.OBJECT


def type_of(value: Any) -> str:
    """Return MongoDB's name for the type in which a value would be stored; missing is ``missing``.

    Integers beyond 64 bits, which MongoDB does not have, count as decimals.
    """
    if value is MISSING:
        return "missing"
    if isinstance(value, int) and not isinstance(value, bool):
        return "int" if value in INT32 else "long" if value in INT64 else "decimal"
    if isinstance(value, float):
        return "double"
    return _TYPE_NAMES[kind_of(value)]


_TYPE_NAMES: Final = {
    Kind.NULL: "null",
    Kind.TEXT: "string",
    Kind.OBJECT: "object",
    Kind.ARRAY: "array",
    Kind.BOOLEAN: "bool",
}


def whole_number(value: Any) -> int | None:
    """Return a number without its fraction where 64 bits hold that, as MongoDB's ``$mod`` reads it."""
    if kind_of(value) is not Kind.NUMBER:
        return None
    whole = int(value)
    return whole if whole in INT64 else None


def is_same(left: Any, right: Any) -> bool:
    """Tell whether two values are equal: 1 and 1.0 are, 1 and true are not."""
    if type(left) in _AS_PYTHON and type(left) is type(right):
        return bool(left == right)
    return kind_of(left) == kind_of(right) and compare(left, right) == 0


_AS_PYTHON: Final = frozenset({str, int, bool})
"""Types whose values are equal where Python says so."""


def compare(left: Any, right: Any) -> int:
    """Compare two values of any kinds in MongoDB's order: -1, 0 or 1."""
    kind, other = kind_of(left), kind_of(right)
    if kind != other:
        return -1 if kind < other else 1
    if kind == Kind.NULL:
        return 0
    if kind == Kind.ARRAY:
        return _compare_sequences(left, right)
    if kind == Kind.OBJECT:
        # Objects are compared member by member in their order: kind of value, name, value.
        return _compare_sequences(_members(left), _members(right))
    return int(left > right) - int(left < right)


def _members(value: dict[str, Any]) -> list[Any]:
    return [part for name, member in value.items() for part in (kind_of(member), name, member)]


def _compare_sequences(left: list[Any], right: list[Any]) -> int:
    for one, other in zip(left, right, strict=False):
        sign = compare(one, other)
        if sign:
            return sign
    return int(len(left) > len(right)) - int(len(left) < len(right))
