"""From the arguments of a log call to the bytes of an event, in microseconds.

The common call, a text and a few plain values, is encoded straight from its arguments. Everything
else takes the careful way through ``arguments`` and ``to_jsonable``.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any, Final, NamedTuple

import msgspec

from madsci.client.writing.arguments import LOG_TYPES, Draft, make_draft
from madsci.client.writing.redaction import Redaction, shared_redaction
from madsci.common.clock import iso, to_us
from madsci.common.ids import new_ulid
from madsci.common.jsonable import to_jsonable, to_text
from madsci.common.ownership import (
    OwnershipIds,
    current_ids,
    layered_ownership,
    process_changes,
)
from madsci.common.types.event import Event
from madsci.common.types.log_level import EventLogLevel
from madsci.common.types.sender import sender_here

_PLAIN: Final = frozenset({str, int, bool, type(None)})
_LARGE: Final = 100_000
"""Bytes of an event from which on the limits of ``to_jsonable`` are looked at."""
_NO_REDACTION: Final = shared_redaction((), enabled=False)
_MAX_ORIGINS: Final = 64
"""Ownerships whose JSON is kept: those of the threads and tasks that log at the same time."""
_LEVELS: Final = {int(level): int(level) for level in EventLogLevel}


class Origin(NamedTuple):
    """The JSON of ``source`` and ``sender``, made once for many events."""

    source: msgspec.Raw
    sender: msgspec.Raw


_KnownOrigin = tuple[OwnershipIds | None, int, Origin]
"""The ids of the contexts, the state of the process, and what was made of them."""

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
    sender: msgspec.Raw
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


def make_record(  # noqa: PLR0913, PLR0917 - packing them costs a log call more than it shows
    level: int,
    message: object,
    args: tuple[Any, ...],
    given: Mapping[str, Any],
    origin: Origin,
    redaction: Redaction = _NO_REDACTION,
) -> Record:
    """Make the event of a log call, with the present as its time. Total: it never raises.

    What is mutable in ``given`` is copied by being encoded.
    """
    if (
        type(message) is str
        and not args
        and (redaction.plain_names.issuperset(given) or redaction.are_plain(given))
    ):
        data = {"message": message, **given}
        return _encoded(level, LOG_TYPES.get(level, "log"), data, origin, redaction)
    draft = make_draft(level, message, args, given)
    return make_data_record(level, draft, origin, redaction)


def make_data_record(
    level: int,
    draft: Draft,
    origin: Origin,
    redaction: Redaction,
    moment: datetime | None = None,
) -> Record:
    """Make the event of a draft, with the present as its time if no other is given."""
    data = redaction.mask_members(draft.data)
    kind = draft.event_type or "log"
    return _encoded(level, kind, data, origin, redaction, draft.alert is True, moment)


def _encoded(  # noqa: PLR0913, PLR0917 - see make_record
    level: int,
    event_type: str,
    data: dict[str, Any],
    origin: Origin,
    redaction: Redaction,
    alert: bool = False,  # noqa: FBT001, FBT002
    moment: datetime | None = None,
) -> Record:
    moment = moment or _now(timezone.utc)
    event_id = new_ulid()
    known_level = _LEVELS.get(level)
    if known_level is None:
        known_level = int(EventLogLevel.at_or_below(level))
    wire = _Wire(event_id, event_type, known_level, alert, moment, *origin, data, *current_trace())
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
    wire.event_data = redaction.mask_tree(to_jsonable(data))
    return Record(event_id, level, alert, moment, wire.event_data, _encode(wire))


def record_event(
    event: Event, source: Mapping[str, Any], sender: msgspec.Raw, redaction: Redaction
) -> Record:
    """Encode an event that the caller made.

    An event that was given a source or a sender keeps it. Others have the client's; its ids, with
    those over them that held where the event was made.
    """
    data = redaction.mask_tree(to_jsonable(event.event_data))
    own = event.source.model_dump()
    if not own or "source" not in event.model_fields_set:
        own = {**source, **own}
    trace_id, span_id = current_trace()
    document = {
        "event_id": to_text(event.event_id),
        "event_type": event.event_type.value,
        "log_level": int(event.log_level),
        "alert": event.alert,
        "event_timestamp": iso(to_us(event.event_timestamp)),
        "source": to_jsonable(own),
        "sender": sender if event.sender is None else to_jsonable(event.sender.known()),
        "event_data": data,
        "trace_id": to_jsonable(event.trace_id or trace_id),
        "span_id": to_jsonable(event.span_id or span_id),
    }
    if event.archived:
        document["archived"] = True
        document["archived_at"] = to_jsonable(event.archived_at)
    if event.extra:
        document["extra"] = redaction.mask_tree(to_jsonable(event.extra))
    moment, level = event.event_timestamp, int(event.log_level)
    return Record(document["event_id"], level, event.alert, moment, data, _encode(document))


def make_origin(source: Mapping[str, Any], name: str) -> Origin:
    """Encode an ownership, and this process under the name of a client, once for many events."""
    return Origin(msgspec.Raw(_encode(to_jsonable(source))), msgspec.Raw(_encode(sender_here(name))))


class EventOrigin:
    """Where a client's events come from, encoded once for as long as that stays the same."""

    def __init__(self, configured: Mapping[str, Any], name: str) -> None:
        self._configured = dict(configured)
        self._name = name
        self._last: _KnownOrigin = (None, -1, Origin(msgspec.Raw(), msgspec.Raw()))
        self._known: dict[OwnershipIds | None, _KnownOrigin] = {}
        self.encoded()  # loads what it needs: a first log call may come at the end of the program

    def ids(self) -> dict[str, Any]:
        """Return the ids of here and now by name."""
        return layered_ownership(self._configured)

    def encoded(self) -> Origin:
        """Return the ids of here and now, and this process, as JSON."""
        ids = current_ids.get()
        last = self._last
        if last[0] is ids and last[1] == process_changes.count:
            return last[2]
        changes = process_changes.count
        known = self._known.get(ids)
        if known is None or known[1] != changes:
            if len(self._known) >= _MAX_ORIGINS:
                self._known.clear()
            known = (ids, changes, make_origin(self.ids(), self._name))
            self._known[ids] = known
        self._last = known
        return known[2]
