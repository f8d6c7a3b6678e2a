"""Replies that stream a selection of any size, in any of the export formats."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Final

from starlette.responses import StreamingResponse

from madsci.common.errors import MadsciError
from madsci.event_manager.export.formats import FORMATS, format_named
from madsci.event_manager.export.projection import Fields
from madsci.event_manager.model.query import Query
from madsci.event_manager.search.service import Search

NDJSON: Final = FORMATS["ndjson"].media_type

_logger = logging.getLogger(__name__)


async def stream_of(
    search: Search,
    format_name: str,
    query: Query,
    fields: Fields | None,
    headers: dict[str, str] | None = None,
) -> StreamingResponse:
    """Return a reply that streams all that matches; its memory does not grow with the events.

    Raises:
        MadsciError: the first part cannot be made. Later failures cut the reply off, as clients see.
    """
    chunks = search.stream(query, format_name, fields)
    first = await anext(chunks, b"")
    return StreamingResponse(
        _all(first, chunks), media_type=format_named(format_name).media_type, headers=headers
    )


async def _all(first: bytes, chunks: AsyncGenerator[bytes, None]) -> AsyncIterator[bytes]:
    try:
        async with contextlib.aclosing(chunks) as parts:
            yield first
            async for chunk in parts:
                yield chunk
    except MadsciError as error:
        _logger.warning("An answer was cut off: %s", error.message)
        raise
