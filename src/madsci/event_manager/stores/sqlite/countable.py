"""Terms in clear: what facets count, so that the inverted index itself holds how many there are.

A facet asks for the value of a member in ``source`` or, where there is none, in ``event_data``. So a
value has one term for each of the two, and a third where an event has both, which is taken off. One
of ``sender`` stands there only. What is not one short text (a list, a number, a long text) is written
as a hash, and the event gets a mark by which a facet finds it and asks it: see ``asking.facets``.
"""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import Any, Final

from madsci.event_manager.model.selector import Path
from madsci.event_manager.model.tally import GROUPINGS, Grouping

MARK: Final = "\N{CURRENCY SIGN}"
"""Begins each term that is no word: to the tokenizer a letter, and in no word of a message."""
_LONGEST: Final = 48
"""Bytes of a value in clear: twice as many in the index, once for each value."""
_COUNTED_OTHERWISE: Final = frozenset({"type", "level", "node"})
_DIGITS: Final = {
    name: str(digit)
    for digit, name in enumerate(name for name in GROUPINGS if name not in _COUNTED_OTHERWISE)
}
"""The digits of facets. They stand in the files: a new facet comes behind the others."""


def _name(path: Path) -> str:
    return ".".join(path)


COUNTED_MEMBERS: Final = {
    _name(path): f"{MARK}{kind}{_DIGITS[grouping.name]}"
    for grouping in GROUPINGS.values()
    if grouping.name in _DIGITS
    for kind, path in zip("sd", grouping.paths, strict=False)
}
"""What the terms of a member begin with, by its path."""
_LOWER: Final = re.compile("[0-9a-z_]+")
_UPPER: Final = re.compile("[0-9A-Z_]+")
END: Final = "v"
"""Behind the beginning of a facet, it is greater than all of the facet's terms."""
_TYPE: Final = f"{MARK}t"
_LONG_TYPE: Final = f"{_TYPE}_"


def is_countable(value: Any) -> bool:
    """Tell whether a value is written in clear: it is a text, not empty, not long, and has no NUL."""
    return (
        isinstance(value, str)
        and 0 < len(value) <= _LONGEST
        and "\0" not in value
        and len(value.encode()) <= _LONGEST
    )


def counted_term(path: str, value: str) -> str:
    """Return the term of a countable value."""
    return COUNTED_MEMBERS[path] + _coded(value)


def overridden_term(path: str, value: str) -> str:
    """Return the further term of a value in ``event_data`` that ``source`` has another one for."""
    return f"{MARK}o{COUNTED_MEMBERS[path][-1]}{_coded(value)}"


def mark_of_uncountable(path: str) -> str:
    """Return the mark of an event of which a facet has to ask what it is counted under."""
    return f"{MARK}x{COUNTED_MEMBERS[path][-1]}"


def type_term(event_type: str) -> str:
    """Return the term of an event type."""
    if is_countable(event_type):
        return _TYPE + _coded(event_type)
    return _LONG_TYPE + blake2b(event_type.encode(), digest_size=8).hexdigest()


def counted_beginnings(grouping: Grouping) -> dict[str, int] | None:
    """Return what the terms of a facet begin with, and whether they add to it or are taken off.

    ``None`` for a facet that the index does not hold.
    """
    if grouping == GROUPINGS["type"]:
        return {_TYPE: 1}
    digit = _DIGITS.get(grouping.name)
    if digit is None or GROUPINGS[grouping.name] != grouping:
        return None
    if len(grouping.paths) == 1:
        return {f"{MARK}s{digit}": 1}
    return {f"{MARK}s{digit}": 1, f"{MARK}d{digit}": 1, f"{MARK}o{digit}": -1}


def mark_for(grouping: Grouping) -> str | None:
    """Return the mark of the events that a facet has to ask, if it may have such."""
    digit = _DIGITS.get(grouping.name)
    return None if digit is None else f"{MARK}x{digit}"


def value_in(term: str, beginning: str) -> str | None:
    """Return the value that a term says; ``None`` where it is not in clear."""
    kind, coded = term[len(beginning) :][:1], term[len(beginning) + 1 :]
    if kind == "h":
        return bytes.fromhex(coded).decode()
    return {"l": coded, "u": coded.upper()}.get(kind)


def _coded(value: str) -> str:
    """Write a value in small letters and digits, which the tokenizer neither folds nor cuts."""
    if _LOWER.fullmatch(value):
        return f"l{value}"
    return f"u{value.lower()}" if _UPPER.fullmatch(value) else f"h{value.encode().hex()}"
