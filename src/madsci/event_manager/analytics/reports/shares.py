"""What nodes did in spans of time: busy, idle, at fault, unknown and not up add up to each span."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from madsci.event_manager.analytics.intervals import Column
from madsci.event_manager.analytics.lives import NodeLife
from madsci.event_manager.analytics.timelines import NodeTimes


class NodeShare(NamedTuple):
    """What a node did in a span, in microseconds."""

    node: NodeTimes
    busy: int
    idle: int
    error: int
    unknown: int
    inactive: int
    moments: int
    """How often something took no time at all, such as an action."""
    state: str
    """What it was in at the end of the span; what is under way counts as busy."""

    @property
    def active(self) -> int:
        """For how long it was up and known to be busy, idle or at fault."""
        return self.busy + self.idle + self.error

    @property
    def is_shown(self) -> bool:
        """Whether anything is known of the node in the span."""
        seen = self.busy or self.error or self.unknown or self.moments
        return bool(seen or (self.idle and self.node.says_when_up))


def node_shares(life: NodeLife, starts: Column, ends: Column) -> list[NodeShare]:
    """Return what a node did between each of some starts and its end, all within the window."""
    parts = life.busy, life.idle, life.error, life.unknown, life.inactive
    times = [part.totals(starts, ends).tolist() for part in parts]
    moments = life.node.moments
    counts = (moments.searchsorted(ends) - moments.searchsorted(starts)).tolist()
    shares = zip(*times, counts, _states(life, ends - 1), strict=True)
    return [NodeShare(life.node, *one) for one in shares]


def _states(life: NodeLife, instants: Column) -> list[str]:
    is_at_work = life.node.busy.unknown.holds(instants) & bool(life.node.under_way)
    holds = {
        "busy": life.busy.holds(instants) | (is_at_work & ~life.error.holds(instants)),
        "error": life.error.holds(instants),
        "unknown": life.unknown.holds(instants),
        "inactive": life.inactive.holds(instants),
    }
    found: list[str] = np.select([*holds.values()], [*holds], "idle").tolist()
    return found
