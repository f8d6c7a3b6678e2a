"""Giving the events of earlier versions their places in the feed."""

from __future__ import annotations

from typing import Final

from pymongo import UpdateOne

from madsci.event_manager.stores.mongo.connection import Collection, Database
from madsci.event_manager.stores.mongo.lanes import LANE, NUMBER, OwnLane, end, publish
from madsci.event_manager.stores.upkeep import Progress

_AT_ONCE: Final = 1_000
_CHANGED_AT_ONCE: Final = 50
"""Changes of one command: servers that only speak MongoDB's protocol may hang at a hundred. Each is
found by its id alone, since such a server looks through all events for anything more."""
_NOT_YET: Final = {LANE: None}
_SERVER: Final = "migration"
"""Stands for who writes in the lane; it is nobody's when the migration was killed, and ends then."""


class Numbering:
    """Numbers the events that have no place, in the order of receipt. Raises the driver's errors."""

    def __init__(self, database: Database, events: Collection) -> None:
        self._database = database
        self._events = events

    def pending(self, _: Progress) -> int:
        """Return how many events have no place."""
        return self._events.count_documents(_NOT_YET)

    def run(self, progress: Progress) -> int:
        """Give each of them one, in a lane that ends with the last; return how many."""
        lane = OwnLane(self._database, _SERVER)
        whole, done = self._events.count_documents(_NOT_YET), 0
        while ids := self._next_ids():
            name, first = lane.take(len(ids))
            changes = [
                UpdateOne({"_id": one}, {"$set": {LANE: name, NUMBER: number}})
                for number, one in enumerate(ids, first)
            ]
            for start in range(0, len(changes), _CHANGED_AT_ONCE):
                self._events.bulk_write(changes[start : start + _CHANGED_AT_ONCE])
            lane.acknowledge()
            publish(self._database, name, first + len(ids) - 1)
            done += len(ids)
            progress("numbering events", done, whole)
        for name in lane.heads():
            end(self._database, self._events, name)
        return done

    def _next_ids(self) -> list[object]:
        found = self._events.find(_NOT_YET, {"_id": 1}).sort([("received_at", 1), ("_id", 1)])
        return [one["_id"] for one in found.limit(_AT_ONCE)]
