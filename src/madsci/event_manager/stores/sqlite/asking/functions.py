"""What SQL asks Python: the predicates that only the matcher knows.

Leaves, patterns and searches are bound as parameters, which SQL hands on without looking at them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import apsw

from madsci.common.clock import iso
from madsci.event_manager.model.matcher import leaf_holds
from madsci.event_manager.model.pattern import Pattern
from madsci.event_manager.model.selector import Leaf
from madsci.event_manager.model.stored_event import decode_json
from madsci.event_manager.model.text_search import TextSearch, message_of


def install(connection: apsw.Connection) -> None:
    """Make the functions known to a connection."""
    for name, function, arguments in _FUNCTIONS:
        connection.create_scalar_function(name, function, arguments, deterministic=True)


def _leaf_holds(leaf: Leaf, column: str | None) -> bool:
    """Tell whether a leaf holds for the JSON of the column that its path begins with."""
    document: dict[str, Any] = {} if column is None else {leaf.path[0]: decode_json(column)}
    return leaf_holds(leaf, document)


def _text_holds(search: TextSearch, event_data: str) -> bool:
    return search.is_in(message_of(decode_json(event_data)))


def _pattern_found(pattern: Pattern, text: str) -> bool:
    return pattern.is_in(text)


_FUNCTIONS: Final[tuple[tuple[str, Callable[..., Any], int], ...]] = (
    ("leaf_holds", _leaf_holds, 2),
    ("text_holds", _text_holds, 2),
    ("pattern_found", _pattern_found, 2),
    ("instant_text", iso, 1),
)
