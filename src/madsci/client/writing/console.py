"""Local output for people (or for programs that read the console): one line on stderr per event.

In lines for people nothing moves the cursor or colours the screen but what is ours.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import Any, Final

from madsci.client.writing.record import Record
from madsci.common.clock import iso, to_us
from madsci.common.jsonable import attempt
from madsci.common.stderr import visible, write_line
from madsci.common.types.log_level import EventLogLevel

_COLUMNS: Final = frozenset({"timestamp", "level", "event", "exception", "stack", "exc_info"})
_EXCEPTION_PARTS: Final = ("exception_type", "exception_message")
_LEVEL_NAMES: Final = {int(level): level.name.lower() for level in EventLogLevel}

_TRACES: Final = frozenset({"exception", "stack"})
"""What has lines of its own."""

Renderer = Callable[[Any, str, dict[str, Any]], Any]
_renderers: dict[bool, Renderer] = {}
"""By whether they colour."""


def load_renderer() -> None:
    """Load what ``console`` lines are made with, so that no log call has to.

    These are 60 modules that a program without such lines does without. Where they cannot be loaded,
    lines are plain.
    """
    if not _renderers:
        for colors in (False, True):
            _renderers[colors] = attempt(_make_renderer, colors) or _renderers.get(False, _plain_line)


def write_record(record: Record, output_format: str) -> None:
    """Write a line for people (``console``) or a JSON object (``json``) to stderr. Never raises."""
    stream = sys.stderr
    if stream is None:  # pythonw, Windows services
        return
    line = attempt(_json_line, record) if output_format == "json" else _console_line(record, stream)
    if line is not None:
        write_line(line)


def _console_line(record: Record, stream: Any) -> str | None:
    renderer = _renderers.get(has_colors(stream), _plain_line)
    return attempt(_rendered, record, renderer) or attempt(_rendered, record, _plain_line)


def _rendered(record: Record, renderer: Renderer) -> str:
    fields = _fields(record)
    trace = fields.pop("traceback", None)
    if isinstance(trace, str):
        fields["exception"] = trace  # whose last line has type and message already
        for name in _EXCEPTION_PARTS:
            fields.pop(name, None)
    if not isinstance(fields.get("stack", ""), str):
        fields["stack_"] = fields.pop("stack")
    for name, value in list(fields.items()):
        if type(value) is str and not value.isprintable():
            fields[name] = visible(value, has_lines=name in _TRACES)
        if not name.isprintable():
            fields[visible(name)] = fields.pop(name)
    return str(renderer(None, fields["level"], fields))


def _plain_line(_: Any, level: str, fields: dict[str, Any]) -> str:
    traces = [fields.pop(name) for name in ("stack", "exception") if name in fields]
    time, event = fields.pop("timestamp"), fields.pop("event")
    del fields["level"]
    line = f"{time} [{level:<9}] {event} " + " ".join(f"{k}={v}" for k, v in sorted(fields.items()))
    return "\n".join([line.rstrip(), *traces])


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


def has_colors(stream: Any) -> bool:
    """Tell whether a stream is a terminal whose user has nothing against colours."""
    # https://no-color.org: present and not empty, whatever the value.
    return not os.environ.get("NO_COLOR") and attempt(_is_terminal, stream) is True


def _is_terminal(stream: Any) -> bool:
    return bool(stream.isatty())


def _make_renderer(colors: bool) -> Renderer:  # noqa: FBT001 - called through attempt
    from structlog.dev import ConsoleRenderer, plain_traceback  # noqa: PLC0415 - see load_renderer

    return ConsoleRenderer(colors=colors, exception_formatter=plain_traceback, sort_keys=True)
