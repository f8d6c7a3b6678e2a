"""The log calls of an ``EventClient``: from whatever is logged to a record for the outputs."""

from __future__ import annotations

import copy
import warnings
from datetime import datetime
from typing import Any

from typing_extensions import Self

from madsci.client.writing.arguments import LOG_TYPES, Draft, find_event, make_draft, message_text
from madsci.client.writing.outputs import Outputs
from madsci.client.writing.record import EventSource, make_data_record, make_record, record_event
from madsci.client.writing.redaction import Redaction
from madsci.common.context.event_context import HIERARCHY, current_event_context
from madsci.common.ids import new_ulid
from madsci.common.jsonable import to_jsonable
from madsci.common.stderr import warn_locally
from madsci.common.types.client_config import EventClientConfig
from madsci.common.types.event import Event
from madsci.common.types.log_level import EventLogLevel, level_filter

DEBUG, INFO, WARNING, ERROR, CRITICAL = 10, 20, 30, 40, 50
_NOTHING: Any = object()


class LogCalls:
    """The writing half of ``EventClient``.

    A message may be any object; every keyword is data, but for ``event_type``, ``alert``,
    ``exc_info`` and ``stack_info``. The names with ``log_`` are the older ones and take events too.
    """

    config: EventClientConfig
    _outputs: Outputs
    _source: EventSource
    _redaction: Redaction
    _context: dict[str, Any]
    _is_bound_copy: bool

    def debug(self, message: object = _NOTHING, /, *args: Any, **fields: Any) -> None:
        """Log at level DEBUG."""
        if self.config.log_level <= DEBUG or fields.get("alert") is True:
            self._log(DEBUG, message, args, fields)

    def info(self, message: object = _NOTHING, /, *args: Any, **fields: Any) -> None:
        """Log at level INFO."""
        if self.config.log_level <= INFO or fields.get("alert") is True:
            self._log(INFO, message, args, fields)

    def warning(self, message: object = _NOTHING, /, *args: Any, **fields: Any) -> None:
        """Log at level WARNING."""
        if self.config.log_level <= WARNING or fields.get("alert") is True:
            self._log(WARNING, message, args, fields)

    def error(self, message: object = _NOTHING, /, *args: Any, **fields: Any) -> None:
        """Log at level ERROR. ``exc_info=True`` adds the exception that is being handled."""
        if self.config.log_level <= ERROR or fields.get("alert") is True:
            self._log(ERROR, message, args, fields)

    def critical(self, message: object = _NOTHING, /, *args: Any, **fields: Any) -> None:
        """Log at level CRITICAL."""
        if self.config.log_level <= CRITICAL or fields.get("alert") is True:
            self._log(CRITICAL, message, args, fields)

    def exception(self, message: object = _NOTHING, /, *args: Any, **fields: Any) -> None:
        """Log at level ERROR with the exception that is being handled."""
        fields.setdefault("exc_info", True)
        self.error(message, *args, **fields)

    def log_debug(self, event: object = _NOTHING, /, *args: Any, **fields: Any) -> None:
        """Log an event or a text at level DEBUG; see ``log`` about the level of events."""
        self._log_at(DEBUG, event, args, fields)

    def log_info(self, event: object = _NOTHING, /, *args: Any, **fields: Any) -> None:
        """Log an event or a text at level INFO; see ``log`` about the level of events."""
        self._log_at(INFO, event, args, fields)

    def log_warning(
        self,
        event: object = _NOTHING,
        /,
        *args: Any,
        warning_category: type[Warning] | None = UserWarning,
        **fields: Any,
    ) -> None:
        """Log an event or a text at level WARNING, and issue a Python warning of the category."""
        self._log_at(WARNING, event, args, fields)
        self._warn(WARNING, event, args, warning_category)

    warn = log_warning

    def log_error(self, event: object = _NOTHING, /, *args: Any, **fields: Any) -> None:
        """Log an event or a text at level ERROR; see ``log`` about the level of events."""
        self._log_at(ERROR, event, args, fields)

    def log_critical(self, event: object = _NOTHING, /, *args: Any, **fields: Any) -> None:
        """Log an event or a text at level CRITICAL; see ``log`` about the level of events."""
        self._log_at(CRITICAL, event, args, fields)

    def alert(self, message: object = _NOTHING, /, *args: Any, **fields: Any) -> None:
        """Send an event with its alert flag raised, or a text as a critical one, whatever the level.

        An event that was logged before stays one event on the server, where the flag is raised.
        """
        event = find_event(message)
        if event is None:
            self._log(CRITICAL, message, args, {**fields, "alert": True})
        else:
            self._log_event(event, None, {**fields, "alert": True})

    log_alert = alert

    def log(
        self,
        event: object,
        level: object = None,
        alert: bool | None = None,  # noqa: FBT001 - given by position in existing programs
        warning_category: type[Warning] | None = None,
        **fields: Any,
    ) -> None:
        """Log anything: an event (also as JSON text or dict), an exception, a text, data.

        The caller's event is never changed. It keeps its id, so that logging it twice stores it
        once; with another ``level`` it is another event and gets an id of its own.
        """
        try:
            number = level_filter(level)
        except ValueError as error:
            self._trouble(error)
            number = None
        if alert is not None:
            fields["alert"] = alert
        found = find_event(event)
        if found is not None:
            self._log_event(found, number, fields)
            number = int(found.log_level) if number is None else number
        elif isinstance(event, BaseException):
            number = ERROR if number is None else number
            self._log_checked(number, event, (), fields)
        else:
            number = INFO if number is None else number
            self._log_data(number, event, fields)
        self._warn(number, event, (), warning_category)

    def relay(
        self, level: int, message: object, fields: dict[str, Any], moment: datetime | None = None
    ) -> None:
        """Log what another logging library was given: at any level, at the time of another moment.

        ``fields`` are read as the keywords of a log call are.
        """
        if self.config.log_level <= level or fields.get("alert") is True:
            draft = make_draft(level, message, (), {**self._added_data(), **fields})
            if draft.event_type == "log":
                draft.event_type = LOG_TYPES.get(int(EventLogLevel.at_or_below(level)), "log")
            self._outputs.write(
                make_data_record(level, draft, self._source.encoded(), self._redaction, moment)
            )

    def bind(self, /, **context: Any) -> Self:
        """Return a client that adds these data to every text it logs. It shares this one's outputs."""
        return self._with_context({**self._context, **context})

    def unbind(self, /, *names: str) -> Self:
        """Return a client without these data; names that are not bound do not matter."""
        return self._with_context(
            {name: value for name, value in self._context.items() if name not in names}
        )

    def _log(self, level: int, message: object, args: tuple[Any, ...], fields: dict[str, Any]) -> None:
        if message is _NOTHING:  # info(message="...") means what it says
            message = fields.pop("message", "")
        if self._context or current_event_context.get() is not None:
            fields = {**self._added_data(), **fields}
        self._outputs.write(
            make_record(level, message, args, fields, self._source.encoded(), self._redaction)
        )

    def _added_data(self) -> dict[str, Any]:
        """Return the bound data, and where this client is that of a context, the context's place."""
        context = current_event_context.get()
        if context is None or not context.hierarchy or HIERARCHY in self._context:
            return self._context
        if getattr(context.client, "_outputs", None) is not self._outputs:
            return self._context
        return {HIERARCHY: context.name, **self._context}

    def _log_checked(
        self, level: int, message: object, args: tuple[Any, ...], fields: dict[str, Any]
    ) -> None:
        if self.config.log_level <= level or fields.get("alert") is True:
            self._log(level, message, args, fields)

    def _log_at(self, level: int, event: object, args: tuple[Any, ...], fields: dict[str, Any]) -> None:
        if isinstance(event, Event):
            self._log_event(event, level, fields)
        else:
            self._log_checked(level, event, args, fields)

    def _log_event(self, event: Event, level: int | None, fields: dict[str, Any]) -> None:
        changes: dict[str, Any] = {}
        number = int(event.log_level) if level is None else level
        if number != event.log_level:
            changes = {"log_level": EventLogLevel.at_or_below(number), "event_id": new_ulid()}
        alert = fields.pop("alert", None)
        if alert is not None:
            changes["alert"] = alert is True
        if fields:
            data = event.event_data
            changes["event_data"] = {
                **(data if isinstance(data, dict) else {"message": data}),
                **fields,
            }
        copied = event.model_copy(update=changes)
        if self.config.log_level <= number or copied.alert:
            self._outputs.write(record_event(copied, self._source.ids(), self._redaction))

    def _log_data(self, level: int, value: object, fields: dict[str, Any]) -> None:
        plain = value if isinstance(value, str) else to_jsonable(value)
        if isinstance(plain, str):
            self._log_checked(level, plain, (), fields)
        elif self.config.log_level <= level or fields.get("alert") is True:
            alert = fields.pop("alert", None) is True
            if not isinstance(plain, dict):
                plain = {"message": message_text(value), "value": plain}
            data = {**self._added_data(), **plain, **fields}
            draft = Draft(LOG_TYPES.get(level, "log"), data, alert)
            self._outputs.write(make_data_record(level, draft, self._source.encoded(), self._redaction))

    def _warn(
        self, level: int, event: object, args: tuple[Any, ...], category: type[Warning] | None
    ) -> None:
        """Issue a Python warning at the line that called the calling method."""
        if category is None or self.config.log_level > level:
            return
        if isinstance(event, Event):
            data = event.event_data
            event = data.get("message", data) if isinstance(data, dict) else data
        try:
            warnings.warn(message_text(event, args), category, stacklevel=3)
        except Warning as error:  # the program's filters turn warnings into errors
            if self.config.fail_on_error:
                raise
            self._trouble(error)

    def _trouble(self, error: Exception) -> None:
        if self.config.fail_on_error:
            raise error
        warn_locally(str(error))

    def _with_context(self, context: dict[str, Any]) -> Self:
        client = copy.copy(self)
        client._context = context  # noqa: SLF001 - it is a copy of this very object
        client._is_bound_copy = True  # noqa: SLF001
        return client
