"""The feed: everything that was committed, in order, and places in it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import msgspec

from madsci.common.errors import InvalidInputError
from madsci.common.ids import new_ulid
from madsci.event_manager.model.stored_event import StoredEvent
from madsci.event_manager.model.values import INT64

MAX_LANES: Final = 1_000
"""Lanes of a position: as many servers as write within a day, and start anew meanwhile."""
LANE_LENGTH: Final = 12
"""Characters of the name of a lane: 60 random bits."""
ENDED: Final = "ended"
"""Stands in positions for all lanes up to the one that was the so many-th to end."""
_START: Final = "start"
_PART: Final = re.compile(r"([0-9a-z]{1,32})-(0|[1-9][0-9]{0,18})")


@dataclass(frozen=True)
class Position:
    """A place in the feed: behind the entry with a number, of each lane that has any before it.

    Entries of one lane are in the order of their numbers. As text it is for keeping and handing on, and
    means nothing to a store that has not given it.
    """

    lanes: tuple[tuple[str, int], ...] = ()
    """Names with numbers, by name."""

    @classmethod
    def of(cls, numbers: Iterable[tuple[str, int]]) -> Position:
        """Return the position behind these entries."""
        return cls(tuple(sorted(numbers)))

    @classmethod
    def parse(cls, text: str) -> Position:
        """Return the position that a text stands for.

        Raises:
            InvalidInputError: it is none.
        """
        if text == _START:
            return START
        parts = [_PART.fullmatch(part) for part in text[: 64 * MAX_LANES].split(".")]
        lanes = tuple((part[1], int(part[2])) for part in parts if part is not None)
        names = [name for name, _ in lanes]
        is_whole = len(lanes) == len(parts) <= MAX_LANES and names == sorted(set(names))
        if not is_whole or any(number not in INT64 for _, number in lanes):
            raise InvalidInputError(
                f"{text[:80]!r} is no position in the feed. Use one that came with an event, or"
                f" {_START!r} for the first event there is."
            )
        return cls(lanes)

    def __str__(self) -> str:
        return ".".join(f"{lane}-{number}" for lane, number in self.lanes) or _START

    @property
    def number(self) -> int:
        """The number in the one lane that a store has of which one server writes; 0 at the start."""
        return self.lanes[0][1] if self.lanes else 0

    def beyond(self, other: Position) -> int:
        """Return how many numbers there are from another position to this one, entries or not."""
        before = dict(other.lanes)
        return sum(max(0, number - before.get(lane, 0)) for lane, number in self.lanes)

    def behind(self, *entries: Entry) -> Position:
        """Return the position at which one has read those entries, too, in their order."""
        return Position.of({**dict(self.lanes), **{one.lane: one.number for one in entries}}.items())


def new_lane() -> str:
    """Return the name of a lane, which none had before."""
    return new_ulid()[-LANE_LENGTH:].lower()


def positions(start: Position, entries: Iterable[Entry]) -> Iterator[bytes]:
    """Yield the position behind each of the entries that follow one, as text."""
    numbers = {lane.encode(): number for lane, number in start.lanes}
    lanes: dict[str, bytes] = {}
    for entry in entries:
        lane = lanes.get(entry.lane) or lanes.setdefault(entry.lane, entry.lane.encode())
        numbers[lane] = entry.number
        if len(numbers) == 1:
            yield b"%b-%d" % (lane, entry.number)
            continue
        yield b".".join([b"%b-%d" % one for one in sorted(numbers.items())])


START: Final = Position()
"""Before the first entry of every lane."""


class Entry(msgspec.Struct, frozen=True, gc=False):
    """An event at its place in the feed, as it is stored now."""

    lane: str
    number: int
    event: StoredEvent
    is_raised_alert: bool = False
    """Whether this is the place at which an alert was raised on an event that was stored before."""


@dataclass(frozen=True)
class Entries:
    """What follows a position: some entries, and the position behind them."""

    start: Position
    """The position that they follow, in the lanes of now."""
    entries: list[Entry]
    next: Position
    has_more: bool
    """Whether more was committed already than is in it."""
    missed: int = 0
    """How many entries there were between the two positions that are not in the store any more. They
    are not counted where certain events were sought."""
    is_ahead: bool = False
    """Whether the position lies beyond the one up to which was to be read."""


def unknown_position(position: Position) -> InvalidInputError:
    """Return the error about a position of another store."""
    return InvalidInputError(
        f"The position {str(position)[:80]!r} is not one of this event store. Use one that came with"
        " an event of it, or a time."
    )
