"""All connections of a server: how many there are, who has to make room, and who has waited too long.

Used on the event loop only. Its one timer runs while there are connections.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any, Final, Protocol

from madsci.event_manager.wire.bounds import GUESTS, Bounds
from madsci.event_manager.wire.progress import Phase
from madsci.event_manager.wire.standing import Standing, Waiting

_HEALTH: Final = b"/health"
_SENDING: Final = (b"/event", b"/events", b"/events/import")
"""How the addresses end that events are posted to; a proxy may put a prefix before them."""
_WATCHING: Final = b"/events/stream"


class Connection(Protocol):
    """What is asked of a connection."""

    loop: asyncio.AbstractEventLoop
    standing: Standing
    """What it has brought; kept up here."""

    @property
    def is_waiting(self) -> bool:
        """Whether nothing would be lost with it: it has sent no whole head that is not answered."""

    def look(self, now: float) -> Phase:
        """Close the connection if it has waited too long; return what it is doing."""

    def still(self, now: float) -> float:
        """Return the seconds for which it has not got on."""

    def drop(self) -> None:
        """Close the connection at once."""

    def cut(self) -> None:
        """Close the connection, telling who waits for an answer that there will be none."""


class Connections:
    """The connections of a server, at most ``bounds.connections`` and a few guests.

    Guests are heard where all others are at work: they may send events, and ask for ``/health``. At
    most a share of the connections is at work for other questions. Those on which events are watched
    are counted by themselves, and make room for nobody.
    """

    def __init__(self, bounds: Bounds | None = None) -> None:
        self.bounds = bounds or Bounds()
        self.evicted = 0
        """Connections that were closed to make room for others, since the start."""
        self.refused = 0
        """Requests, and connections, for which there was no room, since the start."""
        self._members: set[Any] = set()
        self._guests: dict[Any, None] = {}
        self._watching: set[Any] = set()
        self._waiting = Waiting(self.bounds.connections)
        self._asking: set[Any] = set()
        self._may_ask = max(1, int(self.bounds.asking_share * self.bounds.connections))
        self._seen_stuck: list[Any] = []
        """At the last look, the worst at the end; nothing is stuck any sooner than at the next."""
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._members) + len(self._guests) + len(self._watching)

    def enter(self, connection: Connection) -> None:
        """Take up a new connection, closing another one where there is no room.

        Where all others are at work it is a guest, of whom only a few are heard.
        """
        if self._timer is None:
            self._timer = connection.loop.call_later(
                self.bounds.tick_seconds, self._look_at_all, connection.loop
            )
        if self._make_room(connection):
            self._waiting.add(connection)
            return
        if len(self._guests) >= GUESTS:
            waiting = next((guest for guest in self._guests if guest.is_waiting), connection)
            self.refused += 1
            waiting.drop()
            self._guests.pop(waiting, None)
            if waiting is connection:
                return
        self._guests[connection] = None

    def leave(self, connection: Connection) -> None:
        """Forget a connection that is closed."""
        self._waiting.discard(connection)
        self._asking.discard(connection)
        self._members.discard(connection)
        self._guests.pop(connection, None)
        self._watching.discard(connection)

    def begins(self, connection: Connection, method: bytes, url: bytes) -> bool:
        """Note a request of a connection; return whether there is room for it."""
        self._waiting.discard(connection)
        path = url.partition(b"?")[0]
        if path.rstrip(b"/").endswith(_WATCHING):
            return self._watches(connection)
        is_sender = method == b"POST" and path.endswith(_SENDING)
        is_heard = is_sender or path.endswith(_HEALTH)
        if connection in self._guests and not (self._becomes_member(connection) or is_heard):
            self.refused += 1
            return False
        if is_sender:
            connection.standing = Standing.SENDER
            return True
        if connection.standing is Standing.NEW:
            connection.standing = Standing.ASKER
        if is_heard:
            return True
        if len(self._asking) >= self._may_ask:
            self.refused += 1
            return False
        self._asking.add(connection)
        return True

    def stop(self) -> None:
        """Wait no longer for who does not get on than where there is no room: the server stops."""
        seconds = self.bounds.pressed_seconds
        self.bounds = replace(
            self.bounds,
            body_seconds=seconds,
            reply_seconds=seconds,
            discard_seconds=seconds,
            leave_seconds=seconds,
        )

    def cut(self) -> None:
        """Wait for nobody any more."""
        for one in self._all():
            one.cut()

    def rests(self, connection: Connection) -> None:
        """Note that all requests of a connection are answered."""
        self._asking.discard(connection)
        if connection in self._watching:  # which came to nothing
            self._watching.discard(connection)
            if not self._make_room(connection):
                self._guests[connection] = None
        if connection in self._members:
            self._waiting.add(connection)

    def _watches(self, connection: Connection) -> bool:
        if connection not in self._watching and len(self._watching) >= self.bounds.streams:
            self.refused += 1
            return False
        self._members.discard(connection)
        self._guests.pop(connection, None)
        self._watching.add(connection)
        return True

    def _becomes_member(self, guest: Connection) -> bool:
        if not self._make_room(guest):
            return False
        del self._guests[guest]
        return True

    def _make_room(self, connection: Connection) -> bool:
        if len(self._members) >= self.bounds.connections:
            victim = self._waiting.first() or self._stuck(connection.loop.time())
            if victim is None:
                return False
            self.evicted += 1
            victim.drop()
            self.leave(victim)
        self._members.add(connection)
        return True

    def _stuck(self, now: float) -> Connection | None:
        """Return the connection whose sender or reader had not got on for the longest time."""
        while self._seen_stuck:
            one = self._seen_stuck.pop()
            if one in self._members and one.still(now) >= self.bounds.pressed_seconds:
                return one  # type: ignore[no-any-return]
        return None

    def _all(self) -> list[Connection]:
        return [*self._members, *self._guests, *self._watching]

    def _look_at_all(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for one in self._all():
            one.look(now)
        still = [(one.still(now), one) for one in self._members]
        stuck = [pair for pair in still if pair[0] >= self.bounds.pressed_seconds]
        self._seen_stuck = [one for _, one in sorted(stuck, key=lambda pair: pair[0])]
        self._timer = None
        if len(self):
            self._timer = loop.call_later(self.bounds.tick_seconds, self._look_at_all, loop)
