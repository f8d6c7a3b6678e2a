"""Replies that hold events, in memory that all of them together have a bound of.

A page is as large as its events; who reads it slowly keeps it in memory. It goes out in pieces, each
when the one before was taken, so that nothing is held twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from madsci.common.errors import OverloadedError
from madsci.event_manager.api.problems import problem_of

_MOST: Final = 48_000_000
"""Bytes of large replies that wait for their readers: three pages as large as pages may be."""
_SMALL: Final = 262_144
"""Bytes of a reply that is always sent: a thousand connections hold 256 MB of them, if all stop."""
PIECE: Final = 65_536
"""Bytes that are sent at once: what the client has not taken is all that is kept for it twice."""


def pieces(part: bytes) -> Iterator[bytes]:
    """Yield what is sent one after the other of a part of a reply that goes on."""
    for start in range(0, len(part), PIECE):
        yield part[start : start + PIECE]


class ReplyRoom:
    """Counts the bytes of large replies. Used on the event loop."""

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self.held = 0

    def take(self, size: int) -> bool:
        """Count a reply, if there is room for it; without others there always is."""
        if size > _SMALL and self.held and self.held + size > self._most:
            return False
        self.held += size
        return True

    def give_back(self, size: int) -> None:
        """Count it no more."""
        self.held -= size


class PageReply(Response):
    """The JSON of a page of events, or of one; a header tells the cursor of the next page."""

    media_type = "application/json"

    def __init__(self, room: ReplyRoom, body: bytes, next_cursor: str | None = None) -> None:
        super().__init__(body, headers={} if next_cursor is None else {"X-Next-Cursor": next_cursor})
        self._room = room

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it as it is taken; 503 where too much is held by those who do not take theirs."""
        body = bytes(self.body)
        if not self._room.take(len(body)):
            error = OverloadedError(
                f"{self._room.held:,} bytes of replies wait for their readers, which is as many as this"
                " server holds. Ask again, or for fewer events.",
                5,
            )
            await problem_of(error)(scope, receive, send)
            return
        try:
            head = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
            await send(head)
            for start in range(0, max(1, len(body)), PIECE):
                piece = body[start : start + PIECE]
                more = start + PIECE < len(body)
                await send({"type": "http.response.body", "body": piece, "more_body": more})
        finally:
            self._room.give_back(len(body))
