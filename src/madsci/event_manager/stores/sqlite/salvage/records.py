"""Numbers and records as SQLite writes them; see https://www.sqlite.org/fileformat2.html#record_format."""

from __future__ import annotations

import struct
from typing import Final

Value = int | float | str | bytes | None

_MOST: Final = 9
"""Bytes of the longest variable-length integer."""
_LOW: Final = 0x7F
"""The bits of a byte that count; the one above says that another byte follows."""
_INTEGERS: Final = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}
_REAL: Final = 7
_FIRST_BLOB: Final = 12


def varint(data: bytes, at: int) -> tuple[int, int]:
    """Return a variable-length integer, and the place behind it.

    Raises:
        ValueError: the data end before it does.
    """
    value = 0
    for place in range(at, at + _MOST):
        if place >= len(data):
            raise ValueError("a number is cut off")
        byte = data[place]
        if place == at + _MOST - 1:
            value = (value << 8) | byte
            return (value - (1 << 64) if value >> 63 else value), place + 1
        value = (value << 7) | (byte & _LOW)
        if byte <= _LOW:
            break
    return value, place + 1


def encoded(value: int) -> bytes:
    """Return a number below 2^56 as a variable-length integer."""
    groups = [value & _LOW]
    while value > _LOW:
        value >>= 7
        groups.append((value & _LOW) | 0x80)
    return bytes(reversed(groups))


def types_of(payload: bytes) -> tuple[list[int], int]:
    """Return the types of a record's values, and where the values begin.

    Raises:
        ValueError: it is no record.
    """
    length, at = varint(payload, 0)
    if not at < length <= len(payload):
        raise ValueError("the header of a record has no end")
    kinds: list[int] = []
    while at < length:
        kind, at = varint(payload, at)
        kinds.append(kind)
    if at != length:
        raise ValueError("the header of a record ends amid a number")
    return kinds, length


def size_of(kind: int) -> int:
    """Return how many bytes a value of a type takes.

    Raises:
        ValueError: there is no such type.
    """
    if kind >= _FIRST_BLOB:
        return (kind - _FIRST_BLOB) // 2
    if kind in _INTEGERS:
        return _INTEGERS[kind]
    if kind == _REAL:
        return 8
    if kind in (0, 8, 9):
        return 0
    raise ValueError(f"there is no type {kind}")


def record(payload: bytes, errors: str = "strict") -> list[Value]:
    """Return the values of a record; ``errors`` is what becomes of text that is not UTF-8.

    Raises:
        ValueError: it is no record, or not all of it.
    """
    kinds, at = types_of(payload)
    if at + sum(map(size_of, kinds)) != len(payload):
        raise ValueError("a record does not have the length that it should have")
    values: list[Value] = []
    for kind in kinds:
        end = at + size_of(kind)
        values.append(_value(kind, payload[at:end], errors))
        at = end
    return values


def _value(kind: int, data: bytes, errors: str) -> Value:
    if kind >= _FIRST_BLOB:
        return data.decode("utf-8", errors) if kind % 2 else data
    if kind in _INTEGERS:
        return int.from_bytes(data, "big", signed=True)
    if kind == _REAL:
        return float(struct.unpack(">d", data)[0])
    return None if kind == 0 else kind - 8
