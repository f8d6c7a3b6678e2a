"""How often nodes fail, how soon they are well again, and how often they need somebody: E10.

Times between failures are productive time over how many there were. Their intervals are exact for
failures that come by chance at one rate (Poisson); those of repair times hold where these are
exponentially distributed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from madsci.event_manager.analytics.coded_runs import Whose
from madsci.event_manager.analytics.marks import Thing
from madsci.event_manager.analytics.metrics.estimates import Bounds, mean_bounds, time_between_bounds
from madsci.event_manager.analytics.metrics.failures import Cause, Failure, downtimes
from madsci.event_manager.analytics.metrics.humans import INTERRUPTING, Intervention, Kind
from madsci.event_manager.analytics.metrics.states import NodeStates, State
from madsci.event_manager.analytics.picture import Picture
from madsci.event_manager.analytics.timelines import Timelines


@dataclass(frozen=True)
class Estimate:
    """A mean time in microseconds, from how many cases, and between which bounds it lies."""

    n: int
    value: float | None
    """``None`` without any case."""
    bounds: Bounds | None
    """``None``: nothing is known of it."""

    @property
    def is_at_least(self) -> bool:
        """Whether there was no case, so that it is only known to be the lower bound or more."""
        return self.value is None and self.bounds is not None


@dataclass(frozen=True)
class Reliability:
    """Of a node, or of all."""

    productive: int
    """Microseconds of productive time, in which it might have failed."""
    faults: int
    crashes: int
    assists: int
    """Interventions that interrupted its work and were no failures."""
    repairs: tuple[int, ...]
    """Unscheduled downtime, in microseconds, of each fault that was over in the window."""

    @property
    def failures(self) -> int:
        """Faults and crashes."""
        return self.faults + self.crashes

    @property
    def between_failures(self) -> Estimate:
        """MTBF: productive time / failures."""
        return self._between(self.failures)

    @property
    def between_interrupts(self) -> Estimate:
        """MTBI: productive time / (failures + assists)."""
        return self._between(self.failures + self.assists)

    @property
    def to_repair(self) -> Estimate:
        """MTTR: unscheduled downtime of repaired faults / how many."""
        total, n = sum(self.repairs), len(self.repairs)
        return Estimate(n, total / n if n else None, mean_bounds(total, n))

    def _between(self, n: int) -> Estimate:
        if self.productive == 0:
            return Estimate(n, None, None)
        bounds = time_between_bounds(self.productive, n)
        return Estimate(n, self.productive / n if n else None, bounds)


def node_reliability(
    timelines: Timelines,
    nodes: Mapping[str, NodeStates],
    failures: Sequence[Failure],
    interventions: Iterable[Intervention],
) -> dict[str, Reliability]:
    """Return the reliability of each node, by its id."""
    interrupting = [one for one in interventions if one.kind in INTERRUPTING]
    counted: defaultdict[tuple[str, Cause], int] = defaultdict(int)
    for one in failures:
        counted[one.node, one.cause] += one.counts_in(timelines.window)
    repairs: defaultdict[str, list[int]] = defaultdict(list)
    for one, down in downtimes(failures, nodes).items():
        if one.is_over_in(timelines.window):
            repairs[one.node].append(down.total)
    workers = _workers(timelines, interrupting)
    return {
        id_: Reliability(
            node.sums.times[State.PRODUCTIVE],
            counted[id_, Cause.FAULT],
            counted[id_, Cause.CRASH],
            sum(id_ in workers[one.kind is Kind.ABORTED, one.id] for one in interrupting),
            tuple(repairs[id_]),
        )
        for id_, node in nodes.items()
    }


def all_reliability(
    nodes: Mapping[str, Reliability], interventions: Iterable[Intervention]
) -> Reliability:
    """Return that of all nodes: their productive time and failures together, each assist once."""
    each = nodes.values()
    return Reliability(
        sum(one.productive for one in each),
        sum(one.faults for one in each),
        sum(one.crashes for one in each),
        sum(one.kind in INTERRUPTING for one in interventions),
        tuple(repair for one in each for repair in one.repairs),
    )


def _workers(
    timelines: Timelines, interventions: Iterable[Intervention]
) -> defaultdict[tuple[bool, str], set[str]]:
    """Return which nodes worked for a workflow (``True``) or an experiment that was interrupted."""
    found: defaultdict[tuple[bool, str], set[str]] = defaultdict(set)
    wanted = {(one.kind is Kind.ABORTED, one.id) for one in interventions}
    if not wanted:
        return found
    experiment_of = {
        run.id: run.about["experiment"]
        for run in timelines.picture.runs(Thing.WORKFLOW)
        if "experiment" in run.about
    }
    for node, workflow, experiment in _named_together(timelines.picture):
        for key in ((True, workflow), (False, experiment or experiment_of.get(workflow, ""))):
            if key in wanted:
                found[key].add(node)
    return found


def _named_together(picture: Picture) -> set[tuple[str, str, str]]:
    """Return which nodes, workflows and experiments actions name together; empty what they do not."""
    rows = picture.rows(Thing.ACTION)
    text, owners = rows.texts.__getitem__, [Whose(*one) for one in rows.owners.tolist()]
    pairs = np.unique(rows.node * len(owners) + rows.owner).tolist()
    met = [(node, owners[owner]) for node, owner in (divmod(one, len(owners)) for one in pairs)]
    found = {(text(node), text(owner.workflow), text(owner.experiment)) for node, owner in met}
    abouts = [run.about for run in picture.others(Thing.ACTION)]
    return found | {
        (one.get("node", ""), one.get("workflow", ""), one.get("experiment", "")) for one in abouts
    }
