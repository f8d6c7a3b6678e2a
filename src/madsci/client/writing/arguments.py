"""What the arguments of a log call mean.

Everything is data, but for four keyword arguments: ``event_type`` (also kept among the data),
``alert``, ``exc_info`` and ``stack_info``. They are obeyed where they have the type of the keyword; a
datum that only has its name, such as ``alert="door open"``, is kept under this name like any other.
"""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from madsci.common.errors import InvalidEventError
from madsci.common.jsonable import attempt, describe_exception, is_a, to_text
from madsci.common.named_values import free_name
from madsci.common.stderr import warn_locally
from madsci.common.types.event import Event
from madsci.common.types.event_reading import flag_of
from madsci.common.types.event_type import EventType
from madsci.common.types.log_level import level_number

KEYWORDS: Final = frozenset({"message", "event_type", "alert", "exc_info", "stack_info"})
"""Names of keyword arguments that may be more than data."""
LOG_TYPES: Final = {
    10: "log_debug",
    20: "log_info",
    30: "log_warning",
    40: "log_error",
    50: "log_critical",
}
"""The event types of the log levels; other levels are plain ``log``."""
MAX_UNKNOWN_TYPES: Final = 100
"""Unknown event types that are told and remembered: more are no misspellings, but made up."""
_EVENT_KEYS: Final = frozenset({"event_type", "event_data", "log_level", "event_id", "_id"})
_OPTIONS: Final = ("level", "alert", "warning_category")
"""The second to fourth positional argument of ``log``."""
_LONGEST_WORD: Final = 100
_OWN_PACKAGE: Final = "madsci.client."

_unknown_types: set[str] = set()


@dataclass
class Draft:
    """An event in the making: the data are still any Python values.

    ``None`` where nobody said what the type is, or whether it is an alert.
    """

    data: dict[str, Any]
    event_type: str | None = None
    alert: bool | None = None

    def add(self, name: str, value: Any) -> None:
        """Add something of ours beside the program's data: these keep their names."""
        self.data[free_name(name, self.data)] = value


def make_draft(
    level: int,
    message: object,
    args: tuple[Any, ...],
    given: Mapping[str, Any],
    error: BaseException | None = None,
) -> Draft:
    """Read the arguments of a log call, with an exception to describe that is not among them."""
    draft = read_keywords(given, message, error)
    data, draft.data = draft.data, {"message": message_text(message, args)}
    if "message" in data:  # the one name that we take from the program: readers look there for the text
        draft.data[free_name("message_", data)] = data.pop("message")
    draft.data.update(data)
    draft.event_type = draft.event_type or LOG_TYPES.get(level, "log")
    return draft


def read_keywords(
    given: Mapping[str, Any], message: object = None, error: BaseException | None = None
) -> Draft:
    """Read the keyword arguments of a log call, and describe the exception that they tell of."""
    draft = Draft(dict(given))
    _read_event_type(draft)
    _read_alert(draft)
    _read_exception(draft, message, error)
    _read_stack(draft)
    return draft


def is_alarm(given: Mapping[str, Any]) -> bool:
    """Tell whether the keyword arguments raise an alert: such a call is logged at any level."""
    return _alert_of(given.get("alert")) is True


def is_exception_info(value: object) -> bool:
    """Tell whether a value is one of those that ``exc_info`` takes, and not a datum of this name."""
    if value is None or type(value) is bool or (type(value) is int and value in (0, 1)):
        return True
    if type(value) is tuple and len(value) == 3:  # noqa: PLR2004 - as sys.exc_info() returns it
        return value[1] is None or is_a(value[1], BaseException)
    return is_a(value, BaseException)


def place_options(args: tuple[Any, ...], fields: dict[str, Any]) -> bool:
    """Name the positional arguments ``level``, ``alert`` and ``warning_category``, if they are these.

    Others are the values of a format with ``%``.
    """
    if not args or len(args) > len(_OPTIONS):
        return False
    options = {name: value for name, value in zip(_OPTIONS, args, strict=False) if value is not None}
    left = dict(options)
    take_level(left)
    take_warning_category(left, None)
    if "alert" in left and _alert_of(left.pop("alert")) is None:
        return False
    if left:
        return False
    for name, value in options.items():
        fields.setdefault(name, value)
    return True


