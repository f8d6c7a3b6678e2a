"""From the arguments of a log call to the bytes of an event, in microseconds.

The common call, a text and a few plain values, is encoded straight from its arguments. Everything
else takes the careful way through ``processors`` and ``to_jsonable``.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any, Final

import msgspec

from madsci.client.processors import LIFTED, LOG_TYPES, make_draft
from madsci.common.clock import iso, to_us
from madsci.common.ids import new_ulid
from madsci.common.jsonable import to_jsonable, to_text
from madsci.common.types.event import Event
from madsci.common.types.log_level import EventLogLevel

_PLAIN: Final = frozenset({str, int, bool, type(None)})
_LARGE: Final = 100_000
"""Bytes of an event from which on the limits of ``to_jsonable`` are looked at."""
_LEVELS: Final = {int(level): int(level) for level in EventLogLevel}

_encode = msgspec.json.Encoder().encode
_now = datetime.now


class _Wire(msgspec.Struct, omit_defaults=True, gc=False):
    """An event as it is sent; the members that it lacks have their defaults on the server."""

    event_id: str
    event_type: str
    log_level: int
    alert: bool
    event_timestamp: datetime
    source: msgspec.Raw
    event_data: Any
    trace_id: str | None = None
    span_id: str | None = None


class Record(msgspec.Struct, frozen=True, gc=False):
    """One event on its way out: encoded for the server, and in parts for people."""

    event_id: str
    level: int
    alert: bool
    moment: datetime
    data: Any
    body: bytes


def current_trace() -> tuple[str | None, str | None]:
    """Return trace id and span id of the current OpenTelemetry span: none until that is built."""
    return None, None


def make_record(
    level: int,
    message: object,
    args: tuple[Any, ...],
    given: Mapping[str, Any],
    source: msgspec.Raw,
) -> Record:
    """Make the event of a log call, with the present as its time. Total: it never raises.

    ``source`` is the encoded ownership. What is mutable in ``given`` is copied by being encoded.
    """
    if type(message) is str and not args and LIFTED.isdisjoint(given):
        data = {"message": message, **given}
        return make_data_record(level, LOG_TYPES.get(level, "log"), data, source)
    draft = make_draft(level, message, args, given)
    return make_data_record(level, draft.event_type, draft.data, source, alert=draft.alert)


def make_data_record(
    level: int, event_type: str, data: dict[str, Any], source: msgspec.Raw, *, alert: bool = False
) -> Record:
    """Make an event of any data, with the present as its time."""
    moment = _now(timezone.utc)
    event_id = new_ulid()
    known_level = _LEVELS.get(level)
    if known_level is None:
        known_level = int(EventLogLevel.at_or_below(level))
    wire = _Wire(event_id, event_type, known_level, alert, moment, source, data, *current_trace())
    for value in data.values():
        kind = type(value)
        # The encoder writes NaN and the infinities as null: x - x is 0 for all other floats.
        if kind not in _PLAIN and not (kind is float and value - value == 0.0):
            break
    else:  # only values that the encoder writes exactly as to_jsonable would
        try:
            body = _encode(wire)
            if len(body) <= _LARGE:
                return Record(event_id, level, alert, moment, data, body)
        except (ValueError, TypeError, OverflowError):
            pass  # lone surrogates, integers of thousands of digits: the careful way knows them
    wire.event_data = to_jsonable(data)
    return Record(event_id, level, alert, moment, wire.event_data, _encode(wire))


def record_event(event: Event, source: Mapping[str, Any]) -> Record:
    """Encode an event that the caller made. An event without a source gets the client's."""
    data = to_jsonable(event.event_data)
    trace_id, span_id = current_trace()
    document = {
        "event_id": to_text(event.event_id),
        "event_type": event.event_type.value,
        "log_level": int(event.log_level),
        "alert": event.alert,
        "event_timestamp": iso(to_us(event.event_timestamp)),
        "source": to_jsonable(event.source.model_dump() or source),
        "event_data": data,
        "trace_id": to_jsonable(event.trace_id or trace_id),
        "span_id": to_jsonable(event.span_id or span_id),
    }
    if event.archived:
        document["archived"] = True
        document["archived_at"] = to_jsonable(event.archived_at)
    if event.extra:
        document["extra"] = to_jsonable(event.extra)
    moment, level = event.event_timestamp, int(event.log_level)
    return Record(document["event_id"], level, event.alert, moment, data, _encode(document))


def encode_source(source: Mapping[str, Any]) -> msgspec.Raw:
    """Encode an ownership once for many events."""
    return msgspec.Raw(_encode(to_jsonable(source)))
