"""What the members of structlog's entries are, and of any dict that is logged as a message.

Knows the form of structlog's entries and does without importing structlog.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any, Final

from madsci.client.writing.arguments import is_exception_info, message_text
from madsci.common.clock import from_us, parse_instant
from madsci.common.jsonable import attempt, is_a, to_text
from madsci.common.named_values import free_name
from madsci.common.types.log_level import level_number

NEAR: Final = timedelta(seconds=10)
"""How old the time is that a processor of this entry wrote: it ran in the same call."""
_TEXTS: Final = ("event", "message", "msg")
"""Where the text is: structlog's own name, and those that its ``EventRenamer`` is used with."""
_OF_STRUCTLOG: Final = frozenset({"_record", "_from_structlog", "positional_args"})
_SECONDS_END: Final = 100_000_000_000
"""Whole numbers below count seconds: too coarse for the order of events."""


def read_entry(entry: Mapping[Any, Any]) -> tuple[str, dict[str, Any]]:
    """Return the text and the data of an entry; a dict without a text has an empty one."""
    fields = {to_text(name): value for name, value in list(entry.items())}
    text = next((name for name in _TEXTS if name in fields), "event")
    args = fields.get("positional_args")
    message = message_text(fields.pop(text, ""), args if type(args) is tuple else ())
    for name in _OF_STRUCTLOG:
        fields.pop(name, None)
    # What format_exc_info leaves of an exception.
    if type(fields.get("exception")) is str and not _tells_exception(fields.get("exc_info")):
        fields[free_name("traceback", fields)] = fields.pop("exception")
    return message, fields


def take_level_name(fields: dict[str, Any]) -> int | None:
    """Take the level that a processor wrote; any other ``level`` is the program's datum."""
    name = fields.get("level")
    # A single letter is rather a column of a plate.
    named = level_number(name) if type(name) is str and name.isalpha() and name[1:] else None
    if named is not None:
        del fields["level"]
    return named


def take_moment(fields: dict[str, Any], now: datetime) -> datetime | None:
    """Take the time that a processor wrote under ``timestamp``, a moment before ``now``.

    A text without a zone is in the zone of this machine or in UTC, whichever is near. All other times
    are data, such as that of a frame; texts without fractions of a second, too: they would mix up the
    order of events.
    """
    value = fields.get("timestamp")
    if type(value) is int and value < _SECONDS_END:
        return None
    if type(value) is str and "." not in value and "," not in value:
        return None
    if type(value) not in (str, int, float) and not is_a(value, datetime):
        return None
    for zone in (None, timezone.utc):
        instant = attempt(parse_instant, value, zone)
        moment = None if instant is None else attempt(from_us, instant)
        if moment is not None and abs(now - moment) <= NEAR:
            del fields["timestamp"]
            return moment
    return None


def _tells_exception(value: object) -> bool:
    return is_exception_info(value) and value not in (None, False, 0)
