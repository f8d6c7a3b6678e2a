"""The reading side of the client: questions to the server, or to the local log where there is none."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

import msgspec

from madsci.client.console import warn_locally
from madsci.client.logfile import LogFile, read_event_line
from madsci.client.retry import MAX_BACKOFF, parse_retry_after
from madsci.client.transport import HttpTransport, Reply
from madsci.common.clock import iso, parse_instant, to_us
from madsci.common.errors import InvalidEventError, ServerRefusedError, ServerUnreachableError
from madsci.common.jsonable import to_jsonable
from madsci.common.types.client_config import EventClientConfig
from madsci.common.types.event import Event
from madsci.common.types.log_level import level_number

PAGE_SIZE: Final = 1000
"""Events asked for in one request: some hundred kilobytes, and one round trip for a usual answer."""
_OK, _NOT_FOUND = 200, 404

Moment = datetime | str | float


class EventReader:
    """Asks an Event Manager, repeating what fails for the moment within the timeout of the call."""

    def __init__(self, transport: HttpTransport, config: EventClientConfig) -> None:
        self._transport = transport
        self._config = config

    def get_event(self, event_id: str, timeout: float | None = None) -> Event | None:
        """Return one event, or ``None`` if the server has none with this id."""
        path = f"event/{quote(event_id, safe='')}"
        reply = self._ask("GET", path, timeout)
        if reply.status == _NOT_FOUND:
            return None
        document = self._document(reply, "GET", path)
        return _read_event(event_id, document)

    def get_events(
        self, number: int, params: Mapping[str, Any], timeout: float | None
    ) -> dict[str, Event]:
        """Return up to ``number`` events, the newest first; 0 for all."""
        return self._pages("GET", "events", dict(params), None, number, timeout)

    def query_events(
        self, selector: Mapping[str, Any], number: int | None, timeout: float | None
    ) -> dict[str, Event]:
        """Return the events that match, the newest first, following pages up to ``number``."""
        body = msgspec.json.encode(to_jsonable(selector))
        seconds = self._config.timeout_data_operations if timeout is None else timeout
        return self._pages("POST", "events/query", {}, body, number or 0, seconds)

    def close(self) -> None:
        """Close the connections; the next question opens them again."""
        self._transport.close()

    def _pages(  # noqa: PLR0913, PLR0917 - the parts of a request
        self,
        method: str,
        path: str,
        params: dict[str, Any],
        body: bytes | None,
        number: int,
        timeout: float | None,
    ) -> dict[str, Event]:
        events: dict[str, Event] = {}
        while True:
            if number:
                params["number"] = min(number - len(events), PAGE_SIZE)
            reply = self._ask(method, path, timeout, params, body)
            documents = self._document(reply, method, path)
            for event_id, document in documents.items():
                event = _read_event(event_id, document)
                if event is not None:
                    events[event.event_id] = event
            cursor = reply.headers.get("X-Next-Cursor")
            if not cursor or not documents or cursor == params.get("cursor"):
                return events
            if number and len(events) >= number:
                return events
            params.pop("offset", None)  # the cursor stands behind it already
            params["cursor"] = cursor

    def _document(self, reply: Reply, method: str, path: str) -> dict[str, Any]:
        if reply.status != _OK:
            raise self._transport.refusal(reply, method, path)
        document = reply.document()
        if isinstance(document, dict):
            return document
        raise ServerRefusedError(
            f"What answers at {self._transport.url} is not an Event Manager: {method} /{path} gave"
            f" {reply.body[:80]!r}. Set event_server_url to the address of one.",
            status=reply.status,
        )

    def _ask(
        self,
        method: str,
        path: str,
        timeout: float | None,
        params: Mapping[str, Any] | None = None,
        body: bytes | None = None,
    ) -> Reply:
        config = self._config
        seconds = config.timeout_default if timeout is None else timeout
        deadline = time.monotonic() + seconds
        retries = config.retry_total if config.retry_enabled else 0
        for attempt in range(retries + 1):
            left = seconds if attempt == 0 else deadline - time.monotonic()
            delay = min(config.retry_backoff_factor * 2.0 ** min(attempt, 30), MAX_BACKOFF)
            try:
                reply = self._transport.ask(method, path, params=params, body=body, timeout=left)
            except ServerUnreachableError:
                if attempt == retries or time.monotonic() + delay >= deadline:
                    raise
            else:
                delay = max(delay, parse_retry_after(reply.headers.get("Retry-After")) or 0.0)
                is_final = reply.status not in config.retry_status_forcelist
                if is_final or attempt == retries or time.monotonic() + delay >= deadline:
                    return reply
            time.sleep(delay)
        raise AssertionError("the last attempt returns or raises")


def events_params(
    level: object, offset: int, start_time: Moment | None, end_time: Moment | None, *, archived: bool
) -> dict[str, Any]:
    """Return the parameters of ``GET /events``; what is not asked for does not appear.

    Raises:
        ValueError: a time or a level cannot be read.
    """
    params: dict[str, Any] = {}
    threshold = read_level(level)
    if threshold is not None:
        params["level"] = threshold
    if offset:
        params["offset"] = offset
    for name, moment in (("start_time", start_time), ("end_time", end_time)):
        if moment is not None:
            params[name] = iso(parse_instant(moment))
    if archived:
        params["include_archived"] = "true"
    return params


def read_level(level: object) -> int | None:
    """Read a level filter: ``None`` and -1 mean no filter.

    Raises:
        ValueError: it is no level.
    """
    if level is None or level == -1:
        return None
    number = level_number(level)
    if number is None:
        raise ValueError(f"{level!r} is not a level; give a name such as INFO or an integer.")
    return number


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


def _read_event(event_id: str, document: Any) -> Event | None:
    """Read an event of a reply. One that cannot be read spoils no others; it is told about."""
    try:
        if "_id" not in document and "event_id" not in document:
            document = {**document, "_id": event_id}
        return Event.read(document)
    except (InvalidEventError, ValueError, TypeError) as error:
        warn_locally(f"Event {event_id} of the server cannot be read and is left out: {error}")
        return None
