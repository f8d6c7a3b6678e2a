"""What nodes did in spans of time: busy, idle, at fault, unknown and not up add up to each span."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from madsci.event_manager.analytics.intervals import Column, Intervals
from madsci.event_manager.analytics.spans import Span
from madsci.event_manager.analytics.timelines import NodeTimes


class NodeShare(NamedTuple):
    """What a node did in a span, in microseconds."""

    node: NodeTimes
    busy: int
    idle: int
    error: int
    unknown: int
    inactive: int
    state: str
    """What it was in at the end of the span; what is under way counts as busy."""

    @property
    def active(self) -> int:
        """For how long it was up and known to be busy, idle or at fault."""
        return self.busy + self.idle + self.error

    @property
    def is_shown(self) -> bool:
        """Whether anything is known of the node in the span."""
        seen = self.busy or self.error or self.unknown
        return bool(seen or (self.idle and self.node.says_when_up))


@dataclass(frozen=True)
class NodeLife:
    """What a node did in a window, in parts that share nothing, and together are the window."""

    node: NodeTimes
    busy: Intervals
    idle: Intervals
    error: Intervals
    unknown: Intervals
    inactive: Intervals

    @classmethod
    def of(cls, node: NodeTimes, window: Span) -> NodeLife:
        """Return it; a node that never says when it is up counts as up."""
        whole = Intervals.of([window])
        busy = node.busy.known.within(window)
        error = node.faults.within(window) - busy
        unknown = (node.up.unknown | node.busy.unknown).within(window) - busy - error
        up = node.up.known.within(window) if node.says_when_up else whole
        idle = up - unknown - error - busy
        return cls(node, busy, idle, error, unknown, whole - up - unknown - error - busy)

    def shares(self, starts: Column, ends: Column) -> list[NodeShare]:
        """Return what it did between each of some starts and its end, all within the window."""
        parts = self.busy, self.idle, self.error, self.unknown, self.inactive
        times = [part.totals(starts, ends).tolist() for part in parts]
        states = self._states(ends - 1)
        return [NodeShare(self.node, *one) for one in zip(*times, states, strict=True)]

    def _states(self, instants: Column) -> list[str]:
        is_busy = self.busy.holds(instants)
        if self.node.under_way:
            is_busy |= self.node.busy.unknown.holds(instants)
        others = {"error": self.error, "inactive": self.inactive, "unknown": self.unknown}
        is_so = [is_busy, *(part.holds(instants) for part in others.values())]
        found: list[str] = np.select(is_so, ["busy", *others], "idle").tolist()
        return found
