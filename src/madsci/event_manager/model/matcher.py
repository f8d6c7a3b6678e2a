"""What a selector means: a predicate over documents, with MongoDB's semantics.

Plain on purpose: the memory store uses it, other stores use it for what their engine cannot tell, and
tests compare every engine with it. Semantics as documented for MongoDB's query operators
(https://www.mongodb.com/docs/manual/reference/operator/query/): values are compared within their
kind only, null also means missing, a path reaches into the elements of arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from madsci.common.clock import iso
from madsci.event_manager.model.selector import (
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
    Leaf,
    Matches,
    Modulo,
    Not,
    Or,
    Path,
    Selector,
    Text,
)
from madsci.event_manager.model.text_search import message_of
from madsci.event_manager.model.values import (
    MISSING,
    compare,
    is_same,
    kind_of,
    type_of,
    whole_number,
)

_INDEX_DIGITS: Final = 18
"""Digits of an index; no list is longer, and longer numbers are names."""


def matches(selector: Selector, document: dict[str, Any]) -> bool:
    """Tell whether the document matches.

    Raises:
        QueryTimeoutError: a regular expression takes too many steps.
    """
    holds = _TESTS.get(type(selector))
    if holds is not None:  # most are leaves
        return _reaches(holds, selector, document)
    if isinstance(selector, And):
        for part in selector.parts:  # noqa: SIM110 - a generator costs as much as a leaf
            if not matches(part, document):
                return False
        return True
    if isinstance(selector, Or):
        return any(matches(part, document) for part in selector.parts)
    if isinstance(selector, Not):
        return not matches(selector.part, document)
    if isinstance(selector, Text):
        return selector.search.is_in(message_of(document.get("event_data")))
    return leaf_holds(selector, document)


def leaf_holds(leaf: Leaf, value: Any) -> bool:
    """Tell whether a leaf holds for what its path reaches from a value."""
    if isinstance(leaf, (HasSize, ElementMatches, ElementPasses)):
        # The array itself is meant: arrays at the end of the path are not looked into.
        arrays = _values_at(value, leaf.path, 0, into_last=False)
        return any(_array_holds(leaf, one) for one in arrays if isinstance(one, list))
    return _reaches(_TESTS[type(leaf)], leaf, value)


def _reaches(holds: Callable[[Any, Any], bool], leaf: Any, value: Any) -> bool:
    plain = _plain_value(value, leaf.path)
    if plain is not _SEVERAL:
        return holds(leaf, plain)
    return any(holds(leaf, one) for one in _values_at(value, leaf.path, 0, into_last=bool(leaf.path)))


def _plain_value(value: Any, path: Path) -> Any:
    """Return what a path reaches where there is no array on it, which is quick; else ``_SEVERAL``."""
    for name in path:
        if not isinstance(value, dict):
            return _SEVERAL if isinstance(value, list) else MISSING
        value = value.get(name, MISSING)
    return _SEVERAL if isinstance(value, list) else value


_SEVERAL: Final = object()


def _array_holds(leaf: HasSize | ElementMatches | ElementPasses, array: list[Any]) -> bool:
    if isinstance(leaf, HasSize):
        return len(array) == leaf.size
    if isinstance(leaf, ElementPasses):
        return any(_element_passes(leaf.test, element) for element in array)
    return any(
        matches(leaf.selector, _as_document(element))
        for element in array
        if isinstance(element, (dict, list))
    )


def _as_document(element: dict[str, Any] | list[Any]) -> dict[str, Any]:
    # As MongoDB does, an array among the elements is read as an object with its indexes for names.
    if isinstance(element, dict):
        return element
    return {str(index): value for index, value in enumerate(element)}


def _element_passes(test: Selector, element: Any) -> bool:
    if isinstance(test, And):
        return all(_element_passes(part, element) for part in test.parts)
    if isinstance(test, Or):
        return any(_element_passes(part, element) for part in test.parts)
    if isinstance(test, Not):
        return not _element_passes(test.part, element)
    return not isinstance(test, Text) and leaf_holds(test, element)


def _compares(leaf: Compare, value: Any) -> bool:
    same_kind = kind_of(value) == kind_of(leaf.value)
    return same_kind and compare(value, leaf.value) in _ACCEPTED_SIGNS[leaf.operator]


_ACCEPTED_SIGNS: Final = {"$gt": {1}, "$gte": {0, 1}, "$lt": {-1}, "$lte": {-1, 0}}


def _leaves_remainder(leaf: Modulo, value: Any) -> bool:
    number = whole_number(value)
    if number is None:
        return False
    remainder = abs(number) % abs(leaf.divisor)
    return (remainder if number >= 0 else -remainder) == leaf.remainder


def _has_bits(leaf: HasBits, value: Any) -> bool:
    number = whole_number(value)
    if number is None or number != value:
        return False
    # Bits of a negative number go on for ever, as those of its two's complement do.
    have = number & leaf.mask
    if leaf.operator == "$bitsAllSet":
        return have == leaf.mask
    if leaf.operator == "$bitsAnySet":
        return have != 0
    return have == 0 if leaf.operator == "$bitsAllClear" else have != leaf.mask


def _finds(leaf: Matches, value: Any) -> bool:
    if leaf.of_instant and isinstance(value, int):
        value = iso(value)
    return isinstance(value, str) and leaf.pattern.is_in(value)


_TESTS: Final[dict[type, Callable[[Any, Any], bool]]] = {
    Equals: lambda leaf, value: is_same(value, leaf.value),
    In: lambda leaf, value: any(is_same(value, wanted) for wanted in leaf.values),
    Compare: _compares,
    Exists: lambda _, value: value is not MISSING,
    HasType: lambda leaf, value: type_of(value) in leaf.types,
    Modulo: _leaves_remainder,
    HasBits: _has_bits,
    Matches: _finds,
}


def values_at(value: Any, path: Path) -> Iterator[Any]:
    """Yield every value that a path reaches, the elements of an array at its end included."""
    return _values_at(value, path, 0, into_last=True)


def _values_at(value: Any, path: Path, depth: int, *, into_last: bool) -> Iterator[Any]:
    """Yield every value that the path reaches, the missing one included.

    An array at the end of the path stands for itself and for each element; in the middle its
    elements that are objects are walked, and a number is both an index and a key.
    """
    if depth == len(path):
        yield value
        if into_last and isinstance(value, list):
            yield from value
    elif isinstance(value, dict):
        name = path[depth]
        if name in value:
            yield from _values_at(value[name], path, depth + 1, into_last=into_last)
        else:
            yield MISSING
    elif isinstance(value, list):
        yield from _values_in_array(value, path, depth, into_last=into_last)
    else:
        yield MISSING


def _values_in_array(array: list[Any], path: Path, depth: int, *, into_last: bool) -> Iterator[Any]:
    name = path[depth]
    if _is_index(name):
        index = int(name)
        element = array[index] if index < len(array) else MISSING
        if depth + 1 == len(path):
            if element is not MISSING:
                yield element  # an element named by its index stands for itself only
        elif isinstance(element, (dict, list)):
            yield from _values_at(element, path, depth + 1, into_last=into_last)
    for element in array:
        if isinstance(element, dict):
            yield from _values_at(element, path, depth, into_last=into_last)


def _is_index(name: str) -> bool:
    canonical = name == "0" or not name.startswith("0")
    return name.isascii() and name.isdigit() and canonical and len(name) <= _INDEX_DIGITS
