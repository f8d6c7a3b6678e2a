"""The log calls of an ``EventClient``: from whatever is logged to a record for the outputs."""

from __future__ import annotations

import copy
import sys
import warnings
from datetime import datetime
from typing import Any, cast

from typing_extensions import Self

from madsci.client.writing.arguments import (
    LOG_TYPES,
    Draft,
    find_event,
    is_alarm,
    is_exception_info,
    make_draft,
    message_text,
    place_options,
    read_keywords,
    take_level,
    take_warning_category,
)
from madsci.client.writing.outputs import Outputs
from madsci.client.writing.record import EventOrigin, make_data_record, make_record, record_event
from madsci.client.writing.redaction import Redaction
from madsci.client.writing.signatures import (
    alert_call,
    any_call,
    shown_as,
    text_call,
    warning_call,
)
from madsci.common.context.event_context import HIERARCHY, current_event_context
from madsci.common.ids import new_ulid
from madsci.common.jsonable import is_a, to_jsonable
from madsci.common.stderr import warn_locally
from madsci.common.types.client_config import EventClientConfig
from madsci.common.types.event import Event
from madsci.common.types.event_type import EventType
from madsci.common.types.log_level import EventLogLevel, level_filter

DEBUG, INFO, WARNING, ERROR, CRITICAL = 10, 20, 30, 40, 50
_NOTHING: Any = object()