def take_level(given: dict[str, Any]) -> int | None:
    """Take the keyword argument ``level`` if it is one: an integer or the name of a level.

    -1 means none. The level of a liquid in a tank is a datum.
    """
    value = given.get("level")
    named = type(value) is str and not value.strip().lstrip("-").isdigit()
    if value is not None and not named and (type(value) is bool or not issubclass(type(value), int)):
        return None
    number = level_number(value)
    if number is not None or value is None:
        given.pop("level", None)
    return None if number == -1 else number


def take_warning_category(given: dict[str, Any], default: type[Warning] | None) -> type[Warning] | None:
    """Take the keyword argument ``warning_category`` if it is one: ``None`` or a class of warnings."""
    value = given.get("warning_category", default)
    if value is not None and not (issubclass(type(value), type) and issubclass(value, Warning)):
        return default
    given.pop("warning_category", None)
    return value


def message_text(message: object, args: tuple[Any, ...] = ()) -> str:
    """Return the text of a message, with ``%`` arguments filled in as the ``logging`` module does."""
    text = to_text(message)
    if not args:
        return text
    values = args[0] if len(args) == 1 and is_a(args[0], Mapping) else args
    filled = attempt(text.__mod__, values)
    return filled if isinstance(filled, str) else " ".join([text, *map(to_text, args)])


def _read_event_type(draft: Draft) -> None:
    value = draft.data.get("event_type")
    if value is None:
        draft.data.pop("event_type", None)
        return
    if not issubclass(type(value), str):
        return
    known = attempt(EventType, value)
    if known is None:  # the word stays among the data
        _tell_unknown_type(value)
    else:
        draft.event_type = draft.data["event_type"] = known.value


def _tell_unknown_type(word: str) -> None:
    word = word[:_LONGEST_WORD]
    if word in _unknown_types or len(_unknown_types) >= MAX_UNKNOWN_TYPES:
        return
    _unknown_types.add(word)
    warn_locally(
        f"event_type={word!r} is not an event type: the event is sent with the type of its level, and"
        " the word is kept in event_data. EventType lists the types. This is told once."
    )


def _read_alert(draft: Draft) -> None:
    if "alert" not in draft.data:
        return
    value = draft.data["alert"]
    draft.alert = _alert_of(value)
    if value is None or draft.alert is not None:
        del draft.data["alert"]


def _alert_of(value: object) -> bool | None:
    """Read what is certainly a flag: booleans, numpy's too, and what the server reads as one."""
    kind = type(value)
    if kind is bool:
        return value is True
    if issubclass(kind, (str, int)) or kind.__name__ in ("bool_", "bool"):
        return attempt(flag_of, value)
    return None


def _read_exception(draft: Draft, message: object, error: BaseException | None) -> None:
    given = draft.data.get("exc_info")
    if is_exception_info(given):
        draft.data.pop("exc_info", None)
        if isinstance(given, tuple):
            error = given[1] or error
        elif isinstance(given, int):
            error = (sys.exc_info()[1] if given else None) or error
        elif given is not None:
            error = given
    if error is None and given is not False and is_a(message, BaseException):
        error = message  # type: ignore[assignment]
    if error is not None:
        for name, value in describe_exception(error).items():
            draft.add(name, value)


def _read_stack(draft: Draft) -> None:
    value = draft.data.get("stack_info")
    if value is not None and type(value) is not bool and not (type(value) is int and value in (0, 1)):
        return
    draft.data.pop("stack_info", None)
    if value:
        frames = [
            frame
            for frame, _ in traceback.walk_stack(None)
            if not str(frame.f_globals.get("__name__", "")).startswith(_OWN_PACKAGE)
        ]
        stack = traceback.StackSummary.extract((frame, frame.f_lineno) for frame in reversed(frames))
        draft.add("stack", "".join(stack.format()).rstrip("\n"))


def find_event(value: object) -> Event | None:
    """Return the event that a value is or spells out; ``None`` where it is something else.

    A mapping is an event only if it has a member that says so: every member of an event has a
    default, and any other mapping is data. Total: it never raises.
    """
    return attempt(_event_of, value)


def _event_of(value: object) -> Event | None:
    if isinstance(value, Event):
        return value
    if isinstance(value, (str, bytes, bytearray)):
        if value.lstrip()[:1] not in ("{", b"{"):
            return None
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return None
    if not isinstance(value, Mapping) or _EVENT_KEYS.isdisjoint(value):
        return None
    try:
        return Event.read(value)
    except (InvalidEventError, ValueError):
        return None
