"""What the arguments of a log call mean: small steps that fill a draft of the event.

Everything is data, but for four keyword arguments: ``event_type`` (also kept among the data),
``alert``, ``exc_info`` and ``stack_info``.
"""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from madsci.common.errors import InvalidEventError
from madsci.common.jsonable import attempt, describe_exception, to_text
from madsci.common.types.event import Event
from madsci.common.types.event_type import EventType

LIFTED: Final = frozenset({"message", "event_type", "alert", "exc_info", "stack_info"})
"""Names of keyword arguments that are more than data."""
LOG_TYPES: Final = {
    10: "log_debug",
    20: "log_info",
    30: "log_warning",
    40: "log_error",
    50: "log_critical",
}
"""The event types of the log levels; other levels are plain ``log``."""
_EVENT_KEYS: Final = frozenset({"event_type", "event_data", "log_level", "event_id", "_id"})


@dataclass
class Draft:
    """An event in the making: the data are still any Python values."""

    event_type: str
    data: dict[str, Any]
    alert: bool = False


def make_draft(level: int, message: object, args: tuple[Any, ...], given: Mapping[str, Any]) -> Draft:
    """Read the arguments of a log call."""
    draft = Draft(LOG_TYPES.get(level, "log"), {"message": message_text(message, args)})
    for name, value in given.items():
        # A datum called "message" keeps its value beside the text of the event.
        draft.data["message_" if name == "message" else name] = value
    _lift_event_type(draft)
    _lift_alert(draft)
    _lift_exception(draft, message)
    _lift_stack(draft)
    return draft


def message_text(message: object, args: tuple[Any, ...] = ()) -> str:
    """Return the text of a message, with ``%`` arguments filled in as the ``logging`` module does."""
    text = to_text(message)
    if not args:
        return text
    values = args[0] if len(args) == 1 and isinstance(args[0], Mapping) else args
    filled = attempt(text.__mod__, values)
    return filled if isinstance(filled, str) else " ".join([text, *map(to_text, args)])


def _lift_event_type(draft: Draft) -> None:
    value = draft.data.get("event_type")
    if value is None:
        return
    known = attempt(EventType, value)
    if known is not None:  # the words of an unknown type stay among the data
        draft.event_type = draft.data["event_type"] = known.value


def _lift_alert(draft: Draft) -> None:
    if "alert" in draft.data:
        value = draft.data.pop("alert")
        # What has no truth value was certainly not meant as "no".
        draft.alert = attempt(bool, value) is not False


def _lift_exception(draft: Draft, message: object) -> None:
    given = draft.data.pop("exc_info", None)
    error: object = None
    if isinstance(given, BaseException):
        error = given
    elif isinstance(given, tuple):
        error = given[1] if len(given) > 1 else None
    elif given is not None and attempt(bool, given):
        error = sys.exc_info()[1]
    if error is None and isinstance(message, BaseException) and given is not False:
        error = message
    if isinstance(error, BaseException):
        for name, value in describe_exception(error).items():
            draft.data.setdefault(name, value)


def _lift_stack(draft: Draft) -> None:
    if attempt(bool, draft.data.pop("stack_info", None)):
        own = "madsci.client"
        frames = [
            frame
            for frame, _ in traceback.walk_stack(None)
            if not str(frame.f_globals.get("__name__", "")).startswith(f"{own}.")
        ]
        stack = traceback.StackSummary.extract((frame, frame.f_lineno) for frame in reversed(frames))
        draft.data["stack"] = "".join(stack.format()).rstrip("\n")


def find_event(value: object) -> Event | None:
    """Return the event that a value is or spells out; ``None`` where it is something else.

    A mapping is an event only if it has a member that says so: every member of an event has a
    default, and any other mapping is data.
    """
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
