"""Reading the body of a request: the one way for all routes, within bounds."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message, Receive, Scope

from madsci.common.errors import AbandonedError
from madsci.event_manager.ingest.admission import Admission, Ticket
from madsci.event_manager.ingest.body import FULL_PIECE, unpacked

_MANY_DIGITS: Final = 5
"""Digits of a content length; one with more is looked at before the body is."""

MAX_BYTES: Final = 1_000_000
"""Bytes of a body that asks something."""


@dataclass(frozen=True)
class Bodies:
    """Reads the bodies of requests that ask something, or have something done."""

    admission: Admission

    async def read(self, request: Request, limit: int = MAX_BYTES) -> bytes:
        """Return the whole body, unpacked. Raises what ``read_body`` raises, and this.

        Raises:
            AbandonedError: the client has gone.
        """
        ticket = self.admission.ticket(limit)
        try:
            return await read_body(request.scope, request.receive, ticket)
        except ClientDisconnect:
            raise AbandonedError from None
        finally:
            ticket.give_back()


async def read_body(scope: Scope, receive: Receive, ticket: Ticket) -> bytes:
    """Return the whole body, unpacked; never holds more than the ticket's limit and admission allow.

    The caller gives the ticket back when nothing of the body is needed any more.

    Raises:
        TooLargeError: it has more bytes than the ticket's limit, packed or not.
        OverloadedError: the server holds too much already, or this arrived too slowly for that.
        UnsupportedBodyError: its ``Content-Encoding`` is not read here.
        MalformedJsonError: it is not in its ``Content-Encoding``.
        ClientDisconnect: the client went away.
    """
    headers: dict[bytes, bytes] = dict(scope["headers"])
    announced = headers.get(b"content-length", b"")
    if len(announced) > _MANY_DIGITS and announced.isdigit():
        ticket.announce(int(announced))
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientDisconnect
    body: bytes = message.get("body", b"")
    ticket.take(len(body))
    if message.get("more_body"):
        body = await _rest_of(body, receive, ticket)
    encoding = headers.get(b"content-encoding", b"").decode("latin-1")
    if encoding.strip().lower() in ("", "identity"):
        return body
    return await _unpack(body, encoding, ticket)


async def _rest_of(start: bytes, receive: Receive, ticket: Ticket) -> bytes:
    parts = [start]
    more = True
    with ticket.arriving():
        while more:
            message: Message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            more = message.get("more_body", False)
            parts.append(message.get("body", b""))
            ticket.take(len(parts[-1]))
            ticket.moved()
    return b"".join(parts)


async def _unpack(body: bytes, encoding: str, ticket: Ticket) -> bytes:
    pieces = unpacked(body, encoding, ticket.limit)
    whole = bytearray()
    piece = await asyncio.to_thread(next, pieces, b"")
    while piece:
        ticket.hold(len(piece))
        whole += piece
        if len(piece) < FULL_PIECE:
            break
        async with ticket.at_length:
            piece = await asyncio.to_thread(next, pieces, b"")
    ticket.release(len(body))
    return bytes(whole)


def errors_in_body(error: ValidationError) -> list[dict[str, Any]]:
    """Return what a model does not like of a body, with the places, for an ``InvalidInputError``."""
    return [{"loc": ["body", *one["loc"]], "msg": one["msg"]} for one in error.errors()]
