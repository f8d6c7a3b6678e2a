"""Entries of the feed as they are streamed: frames of server-sent events, or lines of JSON.

Server-sent events are those of https://html.spec.whatwg.org/multipage/server-sent-events.html: each
frame has the position behind it as its id, which browsers send back when they connect again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Protocol

import msgspec

from madsci.event_manager.model.feed import Entry, Position, positions
from madsci.event_manager.model.ulid_sources import Encoding

_encode = msgspec.json.Encoder().encode


class Frames(Protocol):
    """A form in which entries are streamed. Without state; equal ones make the same frames."""

    media_type: str
    schema: ClassVar[dict[str, Any]]
    """What OpenAPI says of it."""

    @property
    def opening(self) -> bytes:
        """What comes before the first frame."""
        ...

    def entries(self, start: Position, entries: Iterable[Entry], wanted: Iterable[bool]) -> bytes:
        """Return those of the entries that are wanted, of all that follow a position."""
        ...

    def position(self, position: Position, *, is_live: bool, missed: int = 0) -> bytes:
        """Return a frame that says how far it is, and how many entries were deleted before."""
        ...

    def end(self, position: Position, reason: str) -> bytes:
        """Return the last frame: where to go on, and why it ends."""
        ...


@dataclass(frozen=True)
class ServerSentEvents:
    """The form for browsers: each event is a message, the rest are events with a name."""

    encoding: Encoding
    media_type = "text/event-stream"
    schema: ClassVar[dict[str, Any]] = {
        "type": "object",
        "description": "A message is an event; the others say how far it is, and why it ends.",
        "properties": {
            "id": {"type": "string", "description": "The position behind it."},
            "event": {"enum": ["message", "position", "end"]},
            "data": {"type": "string", "description": "JSON."},
        },
        "required": ["id", "data"],
    }
    opening = b"retry: 1000\n\n"

    def entries(self, start: Position, entries: Iterable[Entry], wanted: Iterable[bool]) -> bytes:
        """Return the entries that are wanted; see ``Frames``."""
        shown = _shown(self.encoding, start, entries, wanted)
        return b"".join([b"id: %b\ndata: %b\n\n" % pair for pair in shown])

    def position(self, position: Position, *, is_live: bool, missed: int = 0) -> bytes:
        """Return how far it is; see ``Frames``."""
        return _named("position", position, _standing(position, is_live=is_live, missed=missed))

    def end(self, position: Position, reason: str) -> bytes:
        """Return the last frame; see ``Frames``."""
        return _named("end", position, _encode({"position": str(position), "reason": reason}))


def _named(name: str, position: Position, data: bytes) -> bytes:
    return b"id: %b\nevent: %b\ndata: %b\n\n" % (str(position).encode(), name.encode(), data)


@dataclass(frozen=True)
class JsonLines:
    """The form for programs: an object a line."""

    encoding: Encoding
    media_type = "application/x-ndjson"
    schema: ClassVar[dict[str, Any]] = {"type": "string"}
    opening = b""

    def entries(self, start: Position, entries: Iterable[Entry], wanted: Iterable[bool]) -> bytes:
        """Return the entries that are wanted; see ``Frames``."""
        shown = _shown(self.encoding, start, entries, wanted)
        return b"".join([b'{"position":"%b","event":%b}\n' % pair for pair in shown])

    def position(self, position: Position, *, is_live: bool, missed: int = 0) -> bytes:
        """Return how far it is; see ``Frames``."""
        return _standing(position, is_live=is_live, missed=missed) + b"\n"

    def end(self, position: Position, reason: str) -> bytes:
        """Return the last line; see ``Frames``."""
        return _encode({"position": str(position), "end": reason}) + b"\n"


FORMS: Final = {one.media_type: one for one in (ServerSentEvents, JsonLines)}
"""By what clients say that they accept, the usual one first."""


def _shown(
    encoding: Encoding, start: Position, entries: Iterable[Entry], wanted: Iterable[bool]
) -> Iterator[tuple[bytes, bytes]]:
    """Yield the position behind each event that is wanted, and its JSON."""
    listed = list(entries)
    for entry, place, is_wanted in zip(listed, positions(start, listed), wanted, strict=True):
        if is_wanted:
            yield place, encoding.one(entry.event)


def _standing(position: Position, *, is_live: bool, missed: int) -> bytes:
    return _encode({"position": str(position), "is_live": is_live, "missed": missed})
