"""How work flows: makespan, queue and wait of workflows, demonstrated throughput and lifetime."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from madsci.common.clock import FIRST_US
from madsci.event_manager.analytics.intervals import Intervals, column
from madsci.event_manager.analytics.marks import Outcome, Thing
from madsci.event_manager.analytics.metrics.counting import HOUR, cut_at, ends_in, length
from madsci.event_manager.analytics.metrics.durations import Lengths
from madsci.event_manager.analytics.metrics.waiting import waits_of
from madsci.event_manager.analytics.runs import Run
from madsci.event_manager.analytics.spans import Span
from madsci.event_manager.analytics.timelines import Timelines, as_they_began, times_of


@dataclass
class WorkflowFigures:
    """Workflows that ended in the window: all, or those of one name. Lengths are of whole workflows."""

    name: str | None
    """``None``: of all of them."""
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    makespans: list[int] = field(default_factory=list)
    """From begin to end, of those whose beginning is known."""
    queues: list[int] = field(default_factory=list)
    """From being queued to the beginning, of those of which both are known."""
    waits: list[int] = field(default_factory=list)
    """What of the makespan none of their steps and actions took.

    Of those that began in the window, have any step or action, and of whose steps and actions begin and
    end are known: of others nobody can tell.
    """

    @property
    def n(self) -> int:
        """How many ended."""
        return self.outcomes.total()

    def lengths(self) -> dict[str, Lengths]:
        """Return the lengths in order, by what they are of."""
        return {
            "makespan": Lengths(tuple(sorted(self.makespans))),
            "queue": Lengths(tuple(sorted(self.queues))),
            "wait": Lengths(tuple(sorted(self.waits))),
        }

    def take(self, run: Run, wait: int | None) -> None:
        """Take one that ended."""
        self.outcomes[run.outcome or Outcome.UNKNOWN] += 1
        if run.begin is None or run.end is None:
            return
        self.makespans.append(run.end - run.begin)
        if run.queued is not None:
            self.queues.append(max(0, run.begin - run.queued))
        if wait is not None:
            self.waits.append(wait)

    def add(self, others: WorkflowFigures) -> None:
        """Take all that others are of."""
        self.outcomes.update(others.outcomes)
        self.makespans += others.makespans
        self.queues += others.queues
        self.waits += others.waits


@dataclass(frozen=True)
class Throughput:
    """What was completed in an amount of session time, and in the best hour of it."""

    completed: int
    session_time: int
    """Microseconds."""
    best: int
    """The most that were completed in any 60 minutes."""
    best_begins: int | None
    """When the first such 60 minutes began; ``None``: nothing was completed."""

    @property
    def per_hour(self) -> float | None:
        """``None`` where no session was on."""
        return self.completed * HOUR / self.session_time if self.session_time else None


def ended_workflows(timelines: Timelines) -> list[Run]:
    """Return the workflows that ended in the window, in the order of their beginnings."""
    window, runs = timelines.window, timelines.picture.runs(Thing.WORKFLOW)
    return as_they_began(run for run in runs if run.end is not None and ends_in(window, run.end))


def workflow_figures(timelines: Timelines) -> list[WorkflowFigures]:
    """Return those of all workflows that ended in the window, then by name, in order of that."""
    ended = ended_workflows(timelines)
    waits = waits_of(timelines, ended)
    found: dict[str | None, WorkflowFigures] = {}
    for run, wait in zip(ended, waits, strict=True):
        name = run.about.get("name")
        if name not in found:
            found[name] = WorkflowFigures(name)
        found[name].take(run, wait)
    every = WorkflowFigures(None)
    for one in found.values():
        every.add(one)
    return [every, *(found[name] for name in sorted(name for name in found if name is not None))]


def throughput(ends: Sequence[int], session_time: int) -> Throughput:
    """Return it of what was completed at some instants, which are in order."""
    if not ends:
        return Throughput(0, session_time, 0, None)
    instants = column(ends)
    before = instants.searchsorted(instants - HOUR, "right")
    in_the_hour = np.arange(1, len(ends) + 1) - before
    best = int(np.argmax(in_the_hour))
    begins = max(FIRST_US, ends[best] - HOUR)
    return Throughput(len(ends), session_time, int(in_the_hour[best]), begins)


def unassisted_lifetime(timelines: Timelines, interventions: Iterable[int]) -> Span | None:
    """Return the longest, first span of activity without a human intervention, ``None`` without any.

    There is activity while an experiment or a workflow is known to be under way, or a node to be busy.
    """
    works = Intervals.union((timelines.active().known, _workflow_times(timelines)))
    idle = works.gaps(timelines.window)
    busy = [node.busy.known & idle for node in timelines.nodes.values()]
    pieces = cut_at(Intervals.union((works, *busy)), sorted(interventions))
    return max(pieces, key=length, default=None)


def _workflow_times(timelines: Timelines) -> Intervals:
    """Return when any workflow is known to be under way."""
    begins, ends, others = [], [], []
    for run in timelines.workflows:
        if run.begin is None or run.end is None or run.paused:
            others.append(run)
        else:
            begins.append(run.begin)
            ends.append(run.end)
    whole = Intervals.between(column(begins), column(ends)).within(timelines.window)
    return Intervals.union((whole, *(times_of(run, timelines.window).known for run in others)))


def assisted_lifetime(timelines: Timelines, until: int) -> Span | None:
    """Return the longest, first span of a session or an experiment, with all interventions in it."""
    spans = [one.span for one in timelines.sessions]
    for one in timelines.experiments:
        run = one.run
        last = run.end if run.end is not None else run.last
        if run.begin is not None and last is not None:
            spans.append((run.begin, last))
    start = timelines.window[0]
    cut = [(max(begin, start), min(end, until)) for begin, end in spans]
    return max((span for span in sorted(cut) if span[0] < span[1]), key=length, default=None)
