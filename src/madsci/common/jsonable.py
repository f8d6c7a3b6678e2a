"""Any Python value as bounded JSON: a log call takes whatever the program has at hand and never fails.

What JSON has is kept as it is. The rest becomes what a reader of the event understands best:

====================================  ==============================================================
exceptions                            object of ``exception_type``, ``exception_message``, ``traceback``
dataclasses, attrs, models, dicts     object
named tuples, rows, C structures      object
sets, tuples, deques                  list
arrays, series, frames, quantities    see ``array_values``
enumerations, numpy scalars           their value
proxies                               what they stand for
dates and times                       ISO 8601 text
``timedelta``                         seconds
``bytes``                             their UTF-8 text, else ``base64:`` and the base64 text
NaN and the infinities                ``"NaN"``, ``"Infinity"``, ``"-Infinity"``
types                                 dotted name
anything else                         ``str(value)``
====================================  ==============================================================

What is larger than the limits is cut, and a text that begins with ``[cut`` says so in its place. Each
member of the data has its share of the limits, and what others do not need of theirs.
"""

from __future__ import annotations

import base64
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Mapping, ValuesView
from collections.abc import Set as AbstractSet
from datetime import date, datetime, time, timedelta
from enum import Enum
from itertools import islice
from typing import Any, Final, TypeVar

from pydantic import BaseModel, RootModel

from madsci.common.array_values import plain_array
from madsci.common.named_values import attribute_names, free_name, has_own_form, row

MAX_DEPTH: Final = 50
"""Levels of nesting: deeper data is a structure that refers to itself, and readers recurse."""
MAX_TEXT: Final = 1_000_000
"""Characters in one text: a whole log file pasted by mistake still shows what it was."""
MAX_KEY: Final = 1_000
"""Characters in the name of a member: names are shown in columns."""
MAX_ITEMS: Final = 100_000
"""Members and items in all: a plate reader's raw frame fits, an image by pixels does not."""
MAX_TOTAL: Final = 4_000_000
"""Characters of text in all: four of these still fit into a document of MongoDB (16 MB)."""
MAX_REPEATED: Final = 1_000
"""Members of objects that are told again where they are met again: linked objects lead to each other in
more ways than there are members, and plates that name the same labware a few times are told whole."""
MAX_SHARES: Final = 1_000
"""Members of the data that get a share each; of more, none would be worth having."""
_MAX_INT_BITS: Final = 14_000
"""Python refuses to write longer whole numbers in decimal (4300 digits)."""

_Result = TypeVar("_Result")
_PLAIN: Final = (dict, list, tuple, set, frozenset, deque)
_LISTS: Final = (list, tuple, deque, AbstractSet, ValuesView)


def to_jsonable(value: object) -> Any:
    """Return the value as plain JSON data. Total: no value makes it fail or run away."""
    if type(value) is dict and 1 < len(value) <= MAX_SHARES:
        return _share(value)
    return _Conversion().convert(value, 0)


def is_a(value: object, kinds: type | tuple[type, ...]) -> bool:
    """Tell what ``isinstance`` tells, also of a value whose ``__class__`` raises: that is nothing."""
    return attempt(isinstance, value, kinds) is True


def to_text(value: object, limit: int = MAX_TEXT) -> str:
    """Return ``str(value)`` as encodable text, whatever its ``__str__`` does, cut to the limit."""
    text = attempt(str, value)
    if type(text) is not str:
        text = f"<{_dotted_name(type(value))} whose text cannot be made>"
    return _cut_text(text, limit)


def describe_exception(error: BaseException) -> dict[str, Any]:
    """Return type, message and traceback of an exception, under the names that events use."""
    described = {
        "exception_type": _dotted_name(type(error)),
        "exception_message": to_text(error),
    }
    if not issubclass(type(error), BaseException):  # a proxy or a mock, whose traceback may have no end
        return described
    lines = attempt(traceback.format_exception, type(error), error, error.__traceback__)
    if lines is not None:
        described["traceback"] = _cut_text("".join(lines).rstrip("\n"), MAX_TEXT)
    return described


def attempt(function: Callable[..., _Result], *arguments: Any) -> _Result | None:
    """Call code that belongs to a logged value; ``None`` when it fails.

    The one place where the code of strangers runs inside a log call: a broken ``__str__`` may raise
    anything and must not hurt the program that wanted to tell about it.
    """
    try:
        return function(*arguments)
    except Exception:  # noqa: BLE001 - see above
        return None


