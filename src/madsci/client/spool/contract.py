"""What waits for the server, as others see it.

A spool is a first-in, first-out list with positions. The log call appends and goes on; the sender
reads from the front as often as it must and acknowledges by position once the server has the events.
Reading never removes: what was read but not acknowledged is read again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import msgspec

_ID_START: Final = b'{"event_id":"'


class SpooledEvent(msgspec.Struct, frozen=True, gc=False):
    """One waiting event."""

    position: int
    event_id: str
    body: bytes
    appended_at: float


class _Identified(msgspec.Struct):
    event_id: str = ""


def event_id_of(body: bytes) -> str:
    """Find the id in an encoded event."""
    if body.startswith(_ID_START):  # as all events of this client
        found = body[len(_ID_START) : body.find(b'"', len(_ID_START))]
        if b"\\" not in found:
            return found.decode(errors="replace")
    try:
        return msgspec.json.decode(body, type=_Identified).event_id
    except msgspec.DecodeError:
        return ""


@dataclass(frozen=True)
class RejectedEvent:
    """An event that the server will never take, and why."""

    event_id: str
    reason: str
    body: bytes


@dataclass(frozen=True)
class SpoolStats:
    """What a spool holds and has lost. ``oldest_age`` is in seconds, ``None`` when nothing waits."""

    queued: int
    rejected: int
    lost: int
    oldest_age: float | None
    spool_bytes: int = 0


class Backlog(Protocol):
    """Waiting events that are read and settled, by one thread.

    Positions are whole numbers that ascend by one with each event, over restarts too.
    """

    def read(self, max_events: int, max_bytes: int) -> Sequence[SpooledEvent]:
        """Return the oldest waiting events within the bounds, but at least one if any waits."""
        ...

    def acknowledge(self, position: int) -> None:
        """Forget every event up to and including the position; doing so twice does nothing."""
        ...
