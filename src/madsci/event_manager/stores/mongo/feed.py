"""Reading the feed of a database: what each lane has behind a position."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from heapq import merge
from typing import Final

from madsci.common.clock import iso
from madsci.event_manager.model.budget import UNLIMITED, Budget
from madsci.event_manager.model.feed import ENDED, Entries, Entry, Position, unknown_position
from madsci.event_manager.model.matcher import matches
from madsci.event_manager.model.query import PAGE_BYTES
from madsci.event_manager.model.selector import EVERYTHING, Selector, is_everything
from madsci.event_manager.model.stored_event import StoredEvent, size_of
from madsci.event_manager.stores.mongo.codec import NO_EVENT, to_event
from madsci.event_manager.stores.mongo.compile import Filter
from madsci.event_manager.stores.mongo.connection import Database, Document
from madsci.event_manager.stores.mongo.finding import Events
from madsci.event_manager.stores.mongo.lanes import (
    LANE,
    LANES,
    NUMBER,
    RAISED_LANE,
    RAISED_NUMBER,
    LaneState,
    position_at,
    states,
    unused_between,
)

_WALKED: Final = 200_000
"""Numbers of a lane among which certain events are sought at once."""
_PLACES: Final = ((LANE, NUMBER, False), (RAISED_LANE, RAISED_NUMBER, True))


class Feed:
    """The feed of a database. Thread-safe; raises the driver's errors."""

    def __init__(self, database: Database, events: Events) -> None:
        self._database = database
        self._events = events

    def since(  # noqa: PLR0913, PLR0917 - as in the contract
        self,
        position: Position,
        limit: int,
        own: dict[str, int],
        until: Position | None = None,
        selector: Selector = EVERYTHING,
        budget: Budget = UNLIMITED,
    ) -> Entries:
        """Return what follows a position; see ``FeedReader``. ``own`` are the heads of our lanes."""
        numbers = dict(position.lanes)
        ended = numbers.pop(ENDED, 0)
        lanes = [_up_to_date(one, own) for one in states(self._database, ended)]
        if until is not None:
            lanes = [_up_to(one, dict(until.lanes)) for one in lanes]
        is_ahead = until is not None and (
            ended > dict(until.lanes).get(ENDED, 0)
            or any(numbers.get(one.name, 0) > one.head for one in lanes)
        )
        self._check_known(position, numbers.keys() - {one.name for one in lanes})
        waiting = [one for one in lanes if one.head > numbers.get(one.name, 0)]
        share = max(1, limit // max(1, len(waiting)))
        sought = _Sought(self._events, selector, budget)
        entries: list[Entry] = []
        missed, has_more = 0, len(waiting) > limit
        for lane in waiting[:limit]:
            before = numbers.get(lane.name, 0)
            found, last = self._of_lane(lane, before, share, sought)
            if sought.is_everything:
                unused = unused_between(self._database, lane.name, before, last)
                missed += last - before - len(found) - unused
            has_more |= last < lane.head
            numbers[lane.name] = last
            entries += found
        return Entries(position, entries, _position(lanes, numbers, ended), has_more, missed, is_ahead)

    def end(self, head: Position) -> Position:
        """Return the position behind all that is there, also beyond the heads of other servers."""
        numbers = dict(head.lanes)
        for lane in states(self._database):
            if lane.ended is None:
                last = self._events.collection.find_one(
                    {LANE: lane.name}, {NUMBER: 1}, sort=[(NUMBER, -1)]
                )
                found = 0 if last is None else int(last[NUMBER])
                numbers[lane.name] = max(found, lane.head, numbers.get(lane.name, 0))
        return Position.of(numbers.items())

    def up_to(self, fence: Position) -> Events:
        """Return the events up to a position."""
        numbers = dict(fence.lanes)
        beyond = [
            {LANE: one.name, NUMBER: {"$gt": numbers.get(one.name, 0)}}
            for one in states(self._database, numbers.get(ENDED, 0))
        ]
        return replace(self._events, among={"$nor": beyond} if beyond else {})

    def before(self, event_ids: Sequence[str], head: Position) -> Position:
        """Return the last position before events; see ``FeedReader``. ``head`` is the end."""
        return self._before({"_id": {"$in": list(event_ids)}}, head, UNLIMITED)

    def before_time(self, time: int, head: Position, budget: Budget) -> Position:
        """Return the last position before what happened from a time on; see ``FeedReader``."""
        return self._before({"event_timestamp": {"$gte": iso(time)}}, head, budget)

    def _before(self, wanted: Filter, head: Position, budget: Budget) -> Position:
        """Return the position before the first that is wanted of each lane."""
        firsts: dict[str, int] = {}
        found = self._events.collection.find(wanted, {LANE: 1, NUMBER: 1})
        for one in found.max_time_ms(budget.milliseconds()):
            budget.check()
            if one.get(LANE) is not None:
                firsts[one[LANE]] = min(one[NUMBER], firsts.get(one[LANE], one[NUMBER]))
        lanes, at_the_end = states(self._database), dict(head.lanes)
        numbers = {
            one.name: firsts.get(one.name, max(one.head, at_the_end.get(one.name, 0)) + 1) - 1
            for one in lanes
        }
        return _position(lanes, numbers, 0)

    def _check_known(self, position: Position, names: set[str]) -> None:
        """Return if the lanes of a position that are not to be read any more are of this database."""
        known = {"_id": {"$in": sorted(names)}}
        if names and self._database[LANES].count_documents(known) < len(names):
            raise unknown_position(position)

    def _of_lane(
        self, lane: LaneState, before: int, limit: int, sought: _Sought
    ) -> tuple[list[Entry], int]:
        """Return some entries of a lane, and the number up to which these are all."""
        end = lane.head if sought.is_everything else min(lane.head, before + _WALKED)
        cursors = [self._places(lane.name, (before, end), limit, one, sought) for one in _PLACES]
        found: list[Entry] = []
        read, last, room = 0, before, PAGE_BYTES
        for number, is_raised, document in merge(*cursors, key=lambda one: one[0]):
            if read == limit or (room < 0 and found):
                return found, last
            read, last = read + 1, number
            event = self._event(document)
            if event is not None and sought.is_wanted(event):
                found.append(Entry(lane.name, number, event, is_raised))
                room -= size_of(event)
        return found, end if read < limit else last

    def _places(
        self,
        lane: str,
        between: tuple[int, int],
        limit: int,
        kind: tuple[str, str, bool],
        sought: _Sought,
    ) -> Iterator[tuple[int, bool, Document]]:
        in_lane, number, is_raised = kind
        wanted: Filter = {in_lane: lane, number: {"$gt": between[0], "$lte": between[1]}}
        if sought.condition:
            wanted = {"$and": [wanted, sought.condition]}
        found = self._events.collection.find(wanted).sort(number, 1).limit(limit)
        for one in found.max_time_ms(sought.budget.milliseconds()):
            sought.budget.check()
            yield int(one[number]), is_raised, one

    def _event(self, document: Document) -> StoredEvent | None:
        try:
            return to_event(document)
        except NO_EVENT as error:
            self._events.passed_over.note(document.get("_id"), error)
            return None


class _Sought:
    """Which entries are wanted: what of that the server tells, and what is left to be asked of them."""

    def __init__(self, events: Events, selector: Selector, budget: Budget) -> None:
        self.is_everything = is_everything(selector)
        self.budget = budget
        self.condition, self._left = events.asked(selector)

    def is_wanted(self, event: StoredEvent) -> bool:
        """Tell whether an event that the server found matches."""
        return self._left is None or matches(self._left, event.document())


def _up_to(lane: LaneState, numbers: dict[str, int]) -> LaneState:
    """Return a lane as far as a position goes."""
    if lane.ended is not None and lane.ended <= numbers.get(ENDED, 0):
        return lane
    return replace(lane, head=min(lane.head, numbers.get(lane.name, 0)), ended=None)


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
    return position_at(kept, ended)
