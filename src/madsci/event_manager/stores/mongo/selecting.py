"""What of a selector the server answers, and what is left to ``model.matcher``.

MongoDB defines what selectors mean, so it answers all that its documents can tell. Servers that speak
its protocol differ from it in many places; there only comparisons of members that every event has, in
one form, are left to them, and the rest of the selector is asked of each event they find.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from madsci.common.types.members import FLAGS, INSTANTS
from madsci.event_manager.model.selector import (
    And,
    Compare,
    ElementMatches,
    ElementPasses,
    Equals,
    HasType,
    In,
    Leaf,
    Not,
    Or,
    Selector,
    Text,
    conjuncts,
)
from madsci.event_manager.model.values import INT64
from madsci.event_manager.stores.mongo.compile import Filter, compile_selector

_TEXTS: Final = frozenset({"_id", "event_type"})
_OF_TEXTS: Final = frozenset({"source", "sender"})


def split(selector: Selector, *, all_of_it: bool) -> tuple[Filter, Selector | None]:
    """Return the filter for the server, and what is still to be asked of the events that it finds.

    ``all_of_it``: the server is MongoDB itself.
    """
    tells = _mongodb_tells if all_of_it else _every_server_tells
    asked: list[Selector] = []
    left: list[Selector] = []
    for part in conjuncts(selector):
        is_second = isinstance(part, Text) and any(isinstance(one, Text) for one in asked)
        (asked if tells(part) and not is_second else left).append(part)
    return compile_selector(And(tuple(asked))), And(tuple(left)) if left else None


def _mongodb_tells(part: Selector) -> bool:
    # MongoDB takes $text at the top only.
    return isinstance(part, Text) or _holds_of_leaves(part, _is_bson)


def _holds_of_leaves(part: Selector, test: Callable[[Leaf], bool]) -> bool:
    if isinstance(part, (And, Or)):
        return all(_holds_of_leaves(one, test) for one in part.parts)
    if isinstance(part, Not):
        return _holds_of_leaves(part.part, test)
    return not isinstance(part, Text) and test(part)


def _is_bson(leaf: Leaf) -> bool:
    """Tell whether documents show what a leaf asks for: not where ``codec`` had to change something."""
    if any(not name or name.startswith("$") or "\0" in name or "." in name for name in leaf.path):
        return False
    if isinstance(leaf, HasType):
        return "decimal" not in leaf.types
    if isinstance(leaf, ElementMatches):
        return _holds_of_leaves(leaf.selector, _is_bson)
    if isinstance(leaf, ElementPasses):  # its operators stand side by side: MongoDB has no "or" there
        return not _has_alternatives(leaf.test) and _holds_of_leaves(leaf.test, _is_bson)
    values: Any = leaf.values if isinstance(leaf, In) else getattr(leaf, "value", None)
    return _fits(list(values) if isinstance(values, tuple) else values)


def _has_alternatives(test: Selector) -> bool:
    if isinstance(test, Not):
        return _has_alternatives(test.part)
    if isinstance(test, Or):
        return bool(test.parts)
    return isinstance(test, And) and any(map(_has_alternatives, test.parts))


def _fits(value: Any) -> bool:
    if isinstance(value, dict):
        return all(
            _fits(member) and not name.startswith("$") and "\0" not in name and "." not in name
            for name, member in value.items()
        )
    if isinstance(value, list):
        return all(map(_fits, value))
    return type(value) is not int or value in INT64


def _every_server_tells(part: Selector) -> bool:
    if isinstance(part, (And, Or)):
        return bool(part.parts) and all(map(_every_server_tells, part.parts))
    if not isinstance(part, (Equals, Compare, In)):
        return False
    values = part.values if isinstance(part, In) else (part.value,)
    return bool(values) and all(_is_plain(part.path, value) for value in values)


def _is_plain(path: tuple[str, ...], value: Any) -> bool:
    if len(path) == 2 and path[0] in _OF_TEXTS:  # noqa: PLR2004 - and the name of a text in it
        return isinstance(value, str) and path[1].isidentifier()
    if len(path) != 1:
        return False
    name = path[0]
    if name in _TEXTS:
        return isinstance(value, str)
    if name in FLAGS:
        return isinstance(value, bool)
    return type(value) is int and value in INT64 and (name == "log_level" or name in INSTANTS)
