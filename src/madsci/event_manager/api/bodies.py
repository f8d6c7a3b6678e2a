"""Reading the body of a request: the one way for all routes, within bounds."""

from __future__ import annotations

import asyncio
from typing import Final

from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope

from madsci.event_manager.ingest.admission import Ticket
from madsci.event_manager.ingest.body import unpacked

_MANY_DIGITS: Final = 5
"""Digits of a content length; one with more is looked at before the body is."""


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
    while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
        ticket.hold(len(piece))
        whole += piece
    ticket.release(len(body))
    return bytes(whole)
