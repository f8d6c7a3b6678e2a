"""Two clocks: the one on the wall, and the one that runs while somebody looks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec

from madsci.event_manager.model.stored_event import decode_json, encode_json

LONGEST_GAP: Final = 120_000_000
"""Microseconds: what is between two looks at most. A greater distance means that nobody looked (the
server stood still), or that the clock was set; silence in it says nothing."""


@dataclass(frozen=True)
class Moment:
    """Microseconds since 1970, and microseconds that were looked at since alerts began."""

    wall: int
    watched: int


class WatchClock(msgspec.Struct):
    """Counts the time in which somebody looked; rules that wait for something go by it.

    So neither a night in which the server was off nor a clock that is set makes anything seem silent.
    ``is_continuous`` where history is replayed: then all of it was looked at.
    """

    wall: int
    watched: int = 0
    began: int = 0
    """When alerts began, on the wall; what was received before is history."""
    is_continuous: bool = False

    def advance(self, wall: int) -> Moment:
        """Go on to a time of the clock on the wall, which may be an earlier one."""
        passed = wall - self.wall
        if 0 <= passed <= LONGEST_GAP or (self.is_continuous and passed > 0):
            self.watched += passed
            self.wall = wall
        elif abs(passed) > LONGEST_GAP:  # what comes a little out of order does not set it back
            self.wall = wall
        return Moment(self.wall, self.watched)

    def text(self) -> str:
        """Return it as the document that is kept."""
        return encode_json({"wall": self.wall, "watched": self.watched, "began": self.began})

    @classmethod
    def parse(cls, document: str, *, is_continuous: bool) -> WatchClock:
        """Return the clock that such a document tells."""
        kept = decode_json(document)
        return cls(kept["wall"], kept["watched"], kept["began"], is_continuous)
