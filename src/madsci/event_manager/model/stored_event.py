"""The event as it is kept, and its two outward forms: the JSON of the REST API and a plain document."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import msgspec

from madsci.common.clock import iso


class StoredEvent(msgspec.Struct, frozen=True, gc=False):
    """An event in canonical form. Times are microseconds since the Unix epoch.

    What its members may hold, and how ids and texts compare, is said in ``docs/reference/events.md``.
    ``event_data`` is JSON text as the encoder of this module writes it: compact, one meaning, never
    a NaN. ``sender`` is JSON text as ``model.sender`` writes it. ``source`` and ``extra`` are small and
    stay decoded.
    """

    event_id: str
    event_type: str
    log_level: int
    alert: bool
    event_timestamp: int
    received_at: int
    source: dict[str, Any]
    event_data: str
    trace_id: str | None = None
    span_id: str | None = None
    archived: bool = False
    archived_at: int | None = None
    extra: dict[str, Any] | None = None
    sender: str | None = None

    @property
    def order(self) -> tuple[int, str]:
        """The place in time: events are ordered by their own time, then by id."""
        return (self.event_timestamp, self.event_id)

    def document(self) -> dict[str, Any]:
        """Return the event as the document that selectors speak about, times as microseconds."""
        return self.document_with(decode_json(self.event_data))

    def document_with(self, event_data: Any) -> dict[str, Any]:
        """Return the same document, with another form of its data."""
        document: dict[str, Any] = {
            "_id": self.event_id,
            "event_type": self.event_type,
            "log_level": self.log_level,
            "alert": self.alert,
            "event_timestamp": self.event_timestamp,
            "source": self.source,
            "event_data": event_data,
            "trace_id": self.trace_id,
            "span_id": self.span_id,
            "archived": self.archived,
            "archived_at": self.archived_at,
            "received_at": self.received_at,
        }
        if self.sender is not None:
            document["sender"] = decode_json(self.sender)
        if self.extra:
            document["extra"] = self.extra
        return document


class _WireEvent(msgspec.Struct, gc=False):
    # The order of the members is the order on the wire.
    id_alias: str = msgspec.field(name="_id")
    event_id: str
    event_type: str
    log_level: int
    alert: bool
    event_timestamp: str
    source: dict[str, Any] | msgspec.Raw
    event_data: msgspec.Raw
    trace_id: str | None
    span_id: str | None
    archived: bool
    archived_at: str | None
    received_at: str
    sender: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    extra: dict[str, Any] | msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


_received_text = lru_cache(maxsize=64)(iso)  # what is sent together is received at one time
_encode = msgspec.json.Encoder().encode
_decoder = msgspec.json.Decoder()


def encode_json(value: Any) -> str:
    """Return the canonical JSON text of a decoded JSON value."""
    return _encode(value).decode()


def json_size(value: Any) -> int:
    """Return how many bytes a decoded JSON value takes as text."""
    return len(_encode(value))


def decode_json(text: str | bytes) -> Any:
    """Return the value of JSON text that this module wrote."""
    return _decoder.decode(text)


def size_of(event: StoredEvent) -> int:
    """Return how many bytes of JSON the members of an event take that may be large."""
    data = event.event_data
    size = len(data) if data.isascii() else len(data.encode())
    for member in (event.source, event.extra):
        if member:
            size += json_size(member)
    return size


def encode_event(event: StoredEvent) -> bytes:
    """Return the event as the REST API shows it."""
    return _encode(_wire(event))


def encode_events_by_id(events: Iterable[StoredEvent]) -> bytes:
    """Return ``{id: event, ...}`` in the order of the events."""
    return _encode({event.event_id: _wire(event) for event in events})


def _wire(event: StoredEvent) -> _WireEvent:
    archived_at = event.archived_at
    return _WireEvent(
        event.event_id,
        event.event_id,
        event.event_type,
        event.log_level,
        event.alert,
        iso(event.event_timestamp),
        event.source,
        msgspec.Raw(event.event_data),
        event.trace_id,
        event.span_id,
        event.archived,
        None if archived_at is None else iso(archived_at),
        _received_text(event.received_at),
        msgspec.UNSET if event.sender is None else msgspec.Raw(event.sender),
        event.extra or msgspec.UNSET,
    )


def encode_texts(  # noqa: PLR0913, PLR0917 - what an event has
    event_id: str,
    event_type: str,
    log_level: int,
    event_timestamp: int,
    received_at: int,
    trace_id: str | None,
    span_id: str | None,
    source: str,
    event_data: str,
    extra: str | None,
    sender: str | None,
    alert: int,
    archived: int,
    archived_at: int | None,
) -> bytes:
    """Return what ``encode_event`` does of an event of which there is only the JSON of its members.

    That is ``source``, ``event_data``, ``extra`` and ``sender``, each as ``encode_json`` writes it.
    """
    return _encode(
        _WireEvent(
            event_id,
            event_id,
            event_type,
            log_level,
            alert != 0,
            iso(event_timestamp),
            msgspec.Raw(source),
            msgspec.Raw(event_data),
            trace_id,
            span_id,
            archived != 0,
            None if archived_at is None else iso(archived_at),
            _received_text(received_at),
            msgspec.UNSET if sender is None else msgspec.Raw(sender),
            msgspec.UNSET if extra is None else msgspec.Raw(extra),
        )
    )
