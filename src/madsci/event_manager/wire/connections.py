"""All connections of a server: how many there are, who has to make room, and who has waited too long.

Used on the event loop only. Its one timer runs while there are connections.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any, Final, Protocol

from madsci.event_manager.wire.bounds import HEALTH_PLACES, Bounds
from madsci.event_manager.wire.progress import Phase

_HEALTH: Final = b"/health"


class Connection(Protocol):
    """What is asked of a connection."""

    loop: asyncio.AbstractEventLoop

    @property
    def waits_since(self) -> float:
        """When it began to wait for a request; who has the least makes room first."""

    @property
    def is_waiting(self) -> bool:
        """Whether nothing would be lost with it: it has sent no whole head that is not answered."""

    def look(self, now: float) -> Phase:
        """Close the connection if it has waited too long; return what it is doing."""

    def still(self, now: float) -> float:
        """Return the seconds for which it has not got on."""

    def drop(self) -> None:
        """Close the connection at once."""


class Connections:
    """The connections of a server, at most ``bounds.connections`` and those for ``/health``."""

    def __init__(self, bounds: Bounds | None = None) -> None:
        self.bounds = bounds or Bounds()
        self.evicted = 0
        """Connections that were closed to make room for others, since the start."""
        self.refused = 0
        """Connections for which there was no room, since the start."""
        self._members: dict[Any, None] = {}
        self._guests: dict[Any, None] = {}
        self._candidates: deque[tuple[float, Any]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._members) + len(self._guests)

    def enter(self, connection: Connection) -> None:
        """Take up a new connection, closing another one where there is no room.

        Where all others are at work it is a guest, of whom only a few are heard.
        """
        if self._timer is None:
            self._timer = connection.loop.call_later(
                self.bounds.tick_seconds, self._look_at_all, connection.loop
            )
        if self._make_room(connection):
            return
        if len(self._guests) >= HEALTH_PLACES:
            waiting = next((guest for guest in self._guests if guest.is_waiting), connection)
            self.refused += 1
            waiting.drop()
            self._guests.pop(waiting, None)
            if waiting is connection:
                return
        self._guests[connection] = None

    def leave(self, connection: Connection) -> None:
        """Forget a connection that is closed."""
        self._members.pop(connection, None)
        self._guests.pop(connection, None)

    def admits(self, connection: Connection, url: bytes) -> bool:
        """Return whether a connection may ask for that; a guest may for the server's health only."""
        if not self._guests or connection not in self._guests:
            return True
        if self._make_room(connection):
            del self._guests[connection]
            return True
        if url.partition(b"?")[0] == _HEALTH:
            return True
        self.refused += 1
        return False

    def _make_room(self, connection: Connection) -> bool:
        if len(self._members) >= self.bounds.connections:
            victim = self._longest_idle() or self._stuck(connection.loop.time())
            if victim is None:
                return False
            self.evicted += 1
            victim.drop()
            self.leave(victim)
        self._members[connection] = None
        return True

    def _longest_idle(self) -> Connection | None:
        """Return the connection that has waited longest for its next request.

        They are sorted once for many, as a flood of connections asks for one after the other.
        """
        for _ in range(2):
            while self._candidates:
                since, one = self._candidates.popleft()
                if one in self._members and one.is_waiting and one.waits_since == since:
                    return one  # type: ignore[no-any-return]
            found = [(one.waits_since, one) for one in self._members if one.is_waiting]
            self._candidates.extend(sorted(found, key=lambda pair: pair[0]))
        return None

    def _stuck(self, now: float) -> Connection | None:
        """Return the connection whose sender or reader has not got on for the longest time."""
        stuck = [
            (still, one)
            for one in self._members
            if (still := one.still(now)) >= self.bounds.pressed_seconds
        ]
        return max(stuck, key=lambda pair: pair[0])[1] if stuck else None

    def _look_at_all(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for one in [*self._members, *self._guests]:
            one.look(now)
        self._timer = None
        if self._members or self._guests:
            self._timer = loop.call_later(self.bounds.tick_seconds, self._look_at_all, loop)
        else:
            self._candidates.clear()
