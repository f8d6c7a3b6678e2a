"""Looking over JSON text without making values of it, which would take many times its memory."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from madsci.common.errors import MalformedJsonError, TooLargeError

MAX_VALUES: Final = 1_000_000
"""Values in one event: they may take a hundred bytes each, of three bytes of JSON."""
_MAX_MARKS: Final = 3 * MAX_VALUES
"""Brackets and strings of one item; an item that may be kept has fewer."""
_TOP: Final = re.compile(rb'[",\[\]{}]')
_DEEP: Final = re.compile(rb'["\[\]{}]')
_QUOTE, _COMMA, _BACKSLASH = b'",\\'
_OPENING: Final = b"[{"


def check_values(data: bytes) -> None:
    """Raise ``TooLargeError`` if JSON has more values than an event may have; it need not be sound."""
    if len(data) <= MAX_VALUES or _values(data, 0, len(data)) <= MAX_VALUES:
        return
    # There may be that many within strings.
    place = found = 0
    while place < len(data):
        quote = data.find(b'"', place)
        end = len(data) if quote < 0 else quote
        found += _values(data, place, end)
        if found > MAX_VALUES:
            raise TooLargeError(
                f"The event has more than {MAX_VALUES:,} values. Store large data elsewhere and send a"
                " reference."
            )
        place = len(data) if quote < 0 else _end_of_string(data, quote + 1)


def items_of(data: bytes) -> Iterator[bytes]:
    """Return the text of each item of a JSON array, one after the other; items need not be sound.

    Raises:
        MalformedJsonError: it does not end where an array ends.
        TooLargeError: an item has too many parts.
    """
    start = place = data.index(b"[") + 1
    depth, marks, count = 1, 0, 0
    while True:
        mark = (_TOP if depth == 1 else _DEEP).search(data, place)
        if mark is None:
            raise MalformedJsonError("This is not JSON: it begins like an array and has no end.")
        place = mark.end()
        character = data[place - 1]
        marks += 1
        if character == _COMMA:
            yield data[start : place - 1]
            start, marks, count = place, 0, count + 1
        elif character == _QUOTE:
            place = _end_of_string(data, place)
        elif character in _OPENING:
            depth += 1
        else:
            depth -= 1
            if depth == 0:
                break
        if marks > _MAX_MARKS:
            raise TooLargeError(
                f"Item {count + 1} of the list has too many values. Store large data elsewhere and"
                " send a reference."
            )
    last = data[start : place - 1]
    if count or not _is_blank(last):
        yield last
    if not _is_blank(data[place:]):
        raise MalformedJsonError(
            f"This is not JSON: something follows the end of the list (byte {place})."
        )


def _is_blank(data: bytes) -> bool:
    return not data or data.isspace()


def _values(data: bytes, start: int, end: int) -> int:
    return data.count(b",", start, end) + data.count(b"[", start, end) + data.count(b"{", start, end)


def _end_of_string(data: bytes, place: int) -> int:
    """Return the place behind the string that begins before ``place``; it may have no end."""
    while True:
        quote = data.find(b'"', place)
        if quote < 0:
            return len(data)
        before = quote
        while before > place and data[before - 1] == _BACKSLASH:
            before -= 1
        if (quote - before) % 2 == 0:
            return quote + 1
        place = quote + 1