def _share(data: dict[Any, Any]) -> dict[str, Any]:
    """Convert each member within its share, and what that cuts again in the room that others left."""
    keys = _Conversion()
    members: dict[str, Any] = {}
    for key, member in list(data.items()):
        members[keys.free_key(key, members)] = member
    items, text = MAX_ITEMS - len(members), keys.text_left
    share = items // len(members), text // len(members)
    result: dict[str, Any] = {}
    cut: list[str] = []
    for name, member in members.items():
        walk = _Conversion(*share, inside=data)
        result[name] = walk.convert(member, 1)
        if walk.items_left <= 0 or walk.text_left <= 0:
            cut.append(name)
        else:
            items -= share[0] - walk.items_left
            text -= share[1] - walk.text_left
    for place, name in enumerate(cut):
        share = items // (len(cut) - place), text // (len(cut) - place)
        walk = _Conversion(*share, inside=data)
        result[name] = walk.convert(members[name], 1)
        items -= share[0] - max(walk.items_left, 0)
        text -= share[1] - max(walk.text_left, 0)
    return result


def _named_parts(value: Any, kind: type) -> dict[str, Any] | None:
    if issubclass(kind, BaseModel) and has_own_form(kind):
        dumped = attempt(value.model_dump)  # fails where models refer to each other
        if type(dumped) is dict:
            return dumped
    names = None if issubclass(kind, RootModel) else attribute_names(value, kind)
    return (
        row(value, kind) if names is None else {name: attempt(getattr, value, name) for name in names}
    )


def _simpler(value: Any, kind: type, room: int) -> Any:
    """Return what stands for a value and is nearer to JSON; ``None`` for what only ``str()`` can tell.

    The methods are those of the classes, which refuse what only says that it is of the class.
    """
    if issubclass(kind, BaseException):
        return describe_exception(value)
    if issubclass(kind, (datetime, date, time)):
        text = value.isoformat()
        return text if type(text) is str else None
    if issubclass(kind, timedelta):
        return timedelta.total_seconds(value)
    if issubclass(kind, (bytes, bytearray, memoryview)):
        return _binary(value)
    if issubclass(kind, RootModel):
        return value.root
    if issubclass(kind, (str, int, float)):  # a proxy: others were known by their type
        if issubclass(kind, bool):
            return bool(value) if hasattr(type(value), "__bool__") else None
        return (str if issubclass(kind, str) else float if issubclass(kind, float) else int)(value)
    return plain_array(value, kind, room)


def _binary(value: bytes | bytearray | memoryview) -> str:
    data = bytes(memoryview(value).cast("B")[: MAX_TEXT + 1])
    try:
        return data.decode()
    except UnicodeDecodeError:
        return "base64:" + base64.b64encode(data).decode()


def _key_text(key: Any) -> str:
    if isinstance(key, Enum):
        key = key.value
    if isinstance(key, str):
        return _cut_text(str.__str__(key), MAX_KEY)
    if key is None or isinstance(key, bool):
        return {None: "null", True: "true", False: "false"}[key]
    return _dotted_name(key) if isinstance(key, type) else to_text(key, MAX_KEY)


