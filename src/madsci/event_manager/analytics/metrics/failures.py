"""Failures of nodes: faults that they tell of, and crashes, after which they are started again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

from madsci.event_manager.analytics.intervals import Intervals
from madsci.event_manager.analytics.marks import Thing
from madsci.event_manager.analytics.metrics.counting import begins_in, ends_in
from madsci.event_manager.analytics.metrics.states import NodeStates, State
from madsci.event_manager.analytics.runs import EXPIRY, Run
from madsci.event_manager.analytics.spans import Span
from madsci.event_manager.analytics.timelines import Timelines


class Cause(Enum):
    """How it is known that a node failed."""

    FAULT = "fault"
    """It said so."""
    CRASH = "crash"
    """It began anew without having been stopped, and without a fault that would explain it."""


@dataclass(frozen=True)
class Failure:
    """Once that a node failed. Microseconds since 1970."""

    node: str
    cause: Cause
    begin: int
    """Of a crash: when there was the last sign of life."""
    over: int | None
    """When the node was well, or started, again; ``None``: not yet."""
    error: str | None
    """What kind of fault it was, where the lab says so."""

    def counts_in(self, window: Span) -> bool:
        """Tell whether it counts in a window: a fault where it begins, a crash where it is noticed."""
        if self.cause is Cause.FAULT:
            return begins_in(window, self.begin)
        return self.is_over_in(window)

    def is_over_in(self, window: Span) -> bool:
        """Tell whether it was over in a window."""
        return self.over is not None and ends_in(window, self.over)

    def has_part_in(self, window: Span) -> bool:
        """Tell whether any of its time lies in a window; one that took none has it where it counts."""
        is_over_before = self.over is not None and self.over <= window[0]
        return self.counts_in(window) or (self.begin < window[1] and not is_over_before)


def failures_of(timelines: Timelines) -> list[Failure]:
    """Return the failures of nodes that have a part in the window, or its end, in the order of time."""
    faults = [failure for run in timelines.picture.runs(Thing.FAULT) for failure in _fault(run)]
    explained = {(one.node, one.over) for one in faults}
    ups, window = timelines.picture.runs(Thing.NODE), timelines.window
    restarts = {(run.id, run.begin) for run in ups}
    crashes = [
        failure
        for run in ups
        if (run.id, run.before) in restarts or _is_told_later(run, window)
        for failure in _crash(run)  # of others nothing was heard, so that they were given up
        if (failure.node, failure.over) not in explained
    ]
    found = [
        one
        for one in faults + crashes
        if one.node in timelines.nodes and (one.has_part_in(window) or one.is_over_in(window))
    ]
    return sorted(found, key=lambda one: (one.begin, one.node, one.cause.value))


def _fault(run: Run) -> Iterator[Failure]:
    if run.begin is not None:
        yield Failure(run.id, Cause.FAULT, run.begin, run.end, run.about.get("kind"))


def _is_told_later(run: Run, window: Span) -> bool:
    """Tell whether a node was started again after a window, in which that start is not."""
    if run.before is None or run.last is None:
        return False
    return window[1] < run.before < run.last + EXPIRY


def _crash(run: Run) -> Iterator[Failure]:
    if run.end is None and run.before is not None and run.begin is not None:
        last = run.begin if run.last is None else run.last
        yield Failure(run.id, Cause.CRASH, last, run.before, None)


def downtimes(failures: Iterable[Failure], nodes: Mapping[str, NodeStates]) -> dict[Failure, Intervals]:
    """Return of each fault the unscheduled downtime from it on, up to the next one of its node.

    So they add up to all unscheduled downtime. Crashes have none: when a node was down is unknown then.
    """
    of_nodes: defaultdict[str, list[Failure]] = defaultdict(list)
    for one in failures:
        if one.cause is Cause.FAULT:
            of_nodes[one.node].append(one)
    found: dict[Failure, Intervals] = {}
    for node, faults in of_nodes.items():
        down = nodes[node].times[State.UNSCHEDULED_DOWN]
        edges = [one.begin for one in faults[1:]]
        for one, end in zip(faults, [*edges, max(faults[-1].begin, _last(down))], strict=True):
            found[one] = down.within((one.begin, end))
    return found


def _last(times: Intervals) -> int:
    return times.span[1] if times else 0
