"""The lanes of the feed: each server writes in one of its own, and says how far it is to be read.

The document of an event has the lane of the server that took it, and a number that its one writer
counted. The head of a lane is moved up when all before it are acknowledged, and nobody reads beyond it.
So nothing coordinates the servers, and what becomes visible in some order amid a batch is never seen
half. After a failure, writes may still be on their way: their lane is left then. It is ended when they
must be over, as is that of a server that died: its head becomes the greatest number in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from madsci.event_manager.model.feed import ENDED, Position, new_lane
from madsci.event_manager.stores.mongo import turns
from madsci.event_manager.stores.mongo.connection import Collection, Database

LANES: Final = "lanes"
"""The collection: ``_id`` is the lane, ``head`` the number up to which it is read, ``server`` who
writes in it, ``left_at`` since when nobody does, ``ended`` its number among those that have ended."""
UNUSED: Final = "unused_numbers"
"""The collection of numbers from ``first`` to ``last`` of a ``lane`` that no entry has."""
LANE: Final = "lane"
NUMBER: Final = "number"
RAISED_LANE: Final = "raised_lane"
RAISED_NUMBER: Final = "raised_number"
"""Members of the documents of events: their place in the feed, and that of an alert raised later."""
PLACES: Final = frozenset({LANE, NUMBER, RAISED_LANE, RAISED_NUMBER})
LONGEST_WRITE: Final = 60.0
"""Seconds after which a write that was begun is over, or its connection is."""


@dataclass(frozen=True)
class LaneState:
    """How far a lane is to be read, and the how many-th it was to end, if it has."""

    name: str
    head: int
    ended: int | None


class OwnLane:
    """The lane in which this server writes, which begins with its first event.

    Numbers are given out to one thread at a time; ``heads`` and ``published`` are for another one.
    """

    def __init__(self, database: Database, server: str) -> None:
        self._database = database
        self._server = server
        self._name: str | None = None
        self._last = 0
        self._heads: dict[str, int] = {}
        """Of this lane, and of those that were left since the database was told."""
        self.left: set[str] = set()
        """The lanes that were left, and not yet told to be."""

    def heads(self) -> dict[str, int]:
        """Return the numbers up to which all is acknowledged, by lane."""
        return self._heads.copy()

    def published(self, name: str) -> None:
        """Forget a lane if it was left: the database knows its head."""
        if name != self._name:
            self._heads.pop(name, None)

    def take(self, count: int) -> tuple[str, int]:
        """Give out numbers; return the lane and the first of them. Raises the driver's errors."""
        if self._name is None:
            name = new_lane()
            # Before the first event: of a lane that nobody knows nothing is read.
            self._database[LANES].insert_one({"_id": name, "head": 0, "server": self._server})
            self._name, self._last = name, 0
        first, self._last = self._last + 1, self._last + count
        return self._name, first

    def give_back_behind(self, number: int) -> None:
        """Take back the numbers behind one, which nothing has."""
        self._last = number

    def acknowledge(self) -> None:
        """Note that all that have a number are on disk."""
        if self._name is not None:
            self._heads[self._name] = self._last

    def leave(self) -> None:
        """Write no more in this lane: what failed may still be on its way."""
        if self._name is not None:
            self.left.add(self._name)
            self._name = None


def publish(database: Database, name: str, head: int) -> None:
    """Have a lane be read up to a number, unless it has ended."""
    database[LANES].update_one({"_id": name, "ended": None}, {"$max": {"head": head}})


def states(database: Database, after: int = 0) -> list[LaneState]:
    """Return the lanes, by name, but for the first so many that have ended."""
    wanted = {"$or": [{"ended": None}, {"ended": {"$gt": after}}]}
    found = database[LANES].find(wanted).sort("_id", 1)
    return [LaneState(str(one["_id"]), int(one["head"]), one.get("ended")) for one in found]


def head_of(lanes: list[LaneState]) -> Position:
    """Return the position at the heads of all lanes."""
    numbers = {one.name: one.head for one in lanes if one.ended is None}
    return position_at(numbers, max((one.ended or 0 for one in lanes), default=0))


def position_at(numbers: dict[str, int], ended: int) -> Position:
    """Return the position behind numbers of lanes, and behind so many lanes that have ended."""
    return Position.of({**numbers, **({ENDED: ended} if ended else {})}.items())


def tell_left(database: Database, name: str) -> None:
    """Say that nobody writes in a lane from now on."""
    now = turns.database_time(database)
    database[LANES].update_one({"_id": name, "left_at": None}, {"$set": {"left_at": now}})


def end_lanes(database: Database, events: Collection, living: set[str]) -> None:
    """End the lanes that were left long ago, and note which were left by a server that died.

    Called by one server at a time; ``living`` are those that are there.
    """
    now = turns.database_time(database)
    for lane in database[LANES].find({"ended": None}):
        left_at: datetime | None = lane.get("left_at")
        if left_at is None:
            if lane["server"] not in living:
                tell_left(database, str(lane["_id"]))
        elif left_at + timedelta(seconds=LONGEST_WRITE) <= now:
            end(database, events, str(lane["_id"]))


def end(database: Database, events: Collection, name: str) -> None:
    """Have all be read that is in a lane, and note which numbers behind its head nothing has."""
    lane = database[LANES].find_one({"_id": name, "ended": None})
    if lane is None:
        return
    head = int(lane["head"])
    numbers = sorted(
        int(one[member])
        for in_lane, member in ((LANE, NUMBER), (RAISED_LANE, RAISED_NUMBER))
        for one in events.find({in_lane: name, member: {"$gt": head}}, {member: 1})
    )
    note_unused(database, name, head, numbers)
    last = max(numbers, default=head)
    newest = database[LANES].find_one({"ended": {"$ne": None}}, sort=[("ended", -1)])
    ended = 1 if newest is None else int(newest["ended"]) + 1
    database[LANES].update_one({"_id": name, "ended": None}, {"$set": {"head": last, "ended": ended}})


def note_unused(database: Database, lane: str, before: int, used: list[int]) -> None:
    """Note the numbers of a lane between some that are used, in order, and the one before them."""
    gaps: list[dict[str, Any]] = []
    for number in used:
        if number > before + 1:
            gaps.append(
                {"_id": f"{lane}-{number - 1}", LANE: lane, "first": before + 1, "last": number - 1}
            )
        before = number
    if gaps:
        database[UNUSED].insert_many(gaps)


def unused_between(database: Database, lane: str, before: int, last: int) -> int:
    """Return how many numbers of a lane behind one and up to another nothing has ever had."""
    found = database[UNUSED].find({LANE: lane, "last": {"$gt": before}, "first": {"$lte": last}})
    return sum(min(int(one["last"]), last) - max(int(one["first"]), before + 1) + 1 for one in found)
