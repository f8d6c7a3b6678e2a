"""Replies that stream a selection of any size, in any of the export formats."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from madsci.common.errors import AbandonedError, MadsciError
from madsci.event_manager.api.attending import attended
from madsci.event_manager.api.page_reply import pieces
from madsci.event_manager.export.formats import FORMATS, format_named
from madsci.event_manager.export.projection import Fields
from madsci.event_manager.model.query import Query
from madsci.event_manager.search.service import Search
from madsci.event_manager.search.streams import OpenStream

NDJSON: Final = FORMATS["ndjson"].media_type

_logger = logging.getLogger(__name__)


async def stream_of(  # noqa: PLR0913, PLR0917 - what goes into a reply
    receive: Receive,
    search: Search,
    format_name: str,
    query: Query,
    fields: Fields | None,
    headers: dict[str, str] | None = None,
) -> Response:
    """Return a reply that streams all that matches; its memory does not grow with the events.

    Raises:
        MadsciError: the first part cannot be made. Later failures cut the reply off, as clients see.
        AbandonedError: the client has gone.
    """
    stream = await search.stream(query, format_name, fields)
    async with contextlib.AsyncExitStack() as undoing:
        undoing.push_async_callback(stream.close)
        first = await attended(receive, stream.next_part())
        undoing.pop_all()
    return _StreamedReply(stream, first, format_named(format_name).media_type, headers)


class _StreamedReply(Response):
    def __init__(
        self,
        stream: OpenStream,
        first: bytes | None,
        media_type: str,
        headers: dict[str, str] | None,
    ) -> None:
        super().__init__(headers=headers, media_type=media_type)
        del self.headers["Content-Length"]
        self._stream = stream
        self._first = first

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send part by part; leave off when the client has gone, or takes nothing any more."""
        del scope
        try:
            await attended(receive, self._send_all(send))
        except AbandonedError:
            pass
        except asyncio.CancelledError:
            if not self._stream.is_cut:
                raise
            _logger.warning("An answer was cut off: its client took nothing of it any more")
        except MadsciError as error:
            _logger.warning("An answer was cut off: %s", error.message)
            raise
        finally:
            with contextlib.suppress(asyncio.CancelledError):
                await self._stream.close()

    async def _send_all(self, send: Send) -> None:
        head = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        await send(head)
        part = self._first
        while part is not None:
            for piece in pieces(part):
                await self._send(send, piece, more=True)
            part = await self._stream.next_part()
        await self._send(send, b"", more=False)

    async def _send(self, send: Send, piece: bytes, *, more: bool) -> None:
        self._stream.begins_to_send()
        await send({"type": "http.response.body", "body": piece, "more_body": more})
        self._stream.has_sent()
