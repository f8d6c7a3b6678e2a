"""The states of SEMI E10: what each node was in, at every instant of the window.

What is known of a node comes first, since most labs tell little of their plans: it is productive while
it is busy, in unscheduled downtime while it is at fault, on standby while it is up. Only of what is
left do sessions decide: down in a session is scheduled downtime, outside all sessions it is not
scheduled. An instant of which events do not tell is in none of the six states: it counts as unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import NamedTuple

import numpy as np

from madsci.event_manager.analytics.intervals import NEVER, Intervals
from madsci.event_manager.analytics.lives import NodeLife, node_lives
from madsci.event_manager.analytics.spans import Span
from madsci.event_manager.analytics.timelines import NodeTimes, Timelines


class State(Enum):
    """A state of SEMI E10, or that nobody can tell."""

    PRODUCTIVE = "PRD"
    STANDBY = "SBY"
    ENGINEERING = "ENG"
    """No event of today says that a node is being worked at or tried out, so it is empty."""
    SCHEDULED_DOWN = "SDT"
    UNSCHEDULED_DOWN = "UDT"
    NON_SCHEDULED = "NST"
    UNKNOWN = "unknown"


class Share(NamedTuple):
    """A share from 0 to 1 of what is known; what it is at least and at most, whatever was unknown."""

    value: float | None
    """``None``: nothing is known."""
    low: float
    high: float


@dataclass(frozen=True)
class Sums:
    """How long nodes were in each state, in microseconds, which add up to the window of each node."""

    times: Mapping[State, int]

    @property
    def total(self) -> int:
        """Total time of E10: all of the window, the unknown part, too."""
        return sum(self.times.values())

    @property
    def known(self) -> int:
        """Of which it is known what was."""
        return self.total - self.times[State.UNKNOWN]

    @property
    def manufacturing(self) -> int:
        """Manufacturing time of E10: PRD + SBY."""
        return self.times[State.PRODUCTIVE] + self.times[State.STANDBY]

    @property
    def uptime(self) -> int:
        """Uptime of E10: PRD + SBY + ENG."""
        return self.manufacturing + self.times[State.ENGINEERING]

    @property
    def downtime(self) -> int:
        """Downtime of E10: SDT + UDT."""
        return self.times[State.SCHEDULED_DOWN] + self.times[State.UNSCHEDULED_DOWN]

    @property
    def operations(self) -> int:
        """Operations time of E10: uptime + downtime, which is the known time without NST."""
        return self.uptime + self.downtime

    @property
    def operational_utilization(self) -> Share | None:
        """PRD / operations time; ``None`` where there was none."""
        return self._productive_share(self.operations)

    @property
    def total_utilization(self) -> Share | None:
        """PRD / total time, as far as that is known; ``None`` of an empty window."""
        return self._productive_share(self.known)

    def _productive_share(self, known: int) -> Share | None:
        productive, unknown = self.times[State.PRODUCTIVE], self.times[State.UNKNOWN]
        whole = known + unknown
        if whole == 0:
            return None
        return Share(
            productive / known if known else None, productive / whole, (productive + unknown) / whole
        )


@dataclass(frozen=True)
class NodeStates:
    """The states of a node: they share nothing, and together they are the window."""

    node: NodeTimes
    times: Mapping[State, Intervals]

    @cached_property
    def sums(self) -> Sums:
        """How long it was in each."""
        return Sums({state: times.total for state, times in self.times.items()})

    @property
    def spans(self) -> int:
        """How many spans its timeline has."""
        return sum(len(times) for times in self.times.values())

    def timeline(self) -> list[tuple[Span, State]]:
        """Return its states in the order of time."""
        return sorted(
            ((span, state) for state, times in self.times.items() for span in times),
            key=lambda one: one[0],
        )


def session_times(timelines: Timelines, until: int) -> Intervals:
    """Return when any session was on, up to an instant; all of it where none was ever told."""
    return timelines.running.within((timelines.window[0], until))


def node_states(timelines: Timelines, until: int) -> dict[str, NodeStates]:
    """Return the states of each node, by its id. From ``until`` on only what was busy is known."""
    lives = node_lives(timelines, until)
    return {id_: NodeStates(one.node, _states(one, timelines.window)) for id_, one in lives.items()}


def all_sums(nodes: Mapping[str, NodeStates]) -> Sums:
    """Return the sums over all nodes: hours of nodes, not of the clock."""
    return Sums({state: sum(one.sums.times[state] for one in nodes.values()) for state in State})


def _states(life: NodeLife, window: Span) -> dict[State, Intervals]:
    times = life.node.up
    after_faults = _after(life.node.faults, (times.known | times.unknown).gaps(window))
    unscheduled = after_faults & life.inactive & life.sessions
    down = life.inactive - unscheduled
    return {
        State.PRODUCTIVE: life.busy,
        State.STANDBY: life.idle,
        State.ENGINEERING: NEVER,
        State.SCHEDULED_DOWN: down & life.sessions,
        State.UNSCHEDULED_DOWN: life.error | unscheduled,
        State.NON_SCHEDULED: down - life.sessions,
        State.UNKNOWN: life.unknown,
    }


def _after(faults: Intervals, down: Intervals) -> Intervals:
    """Return what of each time down comes after the first fault that was in it, or led to it."""
    if not faults or not down:
        return NEVER
    place = np.minimum(faults.ends.searchsorted(down.starts), len(faults) - 1)
    first = np.where(faults.ends[place] >= down.starts, faults.starts[place], down.ends)
    return Intervals.between(np.maximum(down.starts, first), down.ends)
