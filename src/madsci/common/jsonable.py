"""Any Python value as bounded JSON: a log call takes whatever the program has at hand and never fails.

What JSON has is kept as it is. The rest becomes what a reader of the event understands best:

====================================  ==============================================================
exceptions                            object of ``exception_type``, ``exception_message``, ``traceback``
dataclasses, pydantic models, dicts   object
sets, tuples, deques, numpy arrays    list
enumerations, numpy scalars           their value
dates and times                       ISO 8601 text
``timedelta``                         seconds
``bytes``                             their UTF-8 text, else ``base64:`` and the base64 text
NaN and the infinities                ``"NaN"``, ``"Infinity"``, ``"-Infinity"``
types                                 dotted name
anything else                         ``str(value)``
====================================  ==============================================================

What is larger than the limits is cut, and a text that begins with ``[cut`` says so in its place.
"""

from __future__ import annotations

import base64
import dataclasses
import sys
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from datetime import date, datetime, time, timedelta
from enum import Enum
from itertools import islice
from typing import Any, Final, TypeVar

from pydantic import BaseModel

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
_MAX_INT_BITS: Final = 14_000
"""Python refuses to write longer whole numbers in decimal (4300 digits)."""

_Result = TypeVar("_Result")
_ATOMS: Final = (bool, type(None))
_LISTS: Final = (list, tuple, deque, set, frozenset, AbstractSet)


def to_jsonable(value: object) -> Any:
    """Return the value as plain JSON data. Total: no value makes it fail or run away."""
    return _Conversion().convert(value, 0)


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


class _Conversion:
    """One walk through one value: what is left of the limits, and the containers it is inside of."""

    def __init__(self) -> None:
        self.items_left = MAX_ITEMS
        self.text_left = MAX_TOTAL
        self.inside: set[int] = set()

    def convert(self, value: Any, depth: int) -> Any:
        kind = type(value)
        if kind is str:
            return self.text(value)
        if kind in _ATOMS:
            return value
        if isinstance(value, Enum):
            return self.convert(value.value, depth + 1) if depth < MAX_DEPTH else to_text(value)
        if isinstance(value, (int, float, str)):
            return self.scalar(value)
        if isinstance(value, (Mapping, *_LISTS)):
            return self.container(value, depth)
        converted = attempt(self.other, value, depth)
        return self.text(to_text(value)) if converted is None else converted

    def scalar(self, value: float | str) -> Any:
        if isinstance(value, str):
            return self.text(attempt(str.__str__, value) or "")
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

    def container(self, value: Any, depth: int) -> Any:
        if id(value) in self.inside:
            return f"[cut: refers back to the {type(value).__name__} that it is in]"
        if depth >= MAX_DEPTH:
            return f"[cut: {type(value).__name__} deeper than {MAX_DEPTH} levels]"
        self.inside.add(id(value))
        try:
            walk = self.mapping if isinstance(value, Mapping) else self.sequence
            converted: Any = attempt(walk, value, depth + 1)
        finally:
            self.inside.discard(id(value))
        return self.text(to_text(value)) if converted is None else converted

    def mapping(self, value: Mapping[Any, Any], depth: int) -> dict[str, Any]:
        result: dict[str, Any] = {}
        # A copy first: another thread may be changing the dict.
        for key, member in list(islice(value.items(), MAX_ITEMS + 1)):
            if self.is_full():
                result["[cut]"] = f"[cut: {len(value) - len(result)} more members]"
                break
            name = self.key(key)
            while name in result:  # 1 and "1" are two keys in Python
                name += "_"
            result[name] = self.convert(member, depth)
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

    def key(self, key: Any) -> str:
        if isinstance(key, Enum):
            key = key.value
        if isinstance(key, str):
            name = _cut_text(str.__str__(key), MAX_KEY)
        elif key is None or isinstance(key, bool):
            name = {None: "null", True: "true", False: "false"}[key]
        elif isinstance(key, type):
            name = _dotted_name(key)
        else:
            name = to_text(key, MAX_KEY)
        self.text_left -= len(name)
        return name

    def other(self, value: Any, depth: int) -> Any:
        """Convert what JSON does not have; ``None`` for what only ``str()`` can tell."""
        if isinstance(value, BaseException):
            return self.convert(describe_exception(value), depth)
        if isinstance(value, type):
            return _dotted_name(value)
        if isinstance(value, (datetime, date, time)):
            return value.isoformat()
        if isinstance(value, timedelta):
            return value.total_seconds()
        if isinstance(value, (bytes, bytearray, memoryview)):
            return self.binary(value)
        if isinstance(value, BaseModel):
            return self.convert(value.model_dump(), depth)
        if dataclasses.is_dataclass(value):
            names = [field.name for field in dataclasses.fields(value)]
            return self.container({name: getattr(value, name, None) for name in names}, depth)
        return self.from_numpy(value, depth)

    def binary(self, value: bytes | bytearray | memoryview) -> str:
        data = bytes(memoryview(value).cast("B")[: MAX_TEXT + 1])
        try:
            return self.text(data.decode())
        except UnicodeDecodeError:
            return self.text("base64:" + base64.b64encode(data).decode())

    def from_numpy(self, value: Any, depth: int) -> Any:
        numpy = sys.modules.get("numpy")  # a numpy value exists only where numpy was imported
        if numpy is None:
            return None
        if isinstance(value, (numpy.datetime64, numpy.timedelta64)):
            return str(value)
        if isinstance(value, numpy.generic):
            plain = value.item()
            return None if isinstance(plain, numpy.generic) else self.convert(plain, depth)
        if not isinstance(value, numpy.ndarray):
            return None
        if value.size <= MAX_ITEMS:
            return self.convert(value.tolist(), depth)
        first = value.flat[: self.items_left].tolist()
        cut = f"[cut: {value.size - len(first)} more items of an array of shape {value.shape}]"
        return self.convert([cut, *first], depth)


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
