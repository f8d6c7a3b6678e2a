"""Reading the feed of a database: what each lane has behind a position."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from heapq import merge
from typing import Final

from madsci.event_manager.model.feed import Entries, Entry, Position, unknown_position
from madsci.event_manager.model.stored_event import StoredEvent
from madsci.event_manager.stores.mongo.codec import NO_EVENT, to_event
from madsci.event_manager.stores.mongo.connection import Collection, Database, Document
from madsci.event_manager.stores.mongo.lanes import (
    ENDED,
    LANE,
    LANES,
    NUMBER,
    RAISED_LANE,
    RAISED_NUMBER,
    LaneState,
    states,
    unused_between,
)
from madsci.event_manager.stores.mongo.passing_over import PassedOver

_PLACES: Final = ((LANE, NUMBER, False), (RAISED_LANE, RAISED_NUMBER, True))


class Feed:
    """The feed of a database. Thread-safe; raises the driver's errors."""

    def __init__(self, database: Database, events: Collection, passed_over: PassedOver) -> None:
        self._database = database
        self._events = events
        self._passed_over = passed_over

    def since(self, position: Position, limit: int, own: dict[str, int]) -> Entries:
        """Return what follows a position; see ``EventLog``. ``own`` are the heads of our lanes."""
        numbers = dict(position.lanes)
        ended = numbers.pop(ENDED, 0)
        lanes = [_up_to_date(one, own) for one in states(self._database, ended)]
        self._check_known(position, numbers.keys() - {one.name for one in lanes})
        waiting = [one for one in lanes if one.head > numbers.get(one.name, 0)]
        share = max(1, limit // max(1, len(waiting)))
        entries: list[Entry] = []
        missed, has_more = 0, len(waiting) > limit
        for lane in waiting[:limit]:
            before = numbers.get(lane.name, 0)
            found, last = self._of_lane(lane, before, share)
            unused = unused_between(self._database, lane.name, before, last)
            missed += last - before - len(found) - unused
            has_more |= last < lane.head
            numbers[lane.name] = last
            entries += found
        return Entries(entries, _position(lanes, numbers, ended), has_more, missed)

    def _check_known(self, position: Position, names: set[str]) -> None:
        """Return if the lanes of a position that are not to be read any more are of this database."""
        known = {"_id": {"$in": sorted(names)}}
        if names and self._database[LANES].count_documents(known) < len(names):
            raise unknown_position(position)

    def _of_lane(self, lane: LaneState, before: int, limit: int) -> tuple[list[Entry], int]:
        """Return some entries of a lane, and the number up to which these are all."""
        cursors = [self._places(lane, before, limit, one) for one in _PLACES]
        found: list[Entry] = []
        read, last = 0, before
        for number, is_raised, document in merge(*cursors, key=lambda one: one[0]):
            if read == limit:
                return found, last
            read, last = read + 1, number
            event = self._event(document)
            if event is not None:
                found.append(Entry(lane.name, number, event, is_raised))
        return found, lane.head if read < limit else last

    def _places(
        self, lane: LaneState, before: int, limit: int, kind: tuple[str, str, bool]
    ) -> Iterator[tuple[int, bool, Document]]:
        in_lane, number, is_raised = kind
        wanted = {in_lane: lane.name, number: {"$gt": before, "$lte": lane.head}}
        for one in self._events.find(wanted).sort(number, 1).limit(limit):
            yield int(one[number]), is_raised, one

    def _event(self, document: Document) -> StoredEvent | None:
        try:
            return to_event(document)
        except NO_EVENT as error:
            self._passed_over.note(document.get("_id"), error)
            return None


def _up_to_date(lane: LaneState, own: dict[str, int]) -> LaneState:
    """Return a lane as far as it is acknowledged, where it is this server's."""
    head = own.get(lane.name, 0)
    return lane if head <= lane.head or lane.ended is not None else replace(lane, head=head)


def _position(lanes: list[LaneState], numbers: dict[str, int], ended: int) -> Position:
    """Return the position, in which one number stands for the lanes that ended and were read."""
    kept = {one.name: numbers[one.name] for one in lanes if numbers.get(one.name)}
    for lane in sorted((one for one in lanes if one.ended is not None), key=lambda one: one.ended or 0):
        if lane.ended != ended + 1 or numbers.get(lane.name, 0) < lane.head:
            break
        ended += 1
        kept.pop(lane.name, None)
    return Position.of({**kept, **({ENDED: ended} if ended else {})}.items())
