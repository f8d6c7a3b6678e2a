"""The standard library's logging as events: what any library logs arrives beside the program's own.

Loguru writes to such handlers, too. The handler's formatter is not used: an event keeps text and data
apart.

========================  ======================================================================
of the record             in the event
========================  ======================================================================
``created``               ``event_timestamp``
``levelno``               ``log_level``, the known level at or below it, and the event type of that
``getMessage()``          ``message``
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
from typing import Any, Final

from madsci.client.event_client import EventClient
from madsci.client.writing.arguments import LOG_TYPES, message_text
from madsci.common.jsonable import attempt, to_text
from madsci.common.types.client_config import EventClientConfig

__all__ = ["EventClientHandler", "is_of_sender"]

DEFAULT_NAME: Final = "logging"
"""The name of a handler's own client, whose log file is called so."""
SENDER_THREAD: Final = "madsci-event-sender"
"""What the names of the threads begin with whose own log records must not become events again."""
_OWN_LOGGER: Final = "madsci.client"
_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_TAKEN: Final = frozenset({"logger", "location", "level_number", "level_name", "stack"})

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

    def emit(self, record: logging.LogRecord) -> None:
        """Log a record; trouble with it goes where ``logging`` puts that of its handlers."""
        try:
            if _is_own(record):
                return
            message, fields = _message(record), _fields(record)
            moment = datetime.fromtimestamp(record.created, timezone.utc)
            _inside.value = True
            try:
                self.client.relay(record.levelno, message, fields, moment)
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


def _message(record: logging.LogRecord) -> str:
    text = attempt(record.getMessage)
    if isinstance(text, str):
        return text
    args = record.args
    return message_text(record.msg, args if isinstance(args, tuple) else (args,))


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    extra = {name: value for name, value in vars(record).items() if name not in _STANDARD}
    if list(extra) == ["extra"] and isinstance(extra["extra"], Mapping):  # as loguru gives it
        extra = {to_text(name): value for name, value in extra["extra"].items()}
    fields = {f"{name}_" if name in _TAKEN else name: value for name, value in extra.items()}
    fields["logger"] = record.name
    fields["location"] = f"{record.pathname}:{record.lineno}"
    if record.levelno not in LOG_TYPES:
        fields |= {"level_number": record.levelno, "level_name": record.levelname}
    if record.exc_info:
        fields["exc_info"] = record.exc_info
    elif isinstance(record.msg, BaseException):
        fields["exc_info"] = record.msg
    elif record.exc_text and record.exc_text.strip():  # of a record that came through a queue
        fields.setdefault("traceback", record.exc_text)
    if record.stack_info:
        fields["stack"] = record.stack_info
    return fields
