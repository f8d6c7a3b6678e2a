"""How much of everything one connection, and all of them, may take. Each number has its reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

GUESTS: Final = 16
"""Connections beyond the bound that are heard: whoever sends events, or asks for ``/health``."""
ACCEPTED_AT_ONCE: Final = 16
"""Connections taken from the system before the next may be closed. The loop of asyncio takes as many
as its backlog says, without a look at how many there are, and each needs an open file."""
WAITING_TO_BE_ACCEPTED: Final = 2_048
"""Connections that the system holds for us; it gives them less than this where it is set to."""


STREAMS: Final = 1_024
"""Connections on which events are watched, where as many files may be open."""


@dataclass(frozen=True)
class Bounds:
    """Bounds of connections; times are in seconds, sizes in bytes, of both none is exceeded by much.

    ``connections``
        at once. A lab has some hundred senders; a connection may hold some 200 KB in heads and buffers.
    ``head_bytes``, ``head_lines``
        of one request, its address included, and of trailers. The longest that somebody means is a
        selector in an address; servers and proxies of the field pass on 8 to 64 KB and 100 lines.
    ``head_seconds``
        from a head's first byte to its last. It is one packet, and ten seconds are three repetitions.
    ``body_seconds``, ``body_rate``
        without a byte of the body, and bytes a second on average from then on. A weak radio link rests
        for half a minute and still carries more than a kilobyte a second.
    ``reply_seconds``
        in which the reader takes nothing. Somebody may look at a page of an export before the next.
    ``idle_seconds``
        without a request. Senders log now and then, and a new connection costs them a round trip.
    ``pipelined``
        requests that wait for the one before them. Who sends more is answered these, then closed.
    ``pressed_seconds``
        without progress, after which a connection is closed where others need its place. A lost packet
        comes again in less.
    ``asking_share``
        of the connections that may wait for answers at once; the others are for who sends events.
    """

    connections: int = 1_000
    streams: int = STREAMS
    """Beside the others: they are answered for hours, and cost little."""
    head_bytes: int = 65_536
    head_lines: int = 100
    head_seconds: float = 10.0
    body_seconds: float = 30.0
    body_rate: float = 1_000.0
    reply_seconds: float = 120.0
    idle_seconds: float = 60.0
    pipelined: int = 32
    pressed_seconds: float = 2.0
    asking_share: float = 0.5
    discard_seconds: float = 30.0
    """For the rest of a body whose request is answered: it is read so that the answer arrives."""
    leave_seconds: float = 5.0
    """For the other side to close, once the last reply is written."""
    tick_seconds: float = 1.0
    """Between two looks at all connections. A timer for each would cost every request more."""
