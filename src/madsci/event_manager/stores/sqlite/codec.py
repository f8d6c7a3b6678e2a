"""An event as a row, and a row as an event."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from madsci.event_manager.model.stored_event import (
    StoredEvent,
    decode_json,
    encode_event,
    encode_json,
    encode_texts,
)
from madsci.event_manager.stores.sqlite.columns import AS_READ, LASTING
from madsci.event_manager.stores.sqlite.damage.checksums import changing_bits, checksum_of, is_of

_NAMES: Final = ", ".join(column.name for column in AS_READ)
_VALUES: Final = ", ".join("jsonb(?)" if column.is_json else "?" for column in AS_READ)
INSERT: Final = f"INSERT INTO events ({_NAMES}) VALUES ({_VALUES}) ON CONFLICT (event_id) DO NOTHING"  # noqa: S608
COLUMNS: Final = ", ".join(
    f"json({column.name})" if column.is_json else f"events.{column.name}" for column in AS_READ
)
"""What ``to_event`` reads, in its order."""
NUMBER_OF_COLUMNS: Final = len(AS_READ)
_LASTING: Final = len(LASTING)


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
        event.sender,
    )
    checksum = checksum_of(lasting)
    if alert or archived or archived_at is not None:
        checksum |= changing_bits(alert=alert, archived=archived, archived_at=archived_at)
    return lasting + (alert, archived, archived_at, checksum)  # noqa: RUF005 - half the time


class Sources(dict[str, dict[str, Any]]):
    """Sources by their JSON: events that are read together have few of them, and share those."""

    def __missing__(self, text: str) -> dict[str, Any]:
        source: dict[str, Any] = decode_json(text)
        self[text] = source
        return source


def to_event(
    row: tuple[Any, ...], source_of: Callable[[str], dict[str, Any]] = decode_json
) -> StoredEvent | None:
    """Return the event of a row of ``COLUMNS`` (further columns are ignored); ``None`` if damaged."""
    (_, event_id, event_type, log_level, event_timestamp, received_at, _, trace_id, span_id,
     source, event_data, extra, sender, alert, archived, archived_at, checksum,
    ) = row[:NUMBER_OF_COLUMNS]  # fmt: skip
    if checksum is None:
        is_intact = sender is None and _is_plausible(row)  # senders came after checksums
    else:
        is_intact = is_of(checksum, row[:_LASTING], alert, archived, archived_at)
    if not is_intact:
        return None
    try:
        return StoredEvent(
            event_id,
            event_type,
            log_level,
            bool(alert),
            event_timestamp,
            received_at,
            source_of(source),
            event_data,
            trace_id,
            span_id,
            bool(archived),
            archived_at,
            None if extra is None else decode_json(extra),
            sender,
        )
    except msgspec.DecodeError:  # of a row without a checksum
        return None


def to_json(row: tuple[Any, ...]) -> bytes | None:
    """Return the event of a row as ``encode_event`` does; ``None`` if damaged.

    Of a row with the right checksum, the JSON is what ``to_row`` put into it, and is taken as it is.
    """
    (_, event_id, event_type, log_level, event_timestamp, received_at, _, trace_id, span_id,
     source, event_data, extra, sender, alert, archived, archived_at, checksum,
    ) = row[:NUMBER_OF_COLUMNS]  # fmt: skip
    if checksum is None:
        event = to_event(row)
        return None if event is None else encode_event(event)
    if not is_of(checksum, row[:_LASTING], alert, archived, archived_at):
        return None
    return encode_texts(
        event_id, event_type, log_level, event_timestamp, received_at, trace_id, span_id,
        source, event_data, extra, sender, alert, archived, archived_at,
    )  # fmt: skip


def _is_plausible(row: tuple[Any, ...]) -> bool:
    """Tell whether a row that has no checksum could be one: of each value the type is right."""
    return all(
        isinstance(value, int if column.type_name == "INTEGER" else str)
        or (value is None and column.may_be_null)
        for value, column in zip(row, AS_READ, strict=False)
    )
