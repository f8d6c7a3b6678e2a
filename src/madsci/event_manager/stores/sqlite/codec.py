"""An event as a row, and a row as an event."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from madsci.event_manager.model.stored_event import StoredEvent, decode_json, encode_json

INSERT: Final = """
INSERT INTO events (
    seq, event_id, event_type, log_level, alert, event_timestamp, received_at, node_id, trace_id,
    span_id, archived, archived_at, source, event_data, extra
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, jsonb(?), jsonb(?), jsonb(?))
ON CONFLICT (event_id) DO NOTHING
"""

COLUMNS: Final = """
event_id, event_type, log_level, alert, event_timestamp, received_at, trace_id, span_id, archived,
archived_at, json(source), json(event_data), json(extra)
"""
"""What ``to_event`` reads, in its order."""
NUMBER_OF_COLUMNS: Final = 13


def to_row(event: StoredEvent, seq: int) -> tuple[Any, ...]:
    """Return the bindings of ``INSERT`` for an event."""
    return (
        seq,
        event.event_id,
        event.event_type,
        event.log_level,
        event.alert,
        event.event_timestamp,
        event.received_at,
        event.source.get("node_id"),
        event.trace_id,
        event.span_id,
        event.archived,
        event.archived_at,
        encode_json(event.source),
        event.event_data,
        encode_json(event.extra) if event.extra else None,
    )


def to_event(row: Sequence[Any]) -> StoredEvent:
    """Return the event of a row of ``COLUMNS`` (further columns are ignored)."""
    (event_id, event_type, log_level, alert, event_timestamp, received_at) = row[:6]
    (trace_id, span_id, archived, archived_at, source, event_data, extra) = row[6:NUMBER_OF_COLUMNS]
    return StoredEvent(
        event_id,
        event_type,
        log_level,
        bool(alert),
        event_timestamp,
        received_at,
        decode_json(source),
        event_data,
        trace_id,
        span_id,
        bool(archived),
        archived_at,
        None if extra is None else decode_json(extra),
    )
