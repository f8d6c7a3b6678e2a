"""What carries messages to people, and what it is given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True)
class Message:
    """What a channel is to carry: the same in several forms, of which it takes the one it can."""

    key: str
    """The same whenever it is sent again, so that repetitions can be known."""
    title: str
    text: str
    """For people, without markup; reads well on a phone."""
    html: str | None
    severity: int
    """A log level."""
    event_id: str | None = None
    document: dict[str, Any] = field(default_factory=dict)
    """For programs: what JSON has."""


class Channel(Protocol):
    """A way to people. Any number of threads may use it; each call blocks for a bounded time."""

    @property
    def name(self) -> str:
        """By which routes and the log of deliveries call it."""
        ...

    @property
    def recipients(self) -> Sequence[str]:
        """Who is told, each with a message of his own; one empty text where that is not known here."""
        ...

    def send(self, message: Message, recipient: str) -> None:
        """Hand a message over; returning, somebody else has answered for it.

        Raises:
            DeliveryError: it was not taken; says why, and whether another try is of use.
        """
        ...
