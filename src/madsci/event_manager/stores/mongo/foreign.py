"""Documents that this program did not write: those of earlier releases, and of other tools.

Their times are texts without an offset or BSON's dates, their ids may be ObjectIds, members may be
missing, and any type of BSON may stand anywhere. Everything is read; what JSON does not have becomes
what a reader understands best.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from datetime import datetime, timezone, tzinfo
from typing import Any, Final

from bson import DBRef, Decimal128, ObjectId, Timestamp
from bson.code import Code
from bson.datetime_ms import DatetimeMS
from bson.regex import Regex

from madsci.common.clock import iso, to_us
from madsci.common.types.event_reading import read_event
from madsci.event_manager.model.stored_event import StoredEvent, encode_json

_DIGITS: Final = 308
"""Digits of the largest number that every reader of JSON knows."""
_MEMBERS_OF_ANY_KIND: Final = ("source", "event_data", "extra", "exact")


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
    )


def _top_level(name: str, value: Any) -> Any:
    """Return a member as JSON, but a date as it is: read as a time, it needs no zone."""
    return (
        value if isinstance(value, datetime) and name not in _MEMBERS_OF_ANY_KIND else json_value(value)
    )


def json_value(value: Any) -> Any:
    """Return a value of BSON as JSON's, all of it."""
    if value is None or isinstance(value, (str, bool)):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else _name_of(value)
    if isinstance(value, Mapping):
        return {str(name): json_value(member) for name, member in value.items()}
    if isinstance(value, (list, tuple)):
        return [json_value(member) for member in value]
    return _other(value)


def _other(value: Any) -> Any:
    if isinstance(value, datetime):
        aware = value if value.tzinfo else value.replace(tzinfo=timezone.utc)
        return iso(to_us(aware))
    if isinstance(value, DatetimeMS):  # beyond the year 9999
        return f"{int(value)} ms since 1970"
    if isinstance(value, Decimal128):
        return _number(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, Timestamp):
        return iso(to_us(value.as_datetime()))
    if isinstance(value, DBRef):
        return json_value(value.as_doc())
    if isinstance(value, (Regex, Code)):
        return str(getattr(value, "pattern", value))
    return str(value)


def _name_of(number: float) -> str:
    return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"


def _number(value: Decimal128) -> Any:
    """Return a decimal as a number, where one of JSON's means the same, else as text."""
    decimal = value.to_decimal()
    if not decimal.is_finite() or decimal.adjusted() > _DIGITS:
        return str(decimal)
    if decimal == decimal.to_integral_value():
        return int(decimal)
    number = float(decimal)
    return number if decimal == type(decimal)(repr(number)) else str(decimal)
