"""What a sender knows of the way to the server."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from madsci.client.spool import SpooledEvent
from madsci.common.errors import EventServerError


@dataclass(frozen=True)
class Rejection:
    """An event that the server refused for good: its place in what was sent, and why."""

    index: int
    reason: str


@dataclass(frozen=True)
class SendReport:
    """What became of the events of one call.

    The first ``settled`` of them need not be sent again: the server has them, or refused them for
    good (``rejected``). ``failure`` says why the others were not taken; without one they can be sent
    at once.
    """

    settled: int
    duplicate: int = 0
    rejected: tuple[Rejection, ...] = ()
    failure: EventServerError | None = None


class Transport(Protocol):
    """Takes events to a server. Used by one thread at a time, but for ``close``."""

    def send(self, events: Sequence[SpooledEvent], timeout: float | None = None) -> SendReport:
        """Send the events in order. Trouble with the server is reported, never raised.

        The timeout (in seconds) bounds each request; ``None`` is the transport's own.
        """
        ...

    def close(self) -> None:
        """Let go of connections; the next ``send`` makes new ones."""
        ...
