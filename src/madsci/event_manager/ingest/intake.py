"""From the JSON of one event to the event that is kept: parsed and validated once.

A well-formed event takes the fast path, a decoder of exactly the expected types. Anything else, be it
an unknown member, a half-broken value or a log line of another logger, takes the patient one, which
keeps all that can be kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any, Final

import msgspec

from madsci.common.clock import Clock, now_us, parse_instant, to_us
from madsci.common.errors import InvalidEventError, InvalidInputError, TooLargeError
from madsci.common.ids import new_ulid
from madsci.common.types.event_reading import MAX_ID_LENGTH, read_event
from madsci.common.types.event_type import EventType
from madsci.common.types.foreign_event import as_event
from madsci.common.types.log_level import EventLogLevel
from madsci.event_manager.model.json_reading import MAX_DEPTH, check_depth, read_json, visible_names
from madsci.event_manager.model.sender import KnownSender, sender_text, text_of_known
from madsci.event_manager.model.stored_event import StoredEvent, encode_json, json_size

_TYPES: Final = {kind.value: kind for kind in EventType}
_LOG_TYPES: Final = frozenset(kind.value for kind in EventType if kind.is_log)
_LEVELS: Final = frozenset(int(level) for level in EventLogLevel)
_SHALLOW: Final = 2 * MAX_DEPTH
"""Characters of JSON that are too few for too many levels: each takes two brackets."""
_NUL: Final = b"\\u0000"
"""A NUL as JSON writes it; in a name, stores cannot keep it."""


class Accepted(msgspec.Struct, frozen=True, gc=False):
    """An event that can be kept, and a sentence for each thing that had to be repaired."""

    event: StoredEvent
    repairs: Sequence[str] = ()


class _WellFormed(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    id_alias: str | None = msgspec.field(default=None, name="_id")
    event_id: str | None = None
    event_type: str = "unknown"
    log_level: int = 20
    alert: bool = False
    event_timestamp: datetime | None = None
    source: dict[str, str | None] | msgspec.UnsetType | None = msgspec.UNSET
    event_data: Any = msgspec.field(default_factory=dict)
    trace_id: str | None = None
    span_id: str | None = None
    archived: bool = False
    archived_at: datetime | None = None
    sender: KnownSender | None = None
    received_at: datetime | None = None  # the server puts its own; a sender's word is not kept


_decoder = msgspec.json.Decoder(_WellFormed)


@dataclass(frozen=True)
class Intake:
    """Reads events. Thread-safe.

    With ``keep_received_at`` an event that says when a server received it keeps that, as an import
    must; else the present is what counts.

    ``own_source`` is the source of an event that names none. ``promote_event_type`` lifts a type that
    old clients bury in ``event_data.event_type`` of a log event. ``max_event_bytes`` bounds the JSON
    of one event.
    """

    own_source: dict[str, str]
    naive_zone: tzinfo | None = None
    promote_event_type: bool = True
    max_event_bytes: int = 16_000_000
    keep_received_at: bool = False
    clock: Clock = now_us

    def read(self, data: bytes) -> Accepted:
        """Read the JSON of one event.

        Raises:
            TooLargeError: it has too many bytes.
            InvalidInputError: it is not JSON, or nothing that can be kept.
        """
        self.check_size(len(data))
        try:
            wire = None if _NUL in data else _decoder.decode(data)
        except (msgspec.MsgspecError, UnicodeDecodeError, ValueError, RecursionError):
            wire = None
        event = None if wire is None else self._kept(wire, self.clock())
        return self._read_patiently(data) if event is None else Accepted(event)

    def read_document(self, document: object, repairs: list[str]) -> Accepted:
        """Read an event that is decoded already; ``repairs`` are those of its text.

        Raises what ``read`` raises.
        """
        check_depth(document, MAX_DEPTH + 1)
        repairs = list(repairs)
        document = visible_names(document, repairs)
        self.check_size(json_size(document))
        understood: list[str] = []
        if isinstance(document, dict):
            document, understood = as_event(document, self.naive_zone)
            repairs += understood
        reading = read_event(document, self.naive_zone)
        if understood:  # members have become data, and lie deeper than they did
            check_depth(reading.event_data)
        received_at = self.clock()
        if self.keep_received_at and reading.received_at is not None:
            received_at = reading.received_at
        moment = reading.event_timestamp
        event = StoredEvent(
            reading.event_id,
            str(self._promoted(reading.event_type, reading.event_data)),
            int(reading.log_level),
            reading.alert,
            received_at if moment is None else moment,
            received_at,
            self.own_source if reading.source is None else reading.source,
            encode_json(reading.event_data),
            reading.trace_id,
            reading.span_id,
            reading.archived,
            reading.archived_at,
            reading.extra or None,
            text_of_known(reading.sender),
        )
        return Accepted(event, repairs + reading.repairs)

    def read_lines(self, body: bytes) -> list[StoredEvent] | None:
        """Read a body of well-formed events, one a line, all at once.

        Returns ``None`` if any line needs more patience, a look at its size, or holds several.
        """
        if len(body) > self.max_event_bytes or _NUL in body:
            return None
        try:
            received_at = self.clock()
            events = [self._kept(wire, received_at) for wire in _decoder.decode_lines(body)]
        except (msgspec.MsgspecError, InvalidInputError, ValueError, RecursionError):
            return None
        if not all(events) or len(events) > body.count(b"\n") + 1:
            return None
        return events  # type: ignore[return-value]

    def check_size(self, size: int) -> None:
        """Raise ``TooLargeError`` for more bytes than an event may have."""
        if size > self.max_event_bytes:
            raise TooLargeError(
                f"The event has {size:,} bytes, this server keeps events of up to"
                f" {self.max_event_bytes:,}. Store large data elsewhere and send a reference."
            )

    def _kept(self, wire: _WellFormed, received_at: int) -> StoredEvent | None:
        """Return the event to keep, or ``None`` where the patient path must decide."""
        event_id = wire.id_alias or wire.event_id or new_ulid()
        kind = wire.event_type
        if len(event_id) > MAX_ID_LENGTH or kind not in _TYPES or wire.log_level not in _LEVELS:
            return None
        event_data = encode_json(wire.event_data)
        if len(event_data) > _SHALLOW and _may_be_deep(event_data):
            check_depth(wire.event_data)
        if kind in _LOG_TYPES and '"event_type"' in event_data:
            kind = self._promoted(_TYPES[kind], wire.event_data).value
        try:
            moment = archived_at = None  # most events have one of the three
            if wire.event_timestamp is not None:
                moment = self._us(wire.event_timestamp)
            if wire.archived_at is not None:
                archived_at = self._us(wire.archived_at)
            if wire.received_at is not None:
                received_before = self._us(wire.received_at)
                received_at = received_before if self.keep_received_at else received_at
        except ValueError:
            return None
        return StoredEvent(
            event_id,
            kind,
            wire.log_level,
            wire.alert,
            received_at if moment is None else moment,
            received_at,
            self._source(wire.source),
            event_data,
            wire.trace_id,
            wire.span_id,
            wire.archived,
            archived_at,
            None,
            None if wire.sender is None else sender_text(wire.sender),
        )

    def _read_patiently(self, data: bytes) -> Accepted:
        document, repairs = read_json(data)
        if isinstance(document, list):
            raise InvalidEventError(
                "This is a list. POST /event takes one event; send lists to POST /events.",
                [{"loc": [], "msg": "not an object"}],
            )
        return self.read_document(document, repairs)

    def _us(self, moment: datetime) -> int:
        if moment.tzinfo is not None:
            return to_us(moment)
        return parse_instant(moment, self.naive_zone)

    def _source(self, source: dict[str, str | None] | msgspec.UnsetType | None) -> dict[str, Any]:
        if source is msgspec.UNSET:
            return self.own_source
        if source is None:
            return {}
        if None in source.values():
            return {name: value for name, value in source.items() if value is not None}
        return source

    def _promoted(self, kind: EventType, event_data: Any) -> EventType:
        if not self.promote_event_type or not kind.is_log or not isinstance(event_data, dict):
            return kind
        buried = event_data.get("event_type")
        try:
            return EventType(buried) if isinstance(buried, str) else kind
        except ValueError:
            return kind


def _may_be_deep(text: str) -> bool:
    """Tell whether JSON has brackets enough for too many levels.

    Most data have no object in them and one list at most. That is found faster than brackets are
    counted, which is done for every event.
    """
    if text.find("{", 1) < 0:
        first = text.find("[")
        if first < 0 or text.find("[", first + 1) < 0:
            return False
    return text.count("{") + text.count("[") > MAX_DEPTH
