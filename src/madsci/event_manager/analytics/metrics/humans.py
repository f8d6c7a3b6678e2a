"""How long a lab goes on without humans, and how much it does meanwhile: TWH and CCWH.

No event of today says "a human was here". By convention, somebody was when an experiment was paused,
continued or cancelled, when a workflow was aborted, when a fault was cleared, and when a node was
started again after it had gone without a word. A lab whose programs do these things by themselves has
longer times without humans than are shown here; who acts without an event is not seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from statistics import median
from typing import Final, NamedTuple

from madsci.event_manager.analytics.marks import Outcome, Thing
from madsci.event_manager.analytics.metrics.counting import cut_at, ended_within, ends_in, length
from madsci.event_manager.analytics.metrics.failures import Cause, Failure
from madsci.event_manager.analytics.metrics.states import session_times
from madsci.event_manager.analytics.runs import Run
from madsci.event_manager.analytics.spans import Span
from madsci.event_manager.analytics.timelines import Timelines


class Kind(Enum):
    """What a human did."""

    PAUSED = "experiment_paused"
    CONTINUED = "experiment_continued"
    CANCELLED = "experiment_cancelled"
    ABORTED = "workflow_aborted"
    CLEARED = "fault_cleared"
    RESTARTED = "node_restarted"


INTERRUPTING: Final = frozenset({Kind.PAUSED, Kind.CANCELLED, Kind.ABORTED})
"""Those that interrupt work. The others end an interruption, which is counted already."""


class Intervention(NamedTuple):
    """Once that a human did something, and to what."""

    at: int
    kind: Kind
    id: str
    """Of the experiment, the workflow or the node."""


class Stretch(NamedTuple):
    """A time in a session without an intervention."""

    span: Span
    commands: int
    """Actions that were completed in it."""


@dataclass(frozen=True)
class WithoutHumans:
    """The stretches between interventions, in the order of time. Lengths are in microseconds."""

    interventions: list[Intervention]
    stretches: list[Stretch]
    until: int
    """The end of what is known."""

    @property
    def longest(self) -> Stretch | None:
        """The first of the longest ones; ``None`` where no session was on."""
        return max(self.stretches, key=lambda one: length(one.span), default=None)

    @property
    def most_commands(self) -> int | None:
        """Of all stretches, in whichever of them it was."""
        return max((one.commands for one in self.stretches), default=None)

    @property
    def current(self) -> Stretch | None:
        """The one that goes on; ``None`` if the lab is not on."""
        last = self.stretches[-1] if self.stretches else None
        return last if last is not None and last.span[1] == self.until else None

    @property
    def median_length(self) -> float | None:
        """The mean of the two in the middle where their number is even."""
        return median(length(one.span) for one in self.stretches) if self.stretches else None

    @property
    def median_commands(self) -> float | None:
        """As ``median_length``."""
        return median(one.commands for one in self.stretches) if self.stretches else None


def without_humans(
    timelines: Timelines, failures: Iterable[Failure], completions: Sequence[int], until: int
) -> WithoutHumans:
    """Return the stretches of the sessions of the window; ``completions`` are instants in order.

    What is off needs nobody, so that a stretch ends with its session.
    """
    interventions = interventions_of(timelines, failures)
    cuts = [one.at for one in interventions]
    stretches = [
        Stretch(span, ended_within(completions, span))
        for span in cut_at(session_times(timelines, until), cuts)
    ]
    return WithoutHumans(interventions, stretches, until)


def interventions_of(timelines: Timelines, failures: Iterable[Failure]) -> list[Intervention]:
    """Return what humans did in the window, in the order of time."""
    found: list[Intervention] = []
    for run in timelines.picture.runs(Thing.EXPERIMENT):
        found += _on_experiment(run)
    for run in timelines.picture.runs(Thing.WORKFLOW):
        if run.end is not None and run.outcome is Outcome.CANCELLED:
            found.append(Intervention(run.end, Kind.ABORTED, run.id))
    for one in failures:
        if one.over is not None:
            kind = Kind.CLEARED if one.cause is Cause.FAULT else Kind.RESTARTED
            found.append(Intervention(one.over, kind, one.node))
    within = {one for one in found if ends_in(timelines.window, one.at)}
    return sorted(within, key=lambda one: (one.at, one.kind.value, one.id))


def _on_experiment(run: Run) -> Iterator[Intervention]:
    for begin, _ in run.paused:
        yield Intervention(begin, Kind.PAUSED, run.id)
    for _, end in run.paused[:-1] if run.is_paused else run.paused:
        yield Intervention(end, Kind.CONTINUED, run.id)
    if run.end is not None and run.outcome is Outcome.CANCELLED:
        yield Intervention(run.end, Kind.CANCELLED, run.id)
