"""Reading the next events of a segment, up to where something is damaged or missing."""

from __future__ import annotations

from collections import deque
from typing import Final, NamedTuple

from madsci.client.spool.contract import SpooledEvent, event_id_of
from madsci.client.spool.lines import Line
from madsci.client.spool.segments import Segment

_MICROSECONDS: Final = 1_000_000


class Mark(NamedTuple):
    """Where an event that was read ends."""

    position: int
    offset: int
    done: int
    moment: int


class Reading(NamedTuple):
    """What was read; without events, what stands in their way.

    That is damaged bytes, or that what comes up to the place ``gap`` is missing.
    """

    events: list[SpooledEvent]
    marks: deque[Mark]
    damage: Line | None = None
    gap: int = 0


def read_segment(segment: Segment, limit: int | None, max_events: int, max_bytes: int) -> Reading:
    """Read from the first unsettled event on, within the bounds, but at least one if any is there.

    Raises:
        OSError: the file cannot be read.
    """
    events: list[SpooledEvent] = []
    marks: deque[Mark] = deque()
    passed = done = segment.done
    size = 0
    for line in segment.lines(segment.offset, limit):
        place = min(line.number - segment.base, segment.count)
        if line.body is None or place > done + 1:
            if events:
                break
            damage = line if line.body is None else None
            return Reading(events, marks, damage, place - 1)
        if segment.is_rewound and place <= passed:
            continue
        size += len(line.body) + 1
        if events and (size > max_bytes or len(events) >= max_events):
            break
        done += 1
        position, moment = segment.base + done, line.moment
        events.append(SpooledEvent(position, event_id_of(line.body), line.body, moment / _MICROSECONDS))
        marks.append(Mark(position, line.end, done, moment))
    return Reading(events, marks)