class LogCalls:
    """The writing half of ``EventClient``.

    A message may be any object. With further positional arguments it is a format with ``%``, as in
    ``logging``. Every keyword is data, and goes to ``event_data`` under its name, but for these:

    * ``event_type``: what the event tells, by default a log line of the level;
    * ``alert``: True alerts people, and the event is logged whatever the level;
    * ``exc_info``: an exception, or True for the one that is being handled, adds its type, message
      and traceback;
    * ``stack_info``: True adds how the program came here.

    A value that is none of these, such as ``alert="door open"``, is data, too. The methods with
    ``log_`` are the older ones and take events as well. None raises, unless ``fail_on_error``.
    """

    config: EventClientConfig
    _outputs: Outputs
    _origin: EventOrigin
    _redaction: Redaction
    _context: dict[str, Any]
    _is_bound_copy: bool

    def is_enabled_for(self, level: EventLogLevel | int | str) -> bool:
        """Tell whether an event of a level, given as number or name, would be logged.

        One with an alert is logged at any level.

        Raises:
            ValueError: it is no level.
        """
        number = level_filter(level)
        return self.config.log_level <= (0 if number is None else number)

    @shown_as(text_call)
    def debug(self, message: object = _NOTHING, /, *args: Any, **fields: Any) -> None:
        """Log at level DEBUG: what helps to find a fault."""
        if self.config.log_level <= DEBUG or ("alert" in fields and is_alarm(fields)):
            self._log(DEBUG, message, args, fields)

    @shown_as(text_call)
    def info(self, message: object = _NOTHING, /, *args: Any, **fields: Any) -> None:
        """Log at level INFO: what happened.

        ``client.info("Plate moved", plate="P7", well=3)`` makes an event with this message, and with
        ``plate`` and ``well`` in its ``event_data``.

        Args:
            message: any object; its ``str()`` is the text.
            args: values of a text with ``%``, as in ``logging``.
            event_type: what the event tells, by default ``log_info``.
            alert: True alerts people, whatever the level.
            exc_info: an exception, or True for the one that is being handled: adds its type, message
                and traceback.
            stack_info: True adds how the program came here.
            fields: the data, of any names and types. What is too large is cut, and says so; secrets
                are masked by their names.

        It takes microseconds, waits for nobody and never raises, unless ``fail_on_error``. Any thread
        and any signal handler may call it.
        """
        if self.config.log_level <= INFO or ("alert" in fields and is_alarm(fields)):
            self._log(INFO, message, args, fields)

    @shown_as(text_call)
    def warning(self, message: object = _NOTHING, /, *args: Any, **fields: Any) -> None:
        """Log at level WARNING: what may become a fault."""
        if self.config.log_level <= WARNING or ("alert" in fields and is_alarm(fields)):
            self._log(WARNING, message, args, fields)

    @shown_as(text_call)
    def error(self, message: object = _NOTHING, /, *args: Any, **fields: Any) -> None:
        """Log at level ERROR. ``exc_info=True`` adds the exception that is being handled."""
        if self.config.log_level <= ERROR or ("alert" in fields and is_alarm(fields)):
            self._log(ERROR, message, args, fields)

    @shown_as(text_call)
    def critical(self, message: object = _NOTHING, /, *args: Any, **fields: Any) -> None:
        """Log at level CRITICAL: what stops the work."""
        if self.config.log_level <= CRITICAL or ("alert" in fields and is_alarm(fields)):
            self._log(CRITICAL, message, args, fields)

    @shown_as(text_call)
    def exception(self, message: object = _NOTHING, /, *args: Any, **fields: Any) -> None:
        """Log at level ERROR with the exception that is being handled."""
        if self._is_wanted(ERROR, fields):
            handled = sys.exc_info()[1] if "exc_info" not in fields else None
            if not is_exception_info(fields.get("exc_info")):  # a datum of this name
                handled = sys.exc_info()[1]
            self._log_draft(ERROR, message, args, fields, error=handled)

    @shown_as(text_call)
    def log_debug(self, event: object = _NOTHING, /, *args: Any, **fields: Any) -> None:
        """Log an event or a text at level DEBUG; see ``log`` about the level of events."""
        self._log_at(DEBUG, event, args, fields)

    @shown_as(text_call)
    def log_info(self, event: object = _NOTHING, /, *args: Any, **fields: Any) -> None:
        """Log an event or a text at level INFO; see ``log`` about the level of events."""
        self._log_at(INFO, event, args, fields)

    @shown_as(warning_call)
    def log_warning(self, event: object = _NOTHING, /, *args: Any, **fields: Any) -> None:
        """Log an event or a text at level WARNING, and issue a Python warning of the category."""
        category = take_warning_category(fields, UserWarning)
        event = _first(event, fields)
        self._log_at(WARNING, event, args, fields)
        self._warn(WARNING, event, args, category)

    warn = log_warning

    @shown_as(text_call)
    def log_error(self, event: object = _NOTHING, /, *args: Any, **fields: Any) -> None:
        """Log an event or a text at level ERROR; see ``log`` about the level of events."""
        self._log_at(ERROR, event, args, fields)

    @shown_as(text_call)
    def log_critical(self, event: object = _NOTHING, /, *args: Any, **fields: Any) -> None:
        """Log an event or a text at level CRITICAL; see ``log`` about the level of events."""
        self._log_at(CRITICAL, event, args, fields)

    @shown_as(alert_call)
    def alert(self, message: object = _NOTHING, /, *args: Any, **fields: Any) -> None:
        """Send an event with its alert flag raised, or a text as a critical one, whatever the level.

        An event that was logged before stays one event on the server, where the flag is raised.
        """
        message = _first(message, fields)
        event = find_event(message)
        if event is None:
            self._log_draft(CRITICAL, message, args, fields, alert=True)
        else:
            self._log_event(event, None, fields, alert=True)

    log_alert = alert

    @shown_as(any_call)
    def log(self, event: object = _NOTHING, /, *args: Any, **fields: Any) -> None:
        """Log anything: an event (also as JSON text or dict), an exception, a text, data.

        The caller's event is never changed. It keeps its id, so that logging it twice stores it
        once; with another ``level`` or ``event_type`` it is another event and gets an id of its own.
        """
        event = _first(event, fields)
        if place_options(args, fields):
            args = ()
        number = take_level(fields)
        category = take_warning_category(fields, None)
        found = find_event(event)
        if found is not None:
            self._log_event(found, number, fields)
            number = int(found.log_level) if number is None else number
        elif is_a(event, BaseException):
            number = ERROR if number is None else number
            self._log_checked(number, event, args, fields)
        else:
            number = INFO if number is None else number
            self._log_data(number, event, args, fields)
        self._warn(number, event, args, category)

    def relay(
        self,
        level: int,
        message: object,
        fields: dict[str, Any],
        moment: datetime | None = None,
        error: BaseException | None = None,
    ) -> None:
        """Log what another logging library was given: at any level, at the time of another moment.

        ``fields`` are read as the keywords of a log call are; ``error`` is an exception beside them.
        """
        if self._is_wanted(level, fields):
            known = int(EventLogLevel.at_or_below(level))
            draft = make_draft(known, message, (), {**self._added_data(), **fields}, error)
            self._write(level, draft, moment)

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
            make_record(level, message, args, fields, self._origin.encoded(), self._redaction)
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
        if self._is_wanted(level, fields):
            self._log(level, message, args, fields)

    def _is_wanted(self, level: int, fields: dict[str, Any]) -> bool:
        # The five calls of programs say it themselves: it is most of what they cost when switched off.
        return self.config.log_level <= level or ("alert" in fields and is_alarm(fields))

    def _write(self, level: int, draft: Draft, moment: datetime | None = None) -> None:
        self._outputs.write(
            make_data_record(level, draft, self._origin.encoded(), self._redaction, moment)
        )

    def _log_at(self, level: int, event: object, args: tuple[Any, ...], fields: dict[str, Any]) -> None:
        event = _first(event, fields)
        if type(event) is not str and is_a(event, Event):
            self._log_event(cast("Event", event), level, fields)
        else:
            self._log_checked(level, event, args, fields)

    def _log_draft(  # noqa: PLR0913 - the parts of a log call, and what is known beside them
        self,
        level: int,
        message: object,
        args: tuple[Any, ...],
        fields: dict[str, Any],
        *,
        alert: bool | None = None,
        error: BaseException | None = None,
    ) -> None:
        if message is _NOTHING:
            message = fields.pop("message", "")
        draft = make_draft(level, message, args, {**self._added_data(), **fields}, error)
        draft.alert = draft.alert if alert is None else alert
        self._write(level, draft)

    def _log_event(
        self, event: Event, level: int | None, fields: dict[str, Any], *, alert: bool | None = None
    ) -> None:
        draft = read_keywords(fields)
        number = int(event.log_level) if level is None else level
        kind = event.event_type if draft.event_type is None else EventType(draft.event_type)
        changes: dict[str, Any] = {}
        if number != event.log_level or kind != event.event_type:
            known = EventLogLevel.at_or_below(number)
            changes = {"log_level": known, "event_type": kind, "event_id": new_ulid()}
        alert = draft.alert if alert is None else alert
        if alert is not None:
            changes["alert"] = alert
        if draft.data:
            data = event.event_data
            changes["event_data"] = {
                **(data if isinstance(data, dict) else {"message": data}),
                **draft.data,
            }
        copied = event.model_copy(update=changes)
        if self.config.log_level <= number or copied.alert:
            self._outputs.write(
                record_event(copied, self._origin.ids(), self._origin.encoded().sender, self._redaction)
            )

    def _log_data(
        self, level: int, value: object, args: tuple[Any, ...], fields: dict[str, Any]
    ) -> None:
        plain = value if type(value) is str else to_jsonable(value)
        if isinstance(plain, str) or args:
            self._log_checked(level, plain, args, fields)
        elif self._is_wanted(level, fields):
            if not isinstance(plain, dict):
                plain = {"message": message_text(value), "value": plain}
            draft = read_keywords({**self._added_data(), **fields})
            given = {name: draft.data[name] for name in fields if name in draft.data}
            draft.data = {**draft.data, **plain, **given}
            draft.event_type = draft.event_type or LOG_TYPES.get(level, "log")
            self._write(level, draft)

    def _warn(
        self, level: int, event: object, args: tuple[Any, ...], category: type[Warning] | None
    ) -> None:
        """Issue a Python warning at the line that called the calling method."""
        if category is None or self.config.log_level > level:
            return
        if is_a(event, Event):
            data = cast("Event", event).event_data
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


def _first(given: object, fields: dict[str, Any]) -> object:
    """Return the first argument of a log call; old programs give it by its name."""
    if given is not _NOTHING:
        return given
    return fields.pop("event" if "event" in fields else "message", "")
