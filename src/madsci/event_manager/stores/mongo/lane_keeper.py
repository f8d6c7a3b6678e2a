"""The thread that says how far the lane of a server is to be read, and ends those of the dead."""

from __future__ import annotations

import logging
import threading
import time
from typing import Final

from pymongo.errors import PyMongoError

from madsci.event_manager.model.feed import Position
from madsci.event_manager.stores.mongo import turns
from madsci.event_manager.stores.mongo.connection import Collection, Database
from madsci.event_manager.stores.mongo.lanes import (
    OwnLane,
    end_lanes,
    head_of,
    publish,
    states,
    tell_left,
)
from madsci.event_manager.stores.mongo.presence import SERVERS

_logger = logging.getLogger(__name__)

_LOOK: Final = 0.5
"""Seconds after which it is looked how far the other servers have come."""
_ENDING: Final = 15.0
"""Seconds between two looks for lanes in which nobody writes any more."""
_TURN: Final = 60.0
"""Seconds for which one server has the ending of lanes for itself."""
_NAME: Final = "ending lanes"


class LaneKeeper:
    """Publishes the head of a server's lane, knows those of the others, and ends lanes that were left.

    Owns a thread; ``wake`` and ``head`` are for any.
    """

    def __init__(self, database: Database, events: Collection, lane: OwnLane, server: str) -> None:
        self._database = database
        self._events = events
        self._lane = lane
        self._server = server
        self._known = Position()
        self._published: dict[str, int] = {}
        self._end_at = 0.0
        self._woken = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="mongodb-lanes", daemon=True)

    def start(self) -> None:
        """Look how far the lanes are, and begin. Raises the driver's errors."""
        self._known = head_of(states(self._database))
        self._thread.start()

    def wake(self) -> None:
        """Say that something was appended. Does not wait."""
        self._woken.set()

    def head(self) -> Position:
        """Return the position at the heads of all lanes as they were seen, and at that of our own."""
        numbers = dict(self._known.lanes)
        for name, head in self._lane.heads().items():
            numbers[name] = max(head, numbers.get(name, 0))
        return Position.of(numbers.items())

    def close(self, deadline: float = 5.0) -> None:
        """Publish what is left, and stop."""
        self._stopping = True
        self._woken.set()
        if self._thread.ident is not None:
            self._thread.join(deadline)

    def _run(self) -> None:
        while True:
            self._woken.wait(_LOOK)
            self._woken.clear()
            is_last = self._stopping
            try:
                self._publish()
                if is_last:
                    return
                self._known = head_of(states(self._database))
                if time.monotonic() >= self._end_at:
                    self._end()
                    self._end_at = time.monotonic() + _ENDING
            except PyMongoError as error:  # the next round does it
                _logger.debug("The lanes of the feed could not be looked after: %s", error)
                if is_last:
                    return

    def _publish(self) -> None:
        heads = self._lane.heads()
        for name, head in heads.items():
            if self._published.get(name) != head:
                publish(self._database, name, head)
            self._lane.published(name)
        self._published = heads
        for name in self._lane.left.copy():
            tell_left(self._database, name)
            self._lane.left.discard(name)

    def _end(self) -> None:
        if turns.hold(self._database, _NAME, self._server, _TURN):
            living = set(turns.holders(self._database, SERVERS))
            end_lanes(self._database, self._events, living)
