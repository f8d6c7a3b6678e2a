"""Documents that this program did not write: those of earlier releases, and of other tools.

Their times are texts without an offset or BSON's dates, their ids may be ObjectIds, members may be
missing, and any type of BSON may stand anywhere. Everything is read; what JSON does not have becomes
what a reader understands best, or stays in the form of extended JSON.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timezone, tzinfo
from typing import Any, Final

from bson import Binary, DBRef, Decimal128, MaxKey, MinKey, ObjectId, Timestamp
from bson.code import Code
from bson.datetime_ms import DatetimeMS
from bson.regex import Regex

from madsci.common.clock import iso, to_us
from madsci.common.types.event_reading import read_event
from madsci.common.types.extended_json import (
    binary_value,
    date_value,
    decimal_value,
    number_or_name,
    pattern_value,
)
from madsci.common.types.members import INSTANTS
from madsci.event_manager.model.sender import text_of_known
from madsci.event_manager.model.stored_event import StoredEvent, encode_json


def foreign_event(document: Mapping[str, Any], naive_zone: tzinfo | None = None) -> StoredEvent:
    """Return the event that a document means.

    When it was received is told by its ObjectId, where it has one, else it is taken to be when it
    happened; an event without either is of 1970.

    Raises:
        InvalidEventError: its id cannot be a key.
    """
    arrived = document.get("_id")
    plain = {name: _top_level(name, value) for name, value in document.items()}
    reading = read_event(plain, naive_zone)
    received_at = reading.received_at
    if received_at is None and isinstance(arrived, ObjectId):
        received_at = to_us(arrived.generation_time)
    name = plain.get("event_id")
    if name not in (None, "", reading.event_id):
        reading.extra.setdefault("event_id", name)
    moment = reading.event_timestamp
    if moment is None:
        moment = received_at or 0
    return StoredEvent(
        reading.event_id,
        str(reading.event_type),
        int(reading.log_level),
        reading.alert,
        moment,
        moment if received_at is None else received_at,
        reading.source or {},
        encode_json(reading.event_data),
        reading.trace_id,
        reading.span_id,
        reading.archived,
        reading.archived_at,
        reading.extra or None,
        text_of_known(reading.sender),
    )


def _top_level(name: str, value: Any) -> Any:
    """Return a member as JSON, but the times of an event as they are: they need no zone."""
    if name in INSTANTS and isinstance(value, Timestamp):
        value = value.as_datetime()
    return value if name in INSTANTS and isinstance(value, datetime) else json_value(value)


def json_value(value: Any) -> Any:
    """Return a value of BSON as JSON's, all of it; what JSON has not as extended JSON writes it."""
    kind = type(value)  # subclasses are other types of BSON
    if kind in _PLAIN:
        return value
    if kind is float:
        return number_or_name(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, Mapping):
        return {str(name): json_value(member) for name, member in value.items()}
    if isinstance(value, (list, tuple)):
        return [json_value(member) for member in value]
    return _other(value)


def _other(value: Any) -> Any:
    reader = _READERS.get(type(value))
    if reader is not None:
        return reader(value)
    return _moment(value) if isinstance(value, datetime) else str(value)


def _moment(value: datetime) -> str:
    return iso(to_us(value if value.tzinfo else value.replace(tzinfo=timezone.utc)))


def _code(value: Code) -> Any:
    text = str(value)
    return text if value.scope is None else {"$code": text, "$scope": json_value(value.scope)}


def _options(value: Regex[Any]) -> str:
    return "".join(sorted(letter for letter, flag in _FLAGS.items() if value.flags & flag))


_PLAIN: Final = frozenset({str, bool, type(None)})
_FLAGS: Final = {
    "i": re.IGNORECASE, "l": re.LOCALE, "m": re.MULTILINE, "s": re.DOTALL, "u": re.UNICODE,
    "x": re.VERBOSE,
}  # fmt: skip
_READERS: Final[dict[type, Callable[[Any], Any]]] = {
    bytes: lambda value: binary_value(value, 0),
    Binary: lambda value: binary_value(bytes(value), value.subtype),
    Code: _code,
    DatetimeMS: lambda value: date_value(int(value)),  # beyond the year 9999
    DBRef: lambda value: json_value(value.as_doc()),
    Decimal128: lambda value: decimal_value(value.to_decimal()),
    MaxKey: lambda _: {"$maxKey": 1},
    MinKey: lambda _: {"$minKey": 1},
    Regex: lambda value: pattern_value(_text(value.pattern), _options(value)),
    Timestamp: lambda value: {"$timestamp": {"t": value.time, "i": value.inc}},
}


def _text(pattern: str | bytes) -> str:
    return pattern if isinstance(pattern, str) else pattern.decode("utf-8", "replace")