class _Conversion:
    """One walk through one value: what is left of the limits, and the containers it is inside of."""

    def __init__(self, items: int = MAX_ITEMS, text: int = MAX_TOTAL, inside: object = None) -> None:
        self.items_left = items
        self.text_left = text
        self.repeats_left = MAX_REPEATED
        self.inside = {id(inside)}
        self.cuts = 0
        self.linked: dict[int, object] = {}
        """Containers in which something was met again, by their id: they are told once."""
        self.told: dict[int, tuple[object, int]] = {}
        """Objects by their id, with the number of members in them; kept alive, so that ids hold."""

    def convert(self, value: Any, depth: int) -> Any:
        kind = type(value)
        if kind is str:
            return self.text(value)
        if kind is bool or value is None:
            return value
        if kind is int or kind is float:
            return self.number(value)
        if kind in _PLAIN:
            return self.container(value, value, depth)
        if is_a(value, Enum):
            member = attempt(getattr, value, "value")
            return self.convert(member, depth + 1) if depth < MAX_DEPTH else self.text(to_text(value))
        converted = attempt(self.other, value, depth)
        return self.text(to_text(value)) if converted is None else converted

    def number(self, value: float) -> Any:
        if isinstance(value, int):
            number = int.__int__(value)
            return number if number.bit_length() <= _MAX_INT_BITS else self.text(hex(number))
        real = float.__float__(value)
        if real - real == 0.0:
            return real
        return "NaN" if real != real else "Infinity" if real > 0 else "-Infinity"  # noqa: PLR0124

    def text(self, text: str) -> str:
        cut = _cut_text(text, min(MAX_TEXT, max(self.text_left, 0)))
        self.text_left -= len(cut)
        return cut

    def other(self, value: Any, depth: int) -> Any:
        """Convert what JSON does not have; ``None`` for what only ``str()`` can tell."""
        if issubclass(type(value), str):
            return self.text(str.__str__(value))
        if issubclass(type(value), (int, float)):
            return self.number(value)
        if issubclass(type(value), type):
            return _dotted_name(value)
        claimed = value.__class__  # of a proxy, the class of what it stands for
        kind = claimed if issubclass(type(claimed), type) else type(value)
        named = _named_parts(value, kind)
        if named is not None:
            return self.object(value, named, depth)
        simpler = _simpler(value, kind, self.items_left)
        if simpler is not None:
            return self.container(value, simpler, depth)
        return self.container(value, value, depth) if isinstance(value, (Mapping, *_LISTS)) else None

    def object(self, value: Any, named: dict[str, Any], depth: int) -> Any:
        known = self.told.get(id(value))
        if known is not None and id(value) not in self.inside:
            self.repeats_left -= known[1]
            if self.repeats_left < 0:
                return self.cut(value, "was told before")
        before = self.items_left
        converted = self.container(value, named, depth)
        self.told[id(value)] = (value, before - self.items_left)
        return converted

    def container(self, value: Any, contents: Any, depth: int) -> Any:
        """Convert the contents of a value, in which the value itself may be met again."""
        if id(value) in self.inside:
            return self.cut(value, "is the one that this is in")
        if id(value) in self.linked:
            return self.cut(value, "was told before")
        if depth >= MAX_DEPTH:
            return f"[cut: {type(value).__name__} deeper than {MAX_DEPTH} levels]"
        self.inside.add(id(value))
        cuts = self.cuts
        walk: Callable[[Any, int], Any] = self.convert
        if type(contents) is dict or isinstance(contents, Mapping):
            walk = self.mapping
        elif isinstance(contents, _LISTS):
            walk = self.sequence
        try:
            converted = attempt(walk, contents, depth + 1)
        finally:
            self.inside.discard(id(value))
        if self.cuts > cuts:
            self.linked[id(value)] = value
        return self.text(to_text(value)) if converted is None else converted

    def cut(self, value: Any, reason: str) -> str:
        """Say that a container is not told here, since it is told elsewhere."""
        self.cuts += 1
        return f"[cut: this {type(value).__name__} {reason}]"

    def mapping(self, value: Mapping[Any, Any], depth: int) -> dict[str, Any]:
        result: dict[str, Any] = {}
        # A copy first: another thread may be changing the dict.
        for key, member in list(islice(value.items(), MAX_ITEMS + 1)):
            if self.is_full():
                result["[cut]"] = f"[cut: {len(value) - len(result)} more members]"
                break
            result[self.free_key(key, result)] = self.convert(member, depth)
        return result

    def sequence(self, value: Iterable[Any], depth: int) -> list[Any]:
        result: list[Any] = []
        total = len(value)  # type: ignore[arg-type]
        for item in list(islice(value, MAX_ITEMS + 1)):
            if self.is_full():
                result.append(f"[cut: {total - len(result)} more items]")
                break
            result.append(self.convert(item, depth))
        return result

    def is_full(self) -> bool:
        """Count one more member or item, and tell whether that is one too many."""
        self.items_left -= 1
        return self.items_left < 0 or self.text_left <= 0

    def free_key(self, key: Any, taken: Mapping[str, Any]) -> str:
        """Return the name of a member: a text, and another than those before it."""
        # 1 and "1" are two keys in Python.
        name = free_name(attempt(_key_text, key) or to_text(key, MAX_KEY), taken)
        self.text_left -= len(name)
        return name


def _cut_text(text: str, limit: int) -> str:
    if len(text) > limit:
        text = f"{text[:limit]}[cut: {len(text) - limit} more characters]"
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:  # a lone surrogate, as in file names that are not UTF-8
        return text.encode(errors="backslashreplace").decode()
    return text


def _dotted_name(kind: type) -> str:
    module = getattr(kind, "__module__", None)
    name = getattr(kind, "__qualname__", None) or type.__repr__(kind)
    return f"{name}" if module in ("builtins", None) else f"{module}.{name}"
