"""Reading JSON that may be damaged, without losing what it says.

Well-formed JSON goes through the fast decoder. What that one refuses is read once more with patience:
NaN and infinities become text, halves of surrogate pairs and NULs in names become visible escapes,
UTF-16 and UTF-32 are read as such, other bytes that are not UTF-8 as Latin-1. Each such repair is told
in a sentence. What cannot be read either way raises an error that names the place.
"""

from __future__ import annotations

import codecs
import json
import math
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from madsci.common.errors import InvalidInputError, MalformedJsonError

MAX_DEPTH: Final = 96
"""Levels of nesting in event data. MongoDB keeps 100 in a document, the event itself takes a few."""
_ANY_DEPTH: Final = 300
"""Levels of nesting in anything that is read: more than is kept, far less than the stack."""
_MAX_DIGITS: Final = 4000
"""Digits of an integer; Python itself refuses to read more than 4,300."""

_MARKED: Final = (
    # That of UTF-32 begins with that of UTF-16.
    (codecs.BOM_UTF32_LE, "UTF-32-LE"),
    (codecs.BOM_UTF32_BE, "UTF-32-BE"),
    (codecs.BOM_UTF16_LE, "UTF-16-LE"),
    (codecs.BOM_UTF16_BE, "UTF-16-BE"),
)
_UNMARKED: Final = {
    b"\1\0\0\0": "UTF-32-LE",
    b"\0\0\0\1": "UTF-32-BE",
    b"\1\0\1\0": "UTF-16-LE",
    b"\0\1\0\1": "UTF-16-BE",
}
"""Which of the first four bytes are not zero: JSON begins with two ASCII characters (RFC 4627)."""

_decoder = msgspec.json.Decoder()


def as_utf8(data: bytes) -> tuple[bytes, list[str]]:
    """Return JSON text as UTF-8, and a sentence if it was UTF-16 or UTF-32, as PowerShell writes it.

    Other text is returned as it is.

    Raises:
        MalformedJsonError: it is UTF-16 or UTF-32, and broken.
    """
    mark, name = next(((mark, name) for mark, name in _MARKED if data.startswith(mark)), (b"", ""))
    name = name or _UNMARKED.get(bytes(byte != 0 for byte in data[:4]), "")
    if not name:
        return data, []
    try:
        text = data[len(mark) :].decode(name)
    except UnicodeDecodeError as error:
        place = len(mark) + error.start
        raise MalformedJsonError(
            f"This is {name}, and broken at byte {place} ({error.reason}). Send UTF-8.",
            [{"loc": [place], "msg": f"broken {name}"}],
        ) from error
    return text.encode(), [f"The text is {name} and was read as that. Send UTF-8."]


def read_json(data: bytes) -> tuple[Any, list[str]]:
    """Return the value of a JSON text, and a sentence for each repair.

    Raises:
        MalformedJsonError: the text is not JSON.
        InvalidInputError: it is nested too deeply.
    """
    data, repairs = as_utf8(data)
    try:
        value = _decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError, RecursionError):
        value, others = _read_patiently(data)
        return value, repairs + others
    check_depth(value, _ANY_DEPTH)
    return value, repairs


def visible_names(value: Any, repairs: list[str]) -> Any:
    """Return a value in whose names each NUL is a visible escape; add a sentence if there was one.

    Stores keep a NUL in a text, but take it for the end of a name.
    """
    if not any("\0" in name for name in _names(value)):
        return value
    repairs.append("A NUL stands in the name of a member; it is kept as a visible \\u escape.")
    return _with_visible_names(value)


def read_request(data: bytes) -> Any:
    """Return the value of a request's JSON, its names as stores keep them; raises as ``read_json``."""
    document, repairs = read_json(data)
    return visible_names(document, repairs)


def _names(value: Any) -> Iterator[str]:
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            yield from one
            waiting.extend(one.values())
        elif isinstance(one, list):
            waiting.extend(one)


def _with_visible_names(value: Any) -> Any:
    if isinstance(value, list):
        return [_with_visible_names(member) for member in value]
    if not isinstance(value, dict):
        return value
    renamed: dict[str, Any] = {}
    for name, member in value.items():
        shown = name.replace("\0", "\\u0000")
        while shown != name and (shown in value or shown in renamed):
            shown += "'"  # a member of that name is there, and must not be lost
        renamed[shown] = _with_visible_names(member)
    return renamed


def check_depth(value: Any, limit: int = MAX_DEPTH) -> None:
    """Raise ``InvalidInputError`` if a JSON value is nested deeper than the limit."""
    level = [value]
    for _ in range(limit):
        level = [
            child
            for parent in level
            if isinstance(parent, (dict, list))
            for child in (parent.values() if isinstance(parent, dict) else parent)
            if isinstance(child, (dict, list))
        ]
        if not level:
            return
    raise _too_deep()


def _too_deep() -> InvalidInputError:
    return InvalidInputError(
        f"The JSON is nested more than {MAX_DEPTH} levels deep. Send the deep part as text.",
        [{"loc": [], "msg": f"nested deeper than {MAX_DEPTH} levels"}],
    )


def _read_patiently(data: bytes) -> tuple[Any, list[str]]:
    value, repairs = _parse_patiently(data)
    return _Repair(repairs).value(value), repairs


def _parse_patiently(data: bytes) -> tuple[Any, list[str]]:
    repairs: list[str] = []
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        text = data.decode("latin-1")
        repairs.append(
            f"Byte {error.start} (0x{data[error.start]:02x}) is not UTF-8; the text was read"
            " as Latin-1. Send UTF-8."
        )
    try:
        value = json.loads(text, strict=False, parse_int=_read_integer)
    except json.JSONDecodeError as error:
        raise MalformedJsonError(
            f"This is not JSON: {error.msg} at line {error.lineno}, column {error.colno}"
            f" (character {error.pos}): {text[max(0, error.pos - 20) : error.pos + 20]!r}.",
            [{"loc": [error.pos], "msg": error.msg}],
        ) from error
    except RecursionError as error:
        raise _too_deep() from error
    check_depth(value, _ANY_DEPTH)
    return value, repairs


def _read_integer(digits: str) -> int | str:
    return int(digits) if len(digits) <= _MAX_DIGITS else digits


class _Repair:
    """Replaces what JSON or UTF-8 cannot hold, and says each thing once."""

    def __init__(self, repairs: list[str]) -> None:
        self._repairs = repairs

    def value(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, float) and not math.isfinite(value):
            return self._number(value)
        if isinstance(value, dict):
            return {self._text(name): self.value(member) for name, member in value.items()}
        if isinstance(value, list):
            return [self.value(member) for member in value]
        return value

    def _text(self, text: str) -> str:
        if text.isascii():
            return text
        safe = text.encode("utf-8", "backslashreplace").decode()
        if safe != text:
            self._say("Half of a surrogate pair stands in a text; it is kept as a visible \\u escape.")
        return safe

    def _number(self, number: float) -> str:
        name = "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"
        self._say(f"JSON has no number for {name}; it is kept as the text '{name}'.")
        return name

    def _say(self, sentence: str) -> None:
        if sentence not in self._repairs:
            self._repairs.append(sentence)


def whole_number(value: object) -> int | None:
    """Return a number from 0 on without a fraction, however JSON writes it; else ``None``."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if type(value) is int and value >= 0 else None
