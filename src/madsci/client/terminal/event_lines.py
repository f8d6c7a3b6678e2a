"""An event as a line for people: what happened where, and its data, in nothing that moves a cursor."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any, Final

from madsci.common.stderr import visible
from madsci.common.types.event import Event
from madsci.common.types.log_level import EventLogLevel
from madsci.common.types.ownership import OwnershipInfo

_MAX_MESSAGE: Final = 2_000
_MAX_VALUE: Final = 200
"""Characters that are shown: some lines of a terminal, or what can be read at a glance."""
_SOURCES: Final = (
    "node_id", "workcell_id", "manager_id", "workflow_id", "step_id", "experiment_id",
    "campaign_id", "project_id", "user_id", "lab_id",
)  # fmt: skip
"""Whom a line names: the first of these that an event has."""
_ULID_LENGTH: Final = 26
_ULID_SHOWN: Final = 6
_NOT_SHOWN: Final = frozenset({"message", "traceback"})
"""What stands elsewhere in the line, or has many lines of its own."""
_PLAIN: Final = re.compile(r"[^\s\"'=\\]+")

_RESET: Final = "\033[0m"
_FAINT, _BOLD, _CYAN = "\033[2m", "\033[1m", "\033[36m"
_ALERT: Final = "\033[1;37;41m"
_LEVELS: Final = {
    EventLogLevel.NOTSET: _FAINT,
    EventLogLevel.DEBUG: _FAINT,
    EventLogLevel.INFO: "\033[32m",
    EventLogLevel.WARNING: "\033[33m",
    EventLogLevel.ERROR: "\033[31m",
    EventLogLevel.CRITICAL: "\033[1;31m",
}


class EventLines:
    """Makes lines, with colours or without. Times are in the zone of this machine."""

    def __init__(self, *, has_colors: bool) -> None:
        self._has_colors = has_colors

    def line(self, event: Event) -> str:
        """Return the line of an event, without its end. Long values are cut."""
        level = event.log_level
        parts = [
            self._in(_FAINT, _local(event.event_timestamp)),
            self._in(_LEVELS[level], f"{level.name.lower():<8}"),
            f"{event.event_type.value:<17}",
            self._in(_CYAN, f"{_source(event.source):<11}"),
        ]
        if event.alert:
            parts.append(self._in(_ALERT, "ALERT"))
        data = event.event_data
        shown = data if isinstance(data, dict) else {"message": data}
        message = shown.get("message", "")
        text = message if isinstance(message, str) else _as_json(message)
        parts.append(self._in(_BOLD, _cut(visible(text), _MAX_MESSAGE)))
        parts += [
            f"{self._in(_CYAN, visible(name))}={_value(value)}"
            for name, value in shown.items()
            if name not in _NOT_SHOWN
        ]
        return " ".join(parts).rstrip()

    def _in(self, color: str, text: str) -> str:
        return f"{color}{text}{_RESET}" if self._has_colors and text else text


def json_line(event: Event) -> str:
    """Return an event as one line of JSON in ASCII, which means nothing to a terminal."""
    document = {**event.model_dump(mode="json", by_alias=True), "event_id": event.event_id}
    return json.dumps(document).replace("\x7f", "\\u007f")


def _local(moment: datetime) -> str:
    try:
        local = moment.astimezone()
    except (OverflowError, ValueError, OSError):  # at the ends of the calendar
        local = moment
    return local.replace(tzinfo=None).isoformat(sep=" ", timespec="milliseconds")


def _source(source: OwnershipInfo) -> str:
    for name in _SOURCES:
        value = getattr(source, name)
        if value:
            text = visible(value)
            # Ids that were made in one second begin alike.
            short = text[-_ULID_SHOWN:] if len(text) == _ULID_LENGTH else _cut(text, _ULID_LENGTH)
            return f"{name.removesuffix('_id')}:{short}"
    return "-"


def _value(value: Any) -> str:
    is_plain = isinstance(value, str) and _PLAIN.fullmatch(value)
    return _cut(visible(value if is_plain else _as_json(value)), _MAX_VALUE)


def _as_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
