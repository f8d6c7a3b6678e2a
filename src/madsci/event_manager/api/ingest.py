"""``POST /event``, ``POST /events`` and ``POST /events/import``: the hot path, plain ASGI.

They have no layers of a framework around them, which would cost more than the work itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import msgspec
from starlette.types import Receive, Send
from starlette.types import Scope as Request

from madsci.event_manager.api.bodies import read_body
from madsci.event_manager.api.ingest_documents import POST_EVENT, POST_EVENTS, POST_IMPORT
from madsci.event_manager.api.operations import FastOperation, Operations, Scope
from madsci.event_manager.ingest.admission import Admission
from madsci.event_manager.ingest.bulk import BulkReading, Rejection, Remark, read_bulk, read_one
from madsci.event_manager.ingest.intake import Intake
from madsci.event_manager.ingest.writer import Writer
from madsci.event_manager.model.stored_event import StoredEvent, encode_event
from madsci.event_manager.stores.base import Disposition

_LARGE: Final = 128 * 1024
"""Bytes of body from which on it is read in a thread: parsing them takes about a millisecond."""
_EVENT: Final = 512
"""Bytes that an event takes beside what it says."""


class BulkReply(msgspec.Struct):
    """What became of the events of a body. ``received`` is the sum of the three that follow."""

    received: int
    stored: int
    duplicate: int
    rejected: int
    errors: list[Rejection]
    errors_omitted: int
    warnings: list[Remark]


@dataclass(frozen=True)
class IngestRoutes:
    """The operations by which events come in. Errors are raised before a reply is begun.

    ``import_intake`` reads events that another server had, as they were there; ``encode`` makes the
    reply to a single event.
    """

    intake: Intake
    import_intake: Intake
    writer: Writer
    admission: Admission
    encode: Callable[[StoredEvent], bytes] = encode_event

    def operations(self) -> Operations:
        """Return the operations of sending."""
        table = Operations()
        for path, name, summary, handler, document in (
            ("/event", "post_event", "Send one event", self.post_event, POST_EVENT),
            ("/events", "post_events", "Send many events", self.post_events, POST_EVENTS),
            (
                "/events/import",
                "import_events",
                "Import events of another store",
                self.post_import,
                POST_IMPORT,
            ),
        ):
            table.put(
                FastOperation(
                    "POST",
                    path,
                    name,
                    summary,
                    Scope.SEND,
                    handler,
                    "events",
                    (400, 413, 415),
                    document=document,
                )
            )
        return table

    async def post_event(self, scope: Request, receive: Receive, send: Send) -> None:
        """Store one event and answer with it, once it is on disk."""
        ticket = self.admission.ticket(self.intake.max_event_bytes)
        try:
            body = await read_body(scope, receive, ticket)
            if len(body) > _LARGE:
                async with ticket.at_length:
                    accepted = await asyncio.to_thread(read_one, body, self.intake)
            else:
                accepted = self.intake.read(body)
            (outcome,) = await self.writer.write((accepted.event,))
        finally:
            ticket.give_back()
        headers = []
        if outcome.is_duplicate:
            headers.append((b"x-event-duplicate", b"true"))
        headers.extend((b"x-event-warning", _header_text(one)) for one in accepted.repairs)
        await _reply(send, self.encode(outcome.event), headers)

    async def post_events(self, scope: Request, receive: Receive, send: Send) -> None:
        """Store many events and answer what became of each, once they are on disk."""
        await self._post_many(self.intake, scope, receive, send)

    async def post_import(self, scope: Request, receive: Receive, send: Send) -> None:
        """Do the same with events of another store: their times of receipt stay what they are."""
        await self._post_many(self.import_intake, scope, receive, send)

    async def _post_many(self, intake: Intake, scope: Request, receive: Receive, send: Send) -> None:
        ticket = self.admission.ticket()
        try:
            body = await read_body(scope, receive, ticket)
            if len(body) > _LARGE:
                async with ticket.at_length:
                    reading = await asyncio.to_thread(read_bulk, body, intake)
                    ticket.hold(len(reading.events) * _EVENT)
            else:
                reading = read_bulk(body, intake)
            del body  # its events hold what it said
            reply = await self._store(reading)
        finally:
            ticket.give_back()
        all_rejected = reply.rejected > 0 and reply.rejected == reply.received
        await _reply(send, msgspec.json.encode(reply), [], 422 if all_rejected else 200)

    async def _store(self, reading: BulkReading) -> BulkReply:
        outcomes = await self.writer.write(reading.events) if reading.events else []
        duplicate = sum([outcome.disposition is not Disposition.STORED for outcome in outcomes])
        return BulkReply(
            received=len(outcomes) + reading.rejected,
            stored=len(outcomes) - duplicate,
            duplicate=duplicate,
            rejected=reading.rejected,
            errors=reading.errors,
            errors_omitted=reading.rejected - len(reading.errors),
            warnings=reading.warnings,
        )


async def _reply(
    send: Send, body: bytes, headers: list[tuple[bytes, bytes]], status: int = 200
) -> None:
    headers.append((b"content-type", b"application/json"))
    headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _header_text(sentence: str) -> bytes:
    """Return a sentence as a header value: ASCII, one line, not longer than proxies pass on."""
    return sentence.encode("ascii", "backslashreplace").replace(b"\n", b" ").replace(b"\r", b" ")[:500]
