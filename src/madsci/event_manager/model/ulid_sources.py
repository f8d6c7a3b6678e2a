"""Events as the clients of releases 0.7 and 0.8 can read them: with nothing but ULIDs in ``source``.

They refuse an event, and with it the whole reply, for one id that is no ULID. Only replies are made so:
what is stored, selected and exported keeps every id where it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple

import msgspec

from madsci.common.ids import is_ulid
from madsci.event_manager.model.stored_event import StoredEvent, encode_event, encode_events_by_id


def with_ulid_sources(event: StoredEvent) -> StoredEvent:
    """Return the event with its other ids under ``extra.source``, or the next name that is free."""
    others = {name: value for name, value in event.source.items() if not _is_ulid(value)}
    if not others:
        return event
    extra = dict(event.extra or {})
    name = "source"
    while name in extra:
        name += "_"
    extra[name] = others
    ulids = {name: value for name, value in event.source.items() if name not in others}
    return msgspec.structs.replace(event, source=ulids, extra=extra)


def _is_ulid(value: Any) -> bool:
    return isinstance(value, str) and is_ulid(value)


class Encoding(NamedTuple):
    """How whole events are shown in replies: one, and many as ``{id: event, ...}``."""

    one: Callable[[StoredEvent], bytes]
    by_id: Callable[[Iterable[StoredEvent]], bytes]


def _encode_one(event: StoredEvent) -> bytes:
    return encode_event(with_ulid_sources(event))


def _encode_by_id(events: Iterable[StoredEvent]) -> bytes:
    return encode_events_by_id(map(with_ulid_sources, events))


AS_STORED: Final = Encoding(encode_event, encode_events_by_id)
ULIDS_ONLY: Final = Encoding(_encode_one, _encode_by_id)
