"""The standard library's logging as events: what any library logs arrives beside the program's own.

Loguru writes to such handlers, too. The handler's formatter is not used: an event keeps text and data
apart.

========================  ======================================================================
of the record             in the event
========================  ======================================================================
``created``               ``event_timestamp``
``levelno``               ``log_level``, the known level at or below it, and the event type of that
``getMessage()``          ``message``; of a dict as ``msg``: its text and its members
``name``                  ``logger``
``pathname``, ``lineno``  ``location``, as ``path:line``
``exc_info``              ``exception_type``, ``exception_message``, ``traceback``
``stack_info``            ``stack``
``extra``                 as it is; ``event_type`` and ``alert`` mean what they mean in log calls
========================  ======================================================================

A level of another number is kept as ``level_number`` and ``level_name``.
"""

from __future__ import annotations

import atexit
import logging
import threading
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any, Final, cast

from madsci.client.event_client import EventClient
from madsci.client.writing import LOG_TYPES, message_text, read_entry, take_level_name, take_moment
from madsci.common.jsonable import attempt, is_a, to_text
from madsci.common.named_values import free_name
from madsci.common.stderr import warn_locally
from madsci.common.types.client_config import EventClientConfig

__all__ = ["EventClientHandler", "is_of_sender"]

DEFAULT_NAME: Final = "logging"
"""The name of a handler's own client, whose log file is called so."""
SENDER_THREAD: Final = "madsci-event-sender"
"""What the names of the threads begin with whose own log records must not become events again."""
_OWN_LOGGER: Final = "madsci.client"
_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_TAKEN: Final = frozenset({"logger", "location", "level_number", "level_name", "stack"})
_OF_STRUCTLOG: Final = frozenset({"_logger", "_name"})
"""What structlog's ``wrap_for_formatter`` tells its formatter beside the entry."""

_told: set[str] = set()  # the bridges of which was told that they have no server
_inside = threading.local()  # holds whether this thread is handing a record to a client
_ending = threading.Event()
atexit.register(_ending.set)


class EventClientHandler(logging.Handler):
    """Logs records through an ``EventClient``.

    Either ``client`` is given, or the handler makes one and closes it: then further arguments are
    ``EventClientConfig``'s, and it writes no console, takes every level and is called ``logging``
    unless they say otherwise. With ``dictConfig``, all of them stand beside ``class`` and ``level``.

    What the client itself has to tell, and what is logged in the course of sending, is left out.
    """

    client: EventClient

    def __init__(
        self,
        client: EventClient | None = None,
        *,
        level: int | str = logging.NOTSET,
        **settings: Any,
    ) -> None:
        super().__init__(level)
        self._owns_client = client is None
        self.client = own_client(settings) if client is None else client
        tell_without_server(self.client, "EventClientHandler")

    def emit(self, record: logging.LogRecord) -> None:
        """Log a record; trouble with it goes where ``logging`` puts that of its handlers."""
        try:
            if _is_own(record):
                return
            _inside.value = True
            try:
                moment = datetime.fromtimestamp(record.created, timezone.utc)
                message, fields = _read(record, moment)
                self.client.relay(record.levelno, message, fields, moment, _exception(record))
            finally:
                _inside.value = False
        except Exception:  # noqa: BLE001 - the contract of logging's handlers
            self.handleError(record)

    def flush(self) -> None:
        """Wait for the server to have everything, but not at the end of the program.

        There the sender's own bounded patience has passed already.
        """
        if not _ending.is_set():
            self.client.flush()

    def close(self) -> None:
        """Let go of the handler's own client. What waits for the server is delivered nevertheless."""
        super().close()
        if self._owns_client:
            self.client.close(timeout=0.0)


def own_client(settings: Mapping[str, Any]) -> EventClient:
    """Return a bridge's client: quiet on the console, open to every level, unless told otherwise."""
    config = EventClientConfig(**{"log_console_enabled": False, "log_level": 0, **settings})
    return EventClient(config if config.name else config.replaced(name=DEFAULT_NAME))


def tell_without_server(client: EventClient, bridge: str) -> None:
    """Say once in a program that what goes through a bridge reaches no server."""
    if client.stats() is None and bridge not in _told:
        _told.add(bridge)
        warn_locally(
            f"{bridge} has no Event Manager: what it is given stays on this machine. Give it"
            " event_server, or set EVENT_SERVER_URL. This is told once."
        )


def is_of_sender(thread_name: str | None = None) -> bool:
    """Tell whether a thread, by default this one, is one that takes events to a server."""
    return (thread_name or threading.current_thread().name).startswith(SENDER_THREAD)


def _is_own(record: logging.LogRecord) -> bool:
    name = record.name or ""  # records that were not made by a logger may have none
    return (
        getattr(_inside, "value", False)
        or name == _OWN_LOGGER
        or name.startswith(f"{_OWN_LOGGER}.")
        or is_of_sender(record.threadName)
    )


def _read(record: logging.LogRecord, moment: datetime) -> tuple[str, dict[str, Any]]:
    """Return the text and the data of a record."""
    message, fields = _message(record), _extra(record)
    if is_a(record.msg, Mapping) and not record.args:  # as structlog's wrap_for_formatter gives it
        message, entry = read_entry(cast("Mapping[Any, Any]", record.msg))
        _drop_what_the_record_tells(entry, record, moment)
        for name in _OF_STRUCTLOG:
            fields.pop(name, None)
        for name, value in entry.items():
            fields[free_name(name, fields)] = value
    for name in _TAKEN.intersection(fields):
        fields[free_name(f"{name}_", fields)] = fields.pop(name)
    fields["logger"] = record.name
    fields["location"] = f"{record.pathname}:{record.lineno}"
    if record.levelno not in LOG_TYPES:
        fields |= {"level_number": record.levelno, "level_name": record.levelname}
    if record.exc_text and record.exc_text.strip() and not record.exc_info:  # came through a queue
        fields[free_name("traceback", fields)] = record.exc_text
    if record.stack_info:
        fields["stack"] = record.stack_info
    return message, fields


def _message(record: logging.LogRecord) -> str:
    text = attempt(record.getMessage)
    if isinstance(text, str):
        return text
    args = record.args
    return message_text(record.msg, args if isinstance(args, tuple) else (args,))


def _extra(record: logging.LogRecord) -> dict[str, Any]:
    extra = {name: value for name, value in vars(record).items() if name not in _STANDARD}
    if list(extra) == ["extra"] and is_a(extra["extra"], Mapping):  # as loguru gives it
        return {to_text(name): value for name, value in extra["extra"].items()}
    return extra


def _drop_what_the_record_tells(
    entry: dict[str, Any], record: logging.LogRecord, moment: datetime
) -> None:
    level = take_level_name(entry)
    if level is not None and level != record.levelno:
        entry["level"] = cast("Mapping[str, Any]", record.msg)["level"]
    take_moment(entry, moment)
    if entry.get("logger") == record.name:
        del entry["logger"]


def _exception(record: logging.LogRecord) -> BaseException | None:
    given: object = record.exc_info  # records that were not made by a logger may have an exception here
    for error in (given[1] if isinstance(given, tuple) else given, record.msg):
        if is_a(error, BaseException):
            return cast("BaseException", error)
    return None
