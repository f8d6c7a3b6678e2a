"""A selector as programs have it, as the JSON that servers read.

Compiled patterns, times, enumerations, ids, sets and arrays mean what they say. What would silently
find nothing is refused with its place: no event holds a function, or the address of an object.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping, Sequence, ValuesView
from collections.abc import Set as AbstractSet
from datetime import date, datetime, time, timedelta
from enum import Enum
from ipaddress import IPv4Address, IPv6Address
from pathlib import PurePath
from typing import Any, Final
from uuid import UUID

from pydantic import BaseModel

from madsci.client.reading.argument_types import Moment
from madsci.common.asked_time import read_asked_time
from madsci.common.clock import FIRST_US, LAST_US, iso
from madsci.common.jsonable import to_jsonable
from madsci.common.types.members import INSTANTS

MAX_DEPTH: Final = 100
"""Levels of nesting, of which servers take 20: what is deeper is inside itself."""

_TIMES: Final = tuple(INSTANTS)
_LOGIC: Final = ("$and", "$or", "$nor")
_LISTING: Final = ("$in", "$nin", "$all")
_BOUNDS: Final = ("$gt", "$gte", "$lt", "$lte")
_ENDS: Final = (" $gt", " $lte", "end_time")
"""Where a day means its last instant."""
_FLAGS: Final = {re.IGNORECASE: "i", re.MULTILINE: "m", re.DOTALL: "s", re.VERBOSE: "x"}
_READ_BEFORE: Final = re.UNICODE | re.ASCII | re.DEBUG
"""Flags that tell how a pattern is read, which ``_as_pcre`` sees to."""
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)
_AS_EVENTS_HOLD: Final = (str, int, float, time, timedelta, bytes, bytearray, memoryview)
_LISTS: Final = (Sequence, AbstractSet, ValuesView)
_AS_TEXT: Final = (UUID, PurePath, IPv4Address, IPv6Address)
_IDS: Final = ("ObjectId", "ULID")
"""Classes of other libraries whose text is an id."""


def selector_json(selector: Any) -> dict[str, Any]:
    """Return a selector as plain JSON data.

    Times that are compared with those of events become instants, others the text that a log call makes.

    Raises:
        TypeError, ValueError: a value cannot be meant, or not be said to a server; names its place.
    """
    if not isinstance(selector, Mapping):
        raise TypeError(
            f"A selector is a dict such as {{'log_level': {{'$gte': 30}}}}, not {selector!r:.80}."
        )
    return _members(selector, "", 0)


def instant_text(moment: Moment, place: str) -> str:
    """Return a time in canonical form; ``datetime.min`` and ``max`` are the first and the last instant.

    Of a day, ``end_time``, ``$lte`` and ``$gt`` mean its last instant, others its first. Relative times
    are relative to this call.

    Raises:
        TypeError, ValueError: it is no time.
    """
    if isinstance(moment, date) and not isinstance(moment, datetime):
        moment = datetime.max if moment == date.max else moment.isoformat()  # noqa: DTZ901
    if isinstance(moment, datetime):
        # In whichever zone they are: who writes them means no bound.
        bare = moment.replace(tzinfo=None)
        if bare in (datetime.min, datetime.max):  # noqa: DTZ901
            return iso(LAST_US if bare.year > 1 else FIRST_US)
    try:
        span = read_asked_time(moment)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"{place}: {error}.") from None
    return iso(span.last if place.endswith(_ENDS) else span.first)


def id_text(value: Any, place: str) -> str:
    """Return an id as text, also where it is a UUID or an id of another library.

    Raises:
        TypeError, ValueError: it is no id, or empty.
    """
    if isinstance(value, (UUID, str)) or type(value).__name__ in _IDS:
        if text := str(value):
            return text
        raise ValueError(f"{place}: an id is not empty. Give that of an event.")
    raise TypeError(f"{place}: {value!r:.80} is no id. Ids are texts.")


def _members(members: Mapping[Any, Any], place: str, depth: int) -> dict[str, Any]:
    """Convert an object. ``place`` is the names that lead to it, with blanks between."""
    # Here names are paths; elsewhere they are operators, or members of an object that is a value.
    has_paths = not place or place in ("source", "sender") or place.endswith("$elemMatch")
    found: dict[str, Any] = {}
    for key, value in members.items():
        name = key.value if isinstance(key, Enum) else key
        if not isinstance(name, str):
            raise TypeError(f"{place or 'The selector'}: names are texts, not {key!r:.80}.")
        at = place if name in _LOGIC else f"{place} {name}".lstrip()
        if not _is_pattern(value):
            found.setdefault(name, _plain(value, at, depth + 1))  # $options may have come already
        elif name == "$regex":
            found.update(_regex(value, at, str(members.get("$options", ""))))
        elif name == "$not" or (has_paths and not name.startswith("$")):
            found[name] = _regex(value, at)
        else:
            raise _unmeant(value, at)
    return found


def _plain(value: Any, place: str, depth: int) -> Any:
    """Convert a value, which is what a log call would have made of it."""
    if depth > MAX_DEPTH:
        raise ValueError(f"{place}: the selector is nested more than {MAX_DEPTH} levels deep.")
    if isinstance(value, Enum):
        return _plain(value.value, place, depth + 1)
    if isinstance(value, date) or type(value).__name__ == "datetime64":
        return _time(value, place)
    if isinstance(value, timedelta) and place.startswith(_TIMES):
        raise ValueError(
            f"{place}: {value} is a length of time. Write when: '-1h', or datetime.now() - it."
        )
    if isinstance(value, float) and not math.isfinite(value) and place.endswith(_BOUNDS):
        raise ValueError(f"{place}: {value} is no bound. Leave it out.")
    if value is None or isinstance(value, _AS_EVENTS_HOLD):
        return to_jsonable(value)
    if isinstance(value, _AS_TEXT) or type(value).__name__ in _IDS:
        return str(value)
    return _container(value, place, depth)


def _container(value: Any, place: str, depth: int) -> Any:
    is_record = dataclasses.is_dataclass(value) and not isinstance(value, type)
    if is_record or isinstance(value, BaseModel):
        value = to_jsonable(value)
    if isinstance(value, Mapping):
        return _members(value, place, depth)
    for method in ("tolist", "to_list"):  # numbers, arrays and columns of other libraries
        if hasattr(type(value), method):
            return _plain(getattr(value, method)(), place, depth + 1)
    if isinstance(value, _LISTS):
        return [_item(one, place, depth + 1) for one in value]
    raise _unmeant(value, place)


def _item(value: Any, place: str, depth: int) -> Any:
    if not _is_pattern(value):
        return _plain(value, place if isinstance(value, Mapping) else f"{place} item".lstrip(), depth)
    if not place.endswith(_LISTING):
        raise _unmeant(value, place)
    regex = _regex(value, place)
    return {"$regularExpression": {"pattern": regex["$regex"], "options": regex["$options"]}}


def _time(value: Any, place: str) -> Any:
    if not place.startswith(_TIMES):
        return to_jsonable(value)
    if not isinstance(value, date):  # numpy's
        value = value.astype("datetime64[us]").item()
    if not isinstance(value, datetime) and not place.endswith(_BOUNDS):
        raise ValueError(
            f"{place}: no event is as long as the day {value}. Ask for {{'$gte': it, '$lt': the next}}."
        )
    return instant_text(value, place)


def _is_pattern(value: Any) -> bool:
    return isinstance(value, re.Pattern) or type(value).__name__ == "Regex"  # pymongo's


def _regex(pattern: Any, place: str, options: str = "") -> dict[str, str]:
    """Return a pattern as ``$regex`` and ``$options``, with the meaning that it has in its library."""
    text, flags = pattern.pattern, re.RegexFlag(pattern.flags) & ~_READ_BEFORE
    if not isinstance(text, str):
        raise TypeError(
            f"{place}: the pattern {text!r:.80} is of bytes. Compile a text, as events hold."
        )
    for flag, letter in _FLAGS.items():
        if flags & flag:
            options = options.replace(letter, "") + letter
            flags &= ~flag
    if flags:
        raise ValueError(
            f"{place}: the query language has no {flags!s}, as the pattern {text!r:.80} has."
        )
    is_python = isinstance(pattern, re.Pattern)
    return {"$regex": _as_pcre(text, pattern.flags, place) if is_python else text, "$options": options}


def _as_pcre(text: str, flags: int, place: str) -> str:
    r"""Say in PCRE what is said otherwise: there ``\w`` means ASCII, and ``\Z`` bears a newline."""
    if flags & re.ASCII and flags & re.IGNORECASE and not text.isascii():
        raise ValueError(
            f"{place}: with re.ASCII, the case of some letters of {text!r:.80} counts, which the query"
            " language does not have. Leave re.ASCII out."
        )
    escapes = {escape[1] for escape in _ESCAPE.finditer(text)}
    text = _ESCAPE.sub(lambda escape: r"\z" if escape[1] == "Z" else escape[0], text)
    return text if flags & re.ASCII or escapes.isdisjoint("wWdDsSbB") else f"(*UCP){text}"


def _unmeant(value: Any, place: str) -> TypeError:
    advice = "Give a text, a number, a time, an id, or a list of these."
    if _is_pattern(value):
        advice = "A pattern is the value of a path, or stands in $in, $nin, $all, $not or $regex."
    return TypeError(
        f"{place or 'The selector'}: no event holds a {type(value).__name__}: {value!r:.80}. {advice}"
    )
