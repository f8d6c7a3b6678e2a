"""The local log as an answer: what the client has where there is no server to ask."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from madsci.client.writing.log_file import LogFile, read_event_line
from madsci.common.clock import iso, to_us
from madsci.common.types.event import Event


def read_log(file: LogFile | None) -> dict[str, Event]:
    """Return every event in the local log and its rotated files, in the order of writing."""
    events: dict[str, Event] = {}
    for event in _log_events(file):
        events[event.event_id] = event
    return events


def select_local(
    events: Mapping[str, Event],
    number: int,
    params: Mapping[str, Any],
) -> dict[str, Event]:
    """Answer ``get_events`` from the local log, with the parameters of the server's route."""
    level = params.get("level", 0)
    start, end = params.get("start_time", ""), params.get("end_time", "~")
    found = [
        event
        for event in events.values()
        if event.log_level >= level and start <= iso(to_us(event.event_timestamp)) <= end
    ]
    found.sort(key=lambda event: (event.event_timestamp, event.event_id), reverse=True)
    first = params.get("offset", 0)
    last = first + number if number else None
    return {event.event_id: event for event in found[first:last]}


def _log_events(file: LogFile | None) -> Iterator[Event]:
    for line, moment in file.read_lines() if file else ():
        event = read_event_line(line, moment)
        if event is not None:
            yield event
