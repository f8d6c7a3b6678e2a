"""What a connection is doing, and for how long it has not got on with it."""

from __future__ import annotations

from enum import Enum, auto


class Phase(Enum):
    """What a connection waits for."""

    IDLE = auto()
    """The first byte of a request."""
    HEAD = auto()
    """The rest of a head."""
    BODY = auto()
    """The rest of a body, which somebody wants to read."""
    WORK = auto()
    """Us."""
    REPLY = auto()
    """The reader, to take what was written."""
    DISCARD = auto()
    """The rest of a body whose request is answered already."""
    LEAVE = auto()
    """The other side, to close."""


class Progress:
    """The last change of a connection, as it looked each time somebody looked.

    Looking once a second costs a request nothing; what is measured is late by that second at most.
    """

    __slots__ = ("_began", "_count", "_first", "_moved", "phase")

    def __init__(self, now: float) -> None:
        self.phase = Phase.IDLE
        self._began = self._moved = now
        self._first = self._count = 0

    def note(self, phase: Phase, count: int, now: float) -> float:
        """Take down what is seen; return for how many seconds it has been the same.

        ``count`` is what grows when the connection gets on: bytes or requests.
        """
        if phase is not self.phase:
            self.phase, self._began, self._first = phase, now, count
        elif count == self._count:
            return now - self._moved
        self._count, self._moved = count, now
        return 0.0

    def still(self, now: float, below: float = 0.0) -> float:
        """Return for how many seconds nothing has changed, or it grew by less than that a second."""
        return now - (self._began if self.rate(now, 0.0) < below else self._moved)

    def rate(self, now: float, after: float) -> float:
        """Return what it grows by a second in this phase; infinity up to ``after`` seconds of it."""
        lasted = now - self._began
        return (self._count - self._first) / lasted if lasted > after else float("inf")
