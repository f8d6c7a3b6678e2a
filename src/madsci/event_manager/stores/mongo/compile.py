"""A selector as MongoDB's filter.

The tree came from MongoDB's language, so each node has its operator there. Instants are texts of fixed
width in MongoDB's documents, whose order is their order in time. Integers beyond 64 bits, which BSON
does not have, become the nearest double.
"""

from __future__ import annotations

from typing import Any, Final

from madsci.common.clock import iso
from madsci.common.types.members import INSTANTS
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
    Selector,
    Text,
    conjuncts,
)
from madsci.event_manager.model.text_search import TextSearch
from madsci.event_manager.model.values import INT64

Filter = dict[str, Any]

_NEVER: Final[Filter] = {"$nor": [{}]}
_BITS: Final = 64


def compile_selector(selector: Selector) -> Filter:
    """Return the filter that finds what the selector means."""
    return _filter(selector, of_event=True)


def _filter(selector: Selector, *, of_event: bool) -> Filter:
    if isinstance(selector, And):
        parts = [_filter(part, of_event=of_event) for part in selector.parts]
        return parts[0] if len(parts) == 1 else {"$and": parts} if parts else {}
    if isinstance(selector, Or):
        parts = [_filter(part, of_event=of_event) for part in selector.parts]
        return {"$or": parts} if parts else _NEVER
    if isinstance(selector, Not):
        return {"$nor": [_filter(selector.part, of_event=of_event)]}
    if isinstance(selector, Text):
        return {"$text": _search(selector.search)}
    is_time = of_event and len(selector.path) == 1 and selector.path[0] in INSTANTS
    return {".".join(selector.path): _operators(selector, is_time=is_time)}


def _operators(leaf: Leaf, *, is_time: bool = False) -> Filter:
    """Return the operators that stand behind the path of a leaf."""
    if isinstance(leaf, Equals):
        return {"$eq": _value(leaf.value, is_time=is_time)}
    if isinstance(leaf, Compare):
        return {leaf.operator: _value(leaf.value, is_time=is_time)}
    if isinstance(leaf, In):
        return {"$in": [_value(one, is_time=is_time) for one in leaf.values]}
    if isinstance(leaf, ElementMatches):
        return {"$elemMatch": _filter(leaf.selector, of_event=False)}
    if isinstance(leaf, ElementPasses):
        return {"$elemMatch": _joined(leaf.test)}
    return _test(leaf)


def _test(leaf: Exists | HasType | Modulo | HasBits | HasSize | Matches) -> Filter:
    if isinstance(leaf, Exists):
        return {"$exists": True}
    if isinstance(leaf, HasType):
        return {"$type": sorted(leaf.types)}
    if isinstance(leaf, Modulo):
        return {"$mod": [leaf.divisor, leaf.remainder]}
    if isinstance(leaf, HasBits):
        return {leaf.operator: [place for place in range(_BITS) if leaf.mask >> place & 1]}
    if isinstance(leaf, HasSize):
        return {"$size": leaf.size}
    # Texts are UTF-8 in MongoDB, too, which does not need to be told.
    return {"$regex": leaf.pattern.text, "$options": leaf.pattern.options.replace("u", "")}


def _joined(test: Selector) -> Filter:
    """Return the operators of all parts, side by side as they were before parsing."""
    joined: Filter = {}
    for part in conjuncts(test):
        for operator, operand in _of_element(part).items():
            if operator == "$eq" and "$eq" in joined:
                joined["$all"] = [joined.pop("$eq"), operand]
            elif operator == "$eq" and "$all" in joined:
                joined["$all"].append(operand)
            else:
                joined[operator] = operand
    return joined


def _of_element(part: Selector) -> Filter:
    if isinstance(part, Not):
        inner = _joined(part.part)
        names = list(inner)
        if names == ["$exists"]:
            return {"$exists": False}
        return {_NEGATIONS[names[0]]: inner[names[0]]} if names in _NEGATED else {"$not": inner}
    if isinstance(part, Or):
        return {"$in": []}  # only an empty $all makes one here, and nothing passes it
    if isinstance(part, (And, Text)):
        return {}  # neither stands alone in the test of an element
    return _operators(part)


_NEGATIONS: Final = {"$eq": "$ne", "$in": "$nin"}
_NEGATED: Final = [["$eq"], ["$in"]]


def _value(value: Any, *, is_time: bool) -> Any:
    if is_time and isinstance(value, int):
        return iso(value)
    if type(value) is int and value not in INT64:
        return float(value)
    return value


def _search(search: TextSearch) -> Filter:
    parts = [
        *sorted(search.words),
        *(f'"{phrase}"' for phrase in search.phrases),
        *(f"-{word}" for word in sorted(search.unwanted_words)),
        *(f'-"{phrase}"' for phrase in search.unwanted_phrases),
    ]
    return {
        "$search": " ".join(parts),
        "$language": "none",
        "$caseSensitive": search.case_sensitive,
        "$diacriticSensitive": search.diacritic_sensitive,
    }
