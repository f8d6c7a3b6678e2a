"""Structlog's entries as events: a processor that sends a copy on its way and passes the entry on.

Its place is before the renderer, and before ``format_exc_info``, which leaves but a text of exceptions.
"""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from datetime import datetime, timezone
from typing import Any, Final, TypeVar

from madsci.client.event_client import EventClient
from madsci.client.logging_handler import is_of_sender, own_client, tell_without_server
from madsci.client.writing import LOG_TYPES, read_entry, take_level_name, take_moment
from madsci.common.jsonable import attempt
from madsci.common.types.log_level import EventLogLevel, level_number

__all__ = ["structlog_event_processor"]

_Entry = TypeVar("_Entry", bound=MutableMapping[str, Any])

_METHODS: Final = {"exception": 40, "fatal": 50, "msg": 20, "log": 20}
"""Levels of structlog's methods that are not names of levels."""


def structlog_event_processor(
    client: EventClient | None = None, **settings: Any
) -> Callable[[Any, str, _Entry], _Entry]:
    """Return a processor that logs every entry through a client, and does not change the entry.

    Without a client it makes one, of which the further arguments are the settings.
    """
    known_client = own_client(settings) if client is None else client
    tell_without_server(known_client, "structlog_event_processor")

    def process(logger: Any, method_name: str, event_dict: _Entry) -> _Entry:
        if not is_of_sender():
            attempt(_relay, known_client, logger, method_name, event_dict)
        return event_dict

    return process


def _relay(client: EventClient, logger: Any, method: str, entry: MutableMapping[str, Any]) -> None:
    message, fields = read_entry(entry)
    if "logger" not in fields and isinstance(name := getattr(logger, "name", None), str):
        fields["logger"] = name
    level = _take_level(method, fields)
    client.relay(level, message, fields, take_moment(fields, datetime.now(timezone.utc)))


def _take_level(method: str, fields: dict[str, Any]) -> int:
    """Return the level of an entry; what said so is not repeated among its data."""
    named = take_level_name(fields)
    number = fields.get("level_number")
    if type(number) is int:
        if number in LOG_TYPES:
            del fields["level_number"]
        return number
    if named is not None:
        return named
    known = level_number(method)
    return _METHODS.get(method, int(EventLogLevel.INFO)) if known is None else known
