"""The questions of the client that are answered with events, with counts, or with reports."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from madsci.client.reading.asking import Asker
from madsci.client.reading.request_parts import checked_number
from madsci.common.errors import InvalidEventError
from madsci.common.stderr import warn_locally
from madsci.common.types.client_config import EventClientConfig
from madsci.common.types.event import Event

if TYPE_CHECKING:
    from madsci.client.delivery.http import HttpTransport

PAGE_SIZE: Final = 1000
"""Events asked for in one request: some hundred kilobytes, and one round trip for a usual answer."""
_OK, _NOT_FOUND = 200, 404


class EventReader:
    """Asks an Event Manager. Thread-safe; ``asker`` is for questions that are not here.

    Timeouts are in seconds and hold for one request; bodies are those of ``request_parts``. Every
    question raises what ``get_event`` raises.
    """

    def __init__(self, transport: HttpTransport, config: EventClientConfig) -> None:
        self.asker = Asker(transport, config)

    def get_event(self, event_id: str, timeout: float | None = None) -> Event | None:
        """Return one event, or ``None`` if the server has none with this id.

        Raises:
            ServerUnreachableError: the server does not answer in time.
            ServerRefusedError: the server answers with an error.
        """
        path = f"event/{quote(event_id, safe='')}"
        reply = self.asker.ask("GET", path, timeout)
        if reply.status == _NOT_FOUND:
            return None
        document = self.asker.read_object(reply, "GET", path)
        return read_event(event_id, document)

    def get_events(
        self, number: int, params: Mapping[str, Any], timeout: float | None
    ) -> dict[str, Event]:
        """Return up to ``number`` events, the newest first; 0 for all."""
        pages = self._pages("GET", "events", params, None, number, timeout)
        return {event.event_id: event for page in pages for event in _read_page(page)}

    def event_pages(
        self, body: bytes, number: int | None, timeout: float | None
    ) -> Iterator[list[Event]]:
        """Yield the events that match, page by page, each asked for when it is wanted."""
        return map(_read_page, self.document_pages(body, number, timeout))

    def document_pages(
        self, body: bytes, number: int | None, timeout: float | None
    ) -> Iterator[dict[str, Any]]:
        """Yield what matches as the server's replies have it, up to ``number`` events; 0 for all."""
        seconds = self.asker.data_seconds(timeout)
        number = 0 if number is None else checked_number(number)
        return self._pages("POST", "events/query", {}, body, number, seconds)

    def count(self, body: bytes, timeout: float | None) -> int:
        """Return how many events match."""
        path = "events/count"
        reply = self.asker.ask("POST", path, self.asker.data_seconds(timeout), body=body)
        count = self.asker.read_object(reply, "POST", path).get("count")
        if isinstance(count, int):
            return count
        raise self.asker.stranger(reply, "POST", path)

    def tally(
        self, path: str, body: bytes, params: Mapping[str, Any], timeout: float | None
    ) -> dict[str, Any]:
        """Return the reply of a route that counts by something; parameters of ``None`` are left out."""
        given = {name: value for name, value in params.items() if value is not None}
        reply = self.asker.ask("POST", path, self.asker.data_seconds(timeout), params=given, body=body)
        return self.asker.read_object(reply, "POST", path)

    def report(
        self, path: str, params: Mapping[str, str], text_kind: str | None, timeout: float | None
    ) -> dict[str, Any] | str:
        """Return the reply of a route that makes reports: a text of this kind, else an object.

        ``text_kind`` is a type of content, such as ``text/csv``; ``None`` for no text at all.
        """
        reply = self.asker.ask("GET", path, self.asker.data_seconds(timeout), params=params)
        kind = reply.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if reply.status == _OK and kind == text_kind:
            return reply.body.decode(errors="replace")
        return self.asker.read_object(reply, "GET", path)

    def _pages(  # noqa: PLR0913, PLR0917 - the parts of a request
        self,
        method: str,
        path: str,
        params: Mapping[str, Any],
        body: bytes | None,
        number: int,
        timeout: float | None,
    ) -> Iterator[dict[str, Any]]:
        asked = dict(params)
        left = number
        while True:
            if number:
                asked["number"] = min(left, PAGE_SIZE)
            reply = self.asker.ask(method, path, timeout, params=asked, body=body)
            documents = self.asker.read_object(reply, method, path)
            if number:  # older servers send all that match
                documents = dict(islice(documents.items(), left))
                left -= len(documents)
            yield documents
            cursor = reply.headers.get("X-Next-Cursor")
            if not cursor or not documents or cursor == asked.get("cursor"):
                return
            if number and not left:
                return
            asked.pop("offset", None)  # the cursor stands behind it already
            asked["cursor"] = cursor


def _read_page(documents: Mapping[str, Any]) -> list[Event]:
    events = (read_event(event_id, document) for event_id, document in documents.items())
    return [event for event in events if event is not None]


def read_event(event_id: str, document: Any) -> Event | None:
    """Read an event of a reply. One that cannot be read spoils no others; it is told about."""
    try:
        if "_id" not in document and "event_id" not in document:
            document = {**document, "_id": event_id}
        return Event.read(document)
    except (InvalidEventError, ValueError, TypeError) as error:
        warn_locally(f"Event {event_id} of the server cannot be read and is left out: {error}")
        return None
