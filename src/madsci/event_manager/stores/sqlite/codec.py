"""An event as a row, and a row as an event."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from madsci.event_manager.model.stored_event import StoredEvent, decode_json, encode_json, text_size
from madsci.event_manager.stores.sqlite.damage.checksums import changing_bits, checksum_of, is_of

INSERT: Final = """
INSERT INTO events (
    seq, event_id, event_type, log_level, event_timestamp, received_at, node_id, trace_id, span_id,
    source, event_data, extra, alert, archived, archived_at, checksum
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, jsonb(?), jsonb(?), jsonb(?), ?, ?, ?, ?)
ON CONFLICT (event_id) DO NOTHING
"""

LASTING: Final = """
events.seq, event_id, event_type, log_level, event_timestamp, received_at, node_id, trace_id, span_id,
json(source), json(event_data), json(extra)
"""
"""What never changes in a row, and what its checksum is taken of."""
NUMBER_OF_LASTING: Final = 12
_FIRST_JSON: Final = 9
COLUMNS: Final = f"{LASTING.rstrip()}, alert, archived, archived_at, checksum"
"""What ``to_event`` reads, in its order."""
NUMBER_OF_COLUMNS: Final = 16


def to_row(event: StoredEvent, seq: int) -> tuple[Any, ...]:
    """Return the bindings of ``INSERT`` for an event."""
    source, alert, archived, archived_at = event.source, event.alert, event.archived, event.archived_at
    lasting = (
        seq,
        event.event_id,
        event.event_type,
        event.log_level,
        event.event_timestamp,
        event.received_at,
        source.get("node_id"),
        event.trace_id,
        event.span_id,
        encode_json(source),
        event.event_data,
        encode_json(event.extra) if event.extra else None,
    )
    checksum = checksum_of(lasting)
    if alert or archived or archived_at is not None:
        checksum |= changing_bits(alert=alert, archived=archived, archived_at=archived_at)
    return lasting + (alert, archived, archived_at, checksum)  # noqa: RUF005 - half the time


def to_event(row: tuple[Any, ...]) -> StoredEvent | None:
    """Return the event of a row of ``COLUMNS`` (further columns are ignored); ``None`` if damaged."""
    lasting = row[:NUMBER_OF_LASTING]
    alert, archived, archived_at, checksum = row[NUMBER_OF_LASTING:NUMBER_OF_COLUMNS]
    if checksum is None:
        is_intact = _is_plausible(row)
    else:
        is_intact = is_of(checksum, lasting, alert, archived, archived_at)
    if not is_intact:
        return None
    (_, event_id, event_type, log_level, event_timestamp, received_at) = lasting[:6]
    (_, trace_id, span_id, source, event_data, extra) = lasting[6:]
    try:
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
    except msgspec.DecodeError:  # of a row without a checksum
        return None


def size_of_row(row: tuple[Any, ...]) -> int:
    """Return how many bytes of JSON a row of ``COLUMNS`` has; see ``stored_event.size_of``."""
    return sum(text_size(text) for text in row[_FIRST_JSON:NUMBER_OF_LASTING] if text is not None)


_TYPES: Final = "ittiiittttttiiii"
"""The types of ``COLUMNS``: integers and texts."""
_MAY_BE_NULL: Final = frozenset({6, 7, 8, 11, 14, 15})


def _is_plausible(row: tuple[Any, ...]) -> bool:
    """Tell whether a row that has no checksum could be one: of each value the type is right."""
    return all(
        isinstance(value, int if _TYPES[place] == "i" else str)
        or (value is None and place in _MAY_BE_NULL)
        for place, value in enumerate(row[:NUMBER_OF_COLUMNS])
    )
