"""Reading an event from a plain document, however well or badly its sender wrote it.

A flight recorder does not drop evidence: a member that cannot be read gets its default, what the
sender wrote stays in ``extra`` under the member's name, and a sentence says so. Members that events
do not have go to ``extra`` as they are. Refused is only what has no identity to be kept under.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Any, Final

from madsci.common.clock import parse_instant
from madsci.common.errors import InvalidEventError
from madsci.common.ids import new_ulid
from madsci.common.types.event_type import EventType
from madsci.common.types.extended_json import plain_document
from madsci.common.types.log_level import EventLogLevel, level_number
from madsci.common.types.members import INSTANTS, NAMES
from madsci.common.types.ownership_ids import OWNERSHIP_IDS, id_text
from madsci.common.types.sender_reading import LONGEST_NAME, read_sender

MAX_ID_LENGTH: Final = 255
"""Characters in an event id: it is a key of every index, and a ULID has 26."""

_TRUE: Final = frozenset({"true", "t", "yes", "y", "on", "1"})
_FALSE: Final = frozenset({"false", "f", "no", "n", "off", "0", "", "none", "null"})
_MISSING: Final = object()


@dataclass
class EventReading:
    """The members of an event as read, and a sentence for each that had to be repaired.

    Times are microseconds since the Unix epoch. ``event_timestamp`` and ``source`` are ``None`` where
    the sender gave none, so that the reader can put its own.
    """

    event_id: str
    event_type: EventType = EventType.UNKNOWN
    log_level: EventLogLevel = EventLogLevel.INFO
    alert: bool = False
    event_timestamp: int | None = None
    source: dict[str, Any] | None = None
    event_data: Any = field(default_factory=dict)
    trace_id: str | None = None
    span_id: str | None = None
    archived: bool = False
    archived_at: int | None = None
    received_at: int | None = None
    sender: dict[str, Any] | None = None
    extra: dict[str, Any] = field(default_factory=dict)
    repairs: list[str] = field(default_factory=list)

    def keep(self, name: str, value: Any, sentence: str) -> None:
        """Keep a value that has no place of its own, and say why."""
        self.extra[name] = value
        self.repairs.append(sentence)


def read_event(document: object, naive_zone: tzinfo | None = None) -> EventReading:
    """Read a decoded JSON (or BSON) document as an event.

    ``naive_zone`` is the zone of times without an offset, by default that of this machine.

    One in MongoDB's extended JSON, such as a line of ``bsondump``, is read as what it says.

    Raises:
        InvalidEventError: the document is not an object, or its id cannot be a key.
    """
    if not isinstance(document, Mapping):
        raise InvalidEventError(
            f"An event is a JSON object, this is {_kind(document)}: {document!r:.80}",
            [{"loc": [], "msg": "not an object"}],
        )
    return _read(plain_document(document), naive_zone)


def _read(document: Mapping[str, Any], naive_zone: tzinfo | None) -> EventReading:
    reading = EventReading(event_id=_read_id(document))
    _read_extra(document, reading)
    _read_type(document, reading)
    _read_level(document, reading)
    reading.alert = _read_flag(document, "alert", reading, unreadable=True)
    reading.archived = _read_flag(document, "archived", reading, unreadable=False)
    for name in sorted(INSTANTS):
        setattr(reading, name, _read_time(document, name, reading, naive_zone))
    reading.trace_id = id_text(document.get("trace_id"))
    reading.span_id = id_text(document.get("span_id"))
    _read_source(document, reading)
    _read_sender(document, reading)
    reading.event_data = document.get("event_data", {})
    return reading


def flag_of(value: object) -> bool | None:
    """Read a flag: a boolean, 0 or 1, or a word for yes or no. ``None`` for all else."""
    text = str(value).strip().lower()
    return True if text in _TRUE else False if text in _FALSE else None


def checked_event_id(event_id: str) -> str:
    """Return the id if it can be a key.

    Raises:
        InvalidEventError: it is too long.
    """
    if len(event_id) > MAX_ID_LENGTH:
        raise InvalidEventError(
            f"The event id has {len(event_id)} characters, at most {MAX_ID_LENGTH} can be kept"
            f" (it begins with {event_id[:40]!r}). Send a ULID, or no id to have one made.",
            [{"loc": ["event_id"], "msg": f"longer than {MAX_ID_LENGTH} characters"}],
        )
    return event_id


def _read_id(document: Mapping[str, Any]) -> str:
    value = document.get("_id")
    if value is None or value == "":
        value = document.get("event_id")
    text = value if isinstance(value, str) or value is None else _plain_text(value)
    return checked_event_id(text) if text else new_ulid()


def _plain_text(value: Any) -> str:
    return (id_text(value) or "") if isinstance(value, (dict, list, bool)) else str(value)


def _read_extra(document: Mapping[str, Any], reading: EventReading) -> None:
    given = document.get("extra")
    if isinstance(given, Mapping):
        reading.extra.update(given)
    elif given is not None:
        reading.extra["extra"] = given
    for name, value in document.items():
        if name not in NAMES:
            reading.extra[name] = value


def _read_type(document: Mapping[str, Any], reading: EventReading) -> None:
    value = document.get("event_type")
    if value is None:
        return
    try:
        reading.event_type = EventType(value)
    except ValueError:
        reading.keep(
            "event_type",
            value,
            f"event_type {value!r:.80} is not a known type; the event is kept as 'unknown' and the"
            " word under extra.event_type. The known types are listed at /docs.",
        )


def _read_level(document: Mapping[str, Any], reading: EventReading) -> None:
    value = document.get("log_level")
    if value is None:
        return
    number = level_number(value)
    if number is not None and number in EventLogLevel._value2member_map_:
        reading.log_level = EventLogLevel(number)
        return
    if number is not None:
        reading.log_level = EventLogLevel.at_or_below(number)
    reading.keep(
        "log_level",
        value,
        f"log_level {value!r:.80} is not a level; the event is kept as {reading.log_level.name} and"
        " the value under extra.log_level. Levels are 0, 10, 20, 30, 40, 50 or their names"
        " NOTSET, DEBUG, INFO, WARNING, ERROR, CRITICAL.",
    )


def _read_flag(
    document: Mapping[str, Any], name: str, reading: EventReading, *, unreadable: bool
) -> bool:
    value = document.get(name)
    if value is None or isinstance(value, bool):
        return bool(value)
    flag = flag_of(value)
    if flag is not None:
        return flag
    # For an alert the reading errs towards true: a false alarm costs less than a missed one.
    reading.keep(
        name,
        value,
        f"{name} {value!r:.80} is neither true nor false; it is taken as"
        f" {str(unreadable).lower()} and kept under extra.{name}.",
    )
    return unreadable


def _read_time(
    document: Mapping[str, Any], name: str, reading: EventReading, naive_zone: tzinfo | None
) -> int | None:
    value = document.get(name)
    if value is None:
        return None
    if isinstance(value, Mapping) and set(value) == {"$timestamp"}:
        value = value["$timestamp"]["t"]  # MongoDB's extended JSON for a second and a number in it
    try:
        return parse_instant(value, naive_zone)
    except ValueError as error:
        reading.keep(
            name,
            value,
            f"{name} cannot be read ({error}); what was sent is kept under extra.{name}.",
        )
        return None


def _read_source(document: Mapping[str, Any], reading: EventReading) -> None:
    value = document.get("source", _MISSING)
    if value is _MISSING:
        return
    reading.source = {}
    if isinstance(value, Mapping):
        reading.source = {
            name: id_text(member) if name in OWNERSHIP_IDS else member
            for name, member in value.items()
            if member is not None
        }
    elif value is not None:
        reading.keep(
            "source",
            value,
            f"source is {_kind(value)}, not an object of ids; it is kept under extra.source.",
        )


def _read_sender(document: Mapping[str, Any], reading: EventReading) -> None:
    known, left = read_sender(document.get("sender"))
    reading.sender = known or None
    if left is not None:
        reading.keep(
            "sender",
            left,
            f"sender says what cannot be read ({left!r:.80}); it is kept under extra.sender. A sender"
            f" has a name and a host of up to {LONGEST_NAME} characters, and the number of a process.",
        )


def _kind(value: object) -> str:
    names = {
        bool: "a boolean", int: "a number", float: "a number", str: "a text", list: "a list",
        type(None): "null", dict: "an object",
    }  # fmt: skip
    return names.get(type(value), f"a {type(value).__name__}")
