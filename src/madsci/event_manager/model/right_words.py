"""Words that a question may use, and the nearest one where it uses another.

A misspelt name finds nothing, and a negated one everything, which both look like answers.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from madsci.common.flattening import column_name
from madsci.common.nearest import did_you_mean, nearest
from madsci.common.types.event_type import EventType
from madsci.common.types.log_level import EventLogLevel, level_number
from madsci.common.types.members import FLAGS, NAMES, OBJECTS
from madsci.common.types.ownership_ids import OWNERSHIP_IDS
from madsci.event_manager.model.pattern import Pattern
from madsci.event_manager.model.selector import Path

_TYPES_LISTED: Final = " The types are listed at /docs."


def is_member(path: Path) -> bool:
    """Tell whether a path begins with a member of events."""
    return path[0] in NAMES


def no_member(path: Path) -> str:
    """Say that no event has what a path begins with, and which path may be meant."""
    first = path[0]
    if not first:
        return "a path begins with the name of a member of events, such as event_data"
    own = next((name for name in sorted(NAMES) if name.endswith(f"_{first}")), None)
    own = own or nearest(first, NAMES)
    if first in OWNERSHIP_IDS:
        meant = ("source", *path)
    else:
        meant = (own, *path[1:]) if own else ("event_data", *path)
    told = f"no event has a member {first!r:.80}. Did you mean {column_name(meant):.200}?"
    if meant[0] == "event_data":
        return f"{told} What senders add stands under event_data"
    return f"{told} Members are listed at /docs"


def member_value(path: Path, value: object) -> object:
    """Return a value as a member of events keeps it: a level as its number, a type in lower case.

    Raises:
        ValueError: no event can have it: a word that is no level or type, or no flag.
    """
    if len(path) != 1:
        return value
    member = path[0]
    if member == "log_level" and isinstance(value, str):
        number = level_number(value)
        if number is None:
            names = list(EventLogLevel.__members__)
            meant = did_you_mean(value, names) or f" Levels are {', '.join(names)}, or numbers."
            raise ValueError(f"{value!r:.80} is no level.{meant}")
        return number
    if member == "event_type" and isinstance(value, str):
        kind = EventType._value2member_map_.get(value) or EventType._missing_(value)
        if kind is None:
            meant = did_you_mean(value, [one.value for one in EventType])
            raise ValueError(f"{value!r:.80} is no type of events.{meant or _TYPES_LISTED}")
        return str(kind)
    if member in FLAGS and isinstance(value, (str, int, float)) and not isinstance(value, bool):
        raise ValueError(f"it is true or false, not {value!r:.80}.")
    return value


def check_pattern(path: Path, pattern: Pattern) -> None:
    """Raise ``ValueError`` for a pattern that finds nothing in a level or in the name of any type."""
    if path == ("log_level",):
        raise ValueError('a level is a number and has no text. Compare it: {"$gte": "ERROR"}.')
    if path == ("event_type",) and not any(pattern.is_in(kind.value) for kind in EventType):
        raise ValueError(f"the pattern {pattern.text!r:.80} finds no type of events.{_TYPES_LISTED}")


def forgotten_sign(path: Path, names: Iterable[str], operators: Iterable[str]) -> str | None:
    """Return the operator that is meant where a member that is no object is given one without ``$``."""
    if len(path) != 1 or path[0] in OBJECTS:
        return None
    known = frozenset(operators)
    return next((f"${name}" for name in names if f"${name}" in known), None)
