"""What a selector means: a predicate over documents, with MongoDB's semantics.

Plain on purpose: the memory store uses it, other stores use it for what their engine cannot tell, and
tests compare every engine with it. Semantics as documented for MongoDB's query operators
(https://www.mongodb.com/docs/manual/reference/operator/query/): values are compared within their
kind only, null also means missing, a path reaches into the elements of arrays.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum
from typing import Any, Final

from madsci.event_manager.model.selector import (
    And,
    Compare,
    Equals,
    Exists,
    In,
    Not,
    Or,
    Path,
    Selector,
)

_MISSING: Final = object()
_INDEX_DIGITS: Final = 18
"""Digits of an index; no list is longer, and longer numbers are names."""


class Kind(IntEnum):
    """The kinds of values, in MongoDB's sort order. A comparison never crosses kinds."""

    NULL = 0
    NUMBER = 1
    TEXT = 2
    OBJECT = 3
    ARRAY = 4
    BOOLEAN = 5


def matches(selector: Selector, document: dict[str, Any]) -> bool:
    """Tell whether the document matches."""
    if isinstance(selector, And):
        return all(matches(part, document) for part in selector.parts)
    if isinstance(selector, Or):
        return any(matches(part, document) for part in selector.parts)
    if isinstance(selector, Not):
        return not matches(selector.part, document)
    found = _values_at(document, selector.path, 0)
    if isinstance(selector, Exists):
        return any(value is not _MISSING for value in found)
    if isinstance(selector, Equals):
        return any(_same(value, selector.value) for value in found)
    if isinstance(selector, In):
        return any(_same(value, wanted) for value in found for wanted in selector.values)
    return _compares(selector, found)


def _compares(selector: Compare, found: Iterator[Any]) -> bool:
    accepted = _ACCEPTED_SIGNS[selector.operator]
    kind = kind_of(selector.value)
    return any(
        kind_of(value) == kind and _compare(value, selector.value) in accepted for value in found
    )


_ACCEPTED_SIGNS: Final = {"$gt": {1}, "$gte": {0, 1}, "$lt": {-1}, "$lte": {-1, 0}}


def _values_at(value: Any, path: Path, depth: int) -> Iterator[Any]:
    """Yield every value that the path reaches, the missing one included.

    An array at the end of the path stands for itself and for each element; in the middle its
    elements that are objects are walked, and a number is both an index and a key.
    """
    if depth == len(path):
        yield value
        if isinstance(value, list):
            yield from value
        return
    if isinstance(value, dict):
        name = path[depth]
        if name in value:
            yield from _values_at(value[name], path, depth + 1)
        else:
            yield _MISSING
    elif isinstance(value, list):
        yield from _values_in_array(value, path, depth)
    else:
        yield _MISSING


def _values_in_array(array: list[Any], path: Path, depth: int) -> Iterator[Any]:
    name = path[depth]
    if _is_index(name):
        index = int(name)
        if index < len(array):
            if depth + 1 == len(path):
                yield array[index]  # an element named by its index stands for itself only
            else:
                yield from _values_at(array[index], path, depth + 1)
    for element in array:
        if isinstance(element, dict):
            yield from _values_at(element, path, depth)


def _is_index(name: str) -> bool:
    canonical = name == "0" or not name.startswith("0")
    return name.isascii() and name.isdigit() and canonical and len(name) <= _INDEX_DIGITS


def kind_of(value: Any) -> Kind:
    """Return the kind within which a value is compared; missing counts as null."""
    if value is None or value is _MISSING:
        return Kind.NULL
    if isinstance(value, bool):
        return Kind.BOOLEAN
    if isinstance(value, (int, float)):
        return Kind.NUMBER
    if isinstance(value, str):
        return Kind.TEXT
    return Kind.ARRAY if isinstance(value, list) else Kind.OBJECT


def _same(left: Any, right: Any) -> bool:
    return kind_of(left) == kind_of(right) and _compare(left, right) == 0


def _compare(left: Any, right: Any) -> int:
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
        sign = _compare(one, other)
        if sign:
            return sign
    return int(len(left) > len(right)) - int(len(left) < len(right))
