"""What a line of a log file means as an event, whoever wrote it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any, Final

from madsci.client.writing import find_event
from madsci.common.clock import from_us
from madsci.common.types.event import Event
from madsci.common.types.foreign_event import as_event

MADE_ID: Final = "line-"
"""Begins the ids of lines that have none."""
_BEGINNING: Final = '{"event_id":'
"""How our lines begin; inside of JSON it cannot stand."""


def events_of_line(line: str, moment: float) -> Iterator[Event]:
    """Read a line of a log file; ``moment`` is when its file was last written.

    Lines of older releases and of other programs become events too. Those without an id get one
    made from their text, so that it is the same at each reading. A line that begins with half of
    another one, whose writer was killed amid it, is both.
    """
    if not line.strip():
        return
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError):
        fields = None
        begin = line.rfind(_BEGINNING)
        if begin > 0 and find_event(line[begin:]) is not None:
            yield from events_of_line(line[:begin], moment)
            yield from events_of_line(line[begin:], moment)
            return
    yield _read_event(fields) or _made_event(line, fields, moment)


def _read_event(fields: Any) -> Event | None:
    if isinstance(fields, dict) and (fields.get("event_id") or fields.get("_id")):
        return find_event(fields)
    return None


def _made_event(line: str, fields: Any, moment: float) -> Event:
    digest = hashlib.sha256(line.encode(errors="backslashreplace")).hexdigest()
    document: dict[str, Any] = {
        "event_id": f"{MADE_ID}{digest[:24]}",
        "event_timestamp": from_us(round(moment * 1_000_000)),
        "event_data": line,
    }
    if isinstance(fields, dict):
        read, _ = as_event(fields)
        document.update(read if "event_data" in read else {"event_data": fields})
    return Event.read(document)
