"""Extended JSON: how ``bsondump``, ``mongoexport`` and drivers write values that JSON does not have.

What JSON has becomes that: numbers, texts, times. What it has not stays in the canonical form of
https://github.com/mongodb/specifications/blob/master/source/extended-json/extended-json.md, such as a
pattern with options, or code with its scope.
"""

from __future__ import annotations

import base64
import math
import uuid
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from madsci.common.clock import FIRST_US, LAST_US, iso
from madsci.common.types.members import INSTANTS

_OWN: Final = ("_id", "event_id", "log_level", *sorted(INSTANTS))
"""Members of an event of which one at least is a wrapper where the event is written in this form."""
_UUID: Final = 4
"""The subtype of BSON's binary data that is a UUID."""
_DIGITS: Final = 308
"""Digits of the largest number that every reader of JSON knows."""


def is_extended(document: Mapping[str, Any]) -> bool:
    """Tell whether an event is written in extended JSON, and not just holds names with ``$``."""
    return any(
        isinstance(member := document.get(name), Mapping) and bool(member.keys() & _READERS.keys())
        for name in _OWN
    )


def plain_document(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a document as what it says, whether or not it is written in extended JSON."""
    return from_extended(document) if is_extended(document) else document


def from_extended(value: Any) -> Any:
    """Return a value with every wrapper of extended JSON replaced by what JSON has for it."""
    if isinstance(value, Mapping):
        if len(value) == 1:
            ((name, wrapped),) = value.items()
            reader = _READERS.get(name)
            if reader is not None:
                try:
                    return reader(wrapped)
                except (ValueError, TypeError, ArithmeticError, LookupError):
                    return value  # it only looks like one
        return {name: from_extended(member) for name, member in value.items()}
    if isinstance(value, list):
        return [from_extended(member) for member in value]
    return value


def number_or_name(number: float) -> float | str:
    """Return a number; those that JSON does not have by their name."""
    if math.isfinite(number):
        return number
    return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"


def decimal_value(decimal: Decimal) -> int | float | str:
    """Return a decimal as a number, where one of JSON's means the same, else as text."""
    if not decimal.is_finite() or decimal.adjusted() > _DIGITS:
        return str(decimal)
    if decimal == decimal.to_integral_value():
        return int(decimal)
    number = float(decimal)
    return number if decimal == Decimal(repr(number)) else str(decimal)


def date_value(milliseconds: int) -> str:
    """Return the time of a BSON date as text; it may lie far beyond the year 9999."""
    microseconds = milliseconds * 1000
    if FIRST_US <= microseconds <= LAST_US:
        return iso(microseconds)
    return f"{milliseconds} ms since 1970"


def binary_value(content: bytes, subtype: int) -> Any:
    """Return bytes as base64, and a UUID as it is usually written."""
    if subtype == _UUID and len(content) == len(uuid.NAMESPACE_URL.bytes):
        return str(uuid.UUID(bytes=content))
    text = base64.b64encode(content).decode()
    return {"$binary": {"base64": text, "subType": f"{subtype:02x}"}} if subtype else text


def pattern_value(pattern: str, options: str) -> Any:
    """Return a pattern as its text, unless it has options."""
    return {"$regularExpression": {"pattern": pattern, "options": options}} if options else pattern


def _date(wrapped: Any) -> str:
    if isinstance(wrapped, str):
        return wrapped
    return date_value(int(wrapped["$numberLong"] if isinstance(wrapped, Mapping) else wrapped))


def _decimal(wrapped: str) -> int | float | str:
    try:
        return decimal_value(Decimal(wrapped))
    except InvalidOperation as error:
        raise ValueError(wrapped) from error


def _binary(wrapped: Mapping[str, str]) -> Any:
    content = base64.b64decode(wrapped["base64"], validate=True)
    return binary_value(content, int(wrapped["subType"], 16))


def _time_of(wrapped: Mapping[str, int]) -> Any:
    return {"$timestamp": {"t": int(wrapped["t"]), "i": int(wrapped["i"])}}


_READERS: Final[dict[str, Callable[[Any], Any]]] = {
    "$oid": str,
    "$symbol": str,
    "$code": str,
    "$uuid": lambda wrapped: str(uuid.UUID(wrapped)),
    "$numberInt": int,
    "$numberLong": int,
    "$numberDouble": lambda wrapped: number_or_name(float(wrapped)),
    "$numberDecimal": _decimal,
    "$date": _date,
    "$binary": _binary,
    "$regularExpression": lambda wrapped: pattern_value(wrapped["pattern"], wrapped["options"]),
    "$timestamp": _time_of,
    "$undefined": lambda _: None,
}
"""What becomes of a wrapper with one name. Those that are missing, such as ``$minKey``, stay."""
