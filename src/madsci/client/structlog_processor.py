"""Structlog's entries as events: a processor that sends a copy on its way and passes the entry on.

Its place is before the renderer, and before ``format_exc_info``, which leaves but a text of exceptions.
Knows the form of structlog's entries and does without importing structlog.
"""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from datetime import datetime
from typing import Any, Final, TypeVar

from madsci.client.event_client import EventClient
from madsci.client.logging_handler import is_of_sender, own_client
from madsci.client.writing.arguments import LOG_TYPES, message_text
from madsci.common.clock import from_us, parse_instant
from madsci.common.jsonable import attempt, to_text
from madsci.common.types.log_level import EventLogLevel, level_number

__all__ = ["structlog_event_processor"]

_Entry = TypeVar("_Entry", bound=MutableMapping[str, Any])

_METHODS: Final = {"exception": 40, "fatal": 50, "msg": 20, "log": 20}
"""Levels of structlog's methods that are not names of levels."""
_NO_DATA: Final = frozenset({"_record", "_from_structlog", "positional_args"})


def structlog_event_processor(
    client: EventClient | None = None, **settings: Any
) -> Callable[[Any, str, _Entry], _Entry]:
    """Return a processor that logs every entry through a client, and does not change the entry.

    Without a client it makes one, of which the further arguments are the settings.
    """
    known_client = own_client(settings) if client is None else client

    def process(logger: Any, method_name: str, event_dict: _Entry) -> _Entry:
        if not is_of_sender():
            _relay(known_client, logger, method_name, event_dict)
        return event_dict

    return process


def _relay(client: EventClient, logger: Any, method: str, entry: MutableMapping[str, Any]) -> None:
    fields = {to_text(name): value for name, value in entry.items() if name not in _NO_DATA}
    message = fields.pop("event", "")
    if "positional_args" in entry:
        message = message_text(message, tuple(entry["positional_args"]))
    if "logger" not in fields and isinstance(name := getattr(logger, "name", None), str):
        fields["logger"] = name
    if isinstance(fields.get("exception"), str) and not fields.get("exc_info"):
        fields["traceback"] = fields.pop("exception")
    client.relay(_take_level(method, fields), message, fields, _take_moment(fields))


def _take_level(method: str, fields: dict[str, Any]) -> int:
    """Return the level of an entry; what said so is not repeated among its data."""
    name = fields.get("level")
    named = level_number(name) if isinstance(name, str) and name.isalpha() else None
    if named is not None:  # else it is the program's own datum, such as that of a liquid
        del fields["level"]
    number = fields.get("level_number")
    if isinstance(number, int):
        if number in LOG_TYPES:
            del fields["level_number"]
        return number
    if named is not None:
        return named
    known = level_number(method)
    return _METHODS.get(method, int(EventLogLevel.INFO)) if known is None else known


def _take_moment(fields: dict[str, Any]) -> datetime | None:
    moment = attempt(lambda: from_us(parse_instant(fields["timestamp"])))
    if moment is not None:
        del fields["timestamp"]
    return moment
