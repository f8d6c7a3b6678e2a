"""When a simulated lab works: its plan of shifts as instants."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone, tzinfo
from typing import Final

from madsci.common.clock import to_us, zone_named
from madsci.demo.lab import LabPlan

SECOND: Final = 1_000_000
MINUTE: Final = 60 * SECOND
LATE_BEGIN: Final = 5 * MINUTE
"""How long after its shift's beginning a session may begin, in microseconds."""
_OVERTIME: Final = 40 * MINUTE
_LEAVING: Final = 2 * MINUTE
"""What it takes to stop all work and to begin a lab, and for each node that goes down:"""
_LEAVING_OF_NODE: Final = 10 * SECOND
_SHORTEST: Final = 30 * MINUTE


@dataclass(frozen=True)
class Shift:
    """A session as it is planned, in microseconds since 1970.

    From ``closing`` on nothing new begins; at ``stop`` at the latest what is under way is stopped.
    """

    begin: int
    closing: int
    stop: int


def window_of(plan: LabPlan) -> tuple[int, int]:
    """Return the beginning and the end of what is simulated: whole days by the clocks of the zone."""
    begin = plan.begin.astimezone(_zone_of(plan))
    return to_us(begin), to_us(begin + timedelta(days=plan.days))


def shifts_of(plan: LabPlan) -> list[Shift]:
    """Return the shifts within the window, in order; none reaches into the next one.

    What the window cuts is shorter, and left out where hardly anything is left.
    """
    first, last = window_of(plan)
    leaving = _LEAVING + _LEAVING_OF_NODE * plan.nodes_per_workcell
    planned = sorted((begin, end) for begin, end in _planned(plan) if begin < last and end > first)
    shifts: list[Shift] = []
    for number, (begin, end) in enumerate(planned):
        following = planned[number + 1][0] if number + 1 < len(planned) else last
        stop = min(end + _OVERTIME, min(following, last) - leaving)
        shift = Shift(max(begin, first + _LEAVING), min(end, stop), stop)
        if shift.closing - shift.begin >= _SHORTEST:
            shifts.append(shift)
    return shifts


def _planned(plan: LabPlan) -> Iterator[tuple[int, int]]:
    """Yield the shifts of all days that may lie within the window."""
    zone = _zone_of(plan)
    first_day = plan.begin.astimezone(zone).date() - timedelta(days=1)
    for number in range(plan.days + 3):
        day = first_day + timedelta(days=number)
        for shifts in plan.shifts:
            if day.weekday() in shifts.weekdays:
                last_day = day + timedelta(days=shifts.end <= shifts.begin)
                begin = datetime.combine(day, shifts.begin, zone)
                yield to_us(begin), to_us(datetime.combine(last_day, shifts.end, zone))


def _zone_of(plan: LabPlan) -> tzinfo:
    return zone_named(plan.zone) or timezone.utc
