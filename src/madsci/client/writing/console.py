"""Local output for people (or for programs that read the console): one line on stderr per event."""

from __future__ import annotations

import json
import os
import sys
import threading
from typing import Any, Final

from madsci.client.writing.record import Record
from madsci.common.clock import iso, to_us
from madsci.common.jsonable import attempt
from madsci.common.stderr import write_line
from madsci.common.types.log_level import EventLogLevel

_COLUMNS: Final = frozenset({"timestamp", "level", "event", "exception", "stack", "exc_info"})
_EXCEPTION_PARTS: Final = ("exception_type", "exception_message")
_LEVEL_NAMES: Final = {int(level): level.name.lower() for level in EventLogLevel}

_renderers: dict[bool, Any] = {}
_lock = threading.RLock()


def write_record(record: Record, output_format: str) -> None:
    """Write a line for people (``console``) or a JSON object (``json``) to stderr. Never raises."""
    stream = sys.stderr
    if stream is None:  # pythonw, Windows services
        return
    line = _json_line(record) if output_format == "json" else _console_line(record, stream)
    write_line(line)


def _fields(record: Record) -> dict[str, Any]:
    data = record.data if isinstance(record.data, dict) else {"message": record.data}
    fields: dict[str, Any] = {}
    for name, value in data.items():
        if name != "message":
            fields[f"{name}_" if name in _COLUMNS and name != "stack" else name] = value
    if record.alert:
        fields.setdefault("alert", True)
    message = data.get("message", "")
    fields["event"] = message if isinstance(message, str) else json.dumps(message)
    fields["level"] = _LEVEL_NAMES.get(record.level, str(record.level))
    fields["timestamp"] = iso(to_us(record.moment))
    return fields


def _json_line(record: Record) -> str:
    return json.dumps(_fields(record), ensure_ascii=False)


def _console_line(record: Record, stream: Any) -> str:
    fields = _fields(record)
    trace = fields.pop("traceback", None)
    if isinstance(trace, str):
        fields["exception"] = trace  # whose last line has type and message already
        for name in _EXCEPTION_PARTS:
            fields.pop(name, None)
    if not isinstance(fields.get("stack", ""), str):
        fields["stack_"] = fields.pop("stack")
    return str(_renderer(colors=_has_colors(stream))(None, fields["level"], fields))


def _has_colors(stream: Any) -> bool:
    # https://no-color.org: present and not empty, whatever the value.
    return not os.environ.get("NO_COLOR") and attempt(_is_terminal, stream) is True


def _is_terminal(stream: Any) -> bool:
    return bool(stream.isatty())


def _renderer(*, colors: bool) -> Any:
    if colors not in _renderers:
        with _lock:
            # 60 modules, asyncio among them, that a program without console output does not need.
            from structlog.dev import ConsoleRenderer, plain_traceback  # noqa: PLC0415

            _renderers[colors] = ConsoleRenderer(
                colors=colors, exception_formatter=plain_traceback, sort_keys=True
            )
    return _renderers[colors]
