"""An event as a document, and a document as an event.

The members stand in the document as on the wire, with one id and times as text of fixed width, whose
order is that of time and which keeps the microseconds that BSON's dates do not have. A few things JSON
has and BSON, or a server, has not: integers beyond 64 bits, NUL, ``$`` or a dot in names, arrays of a
hundred levels, arrays larger than 16 MB in BSON. Where an event has them, the document holds the whole
event as JSON text in ``exact``, and beside it what comes nearest, for selectors.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any, Final

import bson
import msgspec
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.decimal128 import Decimal128, create_decimal128_context
from bson.errors import InvalidDocument

from madsci.common.clock import iso, to_us
from madsci.common.errors import InvalidEventError
from madsci.common.types.ownership_ids import OWNERSHIP_IDS
from madsci.event_manager.model.sender import KnownSender, sender_text
from madsci.event_manager.model.stored_event import (
    StoredEvent,
    decode_json,
    encode_event,
    encode_json,
)
from madsci.event_manager.model.text_search import message_of
from madsci.event_manager.model.values import INT64
from madsci.event_manager.stores.mongo.foreign import foreign_event, json_value

MAX_DOCUMENT: Final = 16 * 1024 * 1024
"""Bytes of BSON in one document."""
OPTIONS: Final = CodecOptions(
    dict[str, Any],
    tz_aware=True,
    datetime_conversion=DatetimeConversion.DATETIME_AUTO,
    unicode_decode_error_handler="replace",
)
"""Reads every document, also one with dates beyond the year 9999 or with text that is not UTF-8."""

NO_EVENT: Final = (
    InvalidEventError, TypeError, ValueError, ArithmeticError, LookupError, RecursionError,
)  # fmt: skip
"""What reading a document as an event may raise, also one that nobody thought of."""

_OWNERSHIP_IDS: Final = frozenset(OWNERSHIP_IDS)
_DECIMALS: Final = create_decimal128_context()
_NAMES: Final = str.maketrans({"\0": "\N{SYMBOL FOR NULL}", ".": "\N{FULLWIDTH FULL STOP}"})
_DOLLAR: Final = "\N{FULLWIDTH DOLLAR SIGN}"


class _Plain(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """A document in the form that this module writes."""

    event_id: str = msgspec.field(name="_id")
    event_type: str
    log_level: int
    alert: bool
    event_timestamp: datetime
    received_at: datetime
    source: dict[str, Any]
    event_data: Any
    trace_id: str | None
    span_id: str | None
    archived: bool
    archived_at: datetime | None
    sender: KnownSender | None = None
    extra: dict[str, Any] | None = None
    exact: str | None = None
    lane: str | None = None
    number: int | None = None
    raised_lane: str | None = None
    raised_number: int | None = None


@dataclass(frozen=True)
class Place:
    """The place of an event in the feed."""

    lane: str
    number: int


class _Exact(msgspec.Struct, gc=False):
    """What the whole text of an event says better than its document."""

    source: dict[str, Any]
    event_data: msgspec.Raw
    extra: dict[str, Any] | None = None


_TEXTS: Final = frozenset({str, type(None)})
_exact_decoder = msgspec.json.Decoder(_Exact)
_encoder = msgspec.json.Encoder(enc_hook=json_value)


def to_document(event: StoredEvent, place: Place | None = None) -> dict[str, Any]:
    """Return the document of an event, as it is before BSON refuses anything of it."""
    data = msgspec.json.decode(event.event_data)
    return _document(event, event.source, data, event.extra, place)


def to_bson(event: StoredEvent, place: Place | None = None, *, decimals: bool = True) -> bytes:
    """Return the document as BSON, with ``exact`` where BSON cannot hold the event as it is.

    ``decimals``: the server knows BSON's decimal numbers; others end the connection when they see one.
    """
    document = to_document(event, place)
    if _is_odd(event):
        return _adapted(event, _nearest(document, decimals=decimals), place)
    try:
        encoded = bson.encode(document)
    except (OverflowError, InvalidDocument, UnicodeEncodeError, RecursionError):
        return _adapted(event, _nearest(document, decimals=decimals), place)
    return encoded if len(encoded) <= MAX_DOCUMENT else reduced(event, place)


def _is_odd(event: StoredEvent) -> bool:
    """Tell whether an event may have what servers refuse or change.

    That is names with ``$``, an inner ``_id``, which some put first, and a negative zero.
    """
    text = event.event_data
    if event.extra or event.source.keys() - _OWNERSHIP_IDS:
        text += encode_json([event.source, event.extra])
    return '"$' in text or '"_id"' in text or "-0.0" in text


def reduced(event: StoredEvent, place: Place | None = None) -> bytes:
    """Return the document of an event that a server will not have: of its data only the message.

    Selectors about other members of its data do not find it on MongoDB itself.
    """
    message = message_of(msgspec.json.decode(event.event_data))[:_SEARCHED]
    source = {name: value for name, value in event.source.items() if isinstance(value, str)}
    near = _document(event, _nearest(source, decimals=False), {"message": message}, None, place)
    near["exact"] = encode_event(event).decode()
    return bson.encode(near)


_SEARCHED: Final = 64 * 1024
"""Characters of a message that stand in the document beside the exact text of a huge event."""


def _adapted(event: StoredEvent, near: dict[str, Any], place: Place | None) -> bytes:
    near["exact"] = encode_event(event).decode()
    encoded = bson.encode(near)
    return encoded if len(encoded) <= MAX_DOCUMENT else reduced(event, place)


def _document(
    event: StoredEvent,
    source: dict[str, Any],
    data: Any,
    extra: dict[str, Any] | None,
    place: Place | None,
) -> dict[str, Any]:
    archived_at = event.archived_at
    document = {
        "_id": event.event_id,
        "event_type": event.event_type,
        "log_level": event.log_level,
        "alert": event.alert,
        "event_timestamp": iso(event.event_timestamp),
        "received_at": iso(event.received_at),
        "source": source,
        "event_data": data,
        "trace_id": event.trace_id,
        "span_id": event.span_id,
        "archived": event.archived,
        "archived_at": None if archived_at is None else iso(archived_at),
    }
    if event.sender is not None:
        document["sender"] = decode_json(event.sender)
    if extra:
        document["extra"] = extra
    if place is not None:
        document["lane"], document["number"] = place.lane, place.number
    return document


def _nearest(value: Any, *, decimals: bool) -> Any:
    """Return what comes nearest to a JSON value in BSON."""
    if isinstance(value, dict):
        return {_name(name): _nearest(member, decimals=decimals) for name, member in value.items()}
    if isinstance(value, list):
        return [_nearest(member, decimals=decimals) for member in value]
    if type(value) is int and value not in INT64:
        return Decimal128(_DECIMALS.create_decimal(value)) if decimals else _double(value)
    return value


def _double(value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        return sys.float_info.max if value > 0 else -sys.float_info.max


def _name(name: str) -> str:
    name = name.translate(_NAMES)
    return _DOLLAR + name[1:] if name.startswith("$") else name


def _data_text(data: Any) -> str:
    text = _encoder.encode(data)
    if b"null" in text:  # which the encoder makes of NaN, too
        text = _encoder.encode(json_value(data))
    return text.decode()


def to_event(document: Mapping[str, Any], naive_zone: tzinfo | None = None) -> StoredEvent:
    """Return the event of a document, also of one that another release or program wrote.

    ``naive_zone`` is the zone of times without an offset, by default that of this machine.

    Raises:
        InvalidEventError: it cannot be read as an event at all.
    """
    try:
        plain = msgspec.convert(document, _Plain)
        exact = None if plain.exact is None else _exact_decoder.decode(plain.exact)
    except (msgspec.MsgspecError, TypeError, RecursionError):  # also where others have such a member
        return foreign_event(document, naive_zone)
    texts = (plain.event_id, plain.event_type, plain.trace_id, plain.span_id)
    if not _TEXTS.issuperset(map(type, texts)):  # BSON's code is text to the driver
        return foreign_event(document, naive_zone)
    moment, received_at, archived_at = plain.event_timestamp, plain.received_at, plain.archived_at
    if any(one and one.tzinfo is None for one in (moment, received_at, archived_at)):
        return foreign_event(document, naive_zone)
    source, extra = plain.source, plain.extra
    if exact is None:
        event_data = _data_text(plain.event_data)
        if extra or not all(type(value) is str for value in source.values()):
            source, extra = json_value(source), json_value(extra)
    else:
        source, event_data, extra = exact.source, bytes(exact.event_data).decode(), exact.extra
    return StoredEvent(
        plain.event_id,
        plain.event_type,
        plain.log_level,
        plain.alert,
        to_us(moment),
        to_us(received_at),
        source,
        event_data,
        plain.trace_id,
        plain.span_id,
        plain.archived,
        None if archived_at is None else to_us(archived_at),
        extra,
        None if plain.sender is None else sender_text(plain.sender),
    )
