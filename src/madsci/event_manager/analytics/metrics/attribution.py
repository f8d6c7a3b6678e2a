"""Whose work nodes were busy with: time by user, experiment and campaign, to the microsecond.

Where actions overlap on a node, the time is that of the one that began first. So each microsecond is
somebody's, or nobody's whom events name, and all of them are the busy time of the node.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final, NamedTuple

import numpy as np

from madsci.common.clock import FIRST_US
from madsci.event_manager.analytics.coded_runs import Whose
from madsci.event_manager.analytics.intervals import Column, column
from madsci.event_manager.analytics.marks import Thing
from madsci.event_manager.analytics.runs import Run
from madsci.event_manager.analytics.spans import Span
from madsci.event_manager.analytics.timelines import Timelines


class Owner(NamedTuple):
    """Whom an action is for; empty where that is not known."""

    user: str = ""
    experiment: str = ""
    campaign: str = ""


_NAMES: Final = ("user", "experiment", "campaign", "workflow")


@dataclass(frozen=True)
class Attribution:
    """Busy time of a node, in microseconds, by owners."""

    busy: int
    owned: Mapping[Owner, int]

    def by(self, name: str) -> dict[str, int]:
        """Return it by ``user``, ``experiment`` or ``campaign``, the largest first.

        What is nobody's is under the empty text, the last one. The sum is the busy time.
        """
        place = Owner._fields.index(name)
        found: defaultdict[str, int] = defaultdict(int)
        for owner, time in self.owned.items():
            found[owner[place]] += time
        nobodys = self.busy - sum(time for who, time in found.items() if who)
        named = sorted(((-time, who) for who, time in found.items() if who and time))
        return {**{who: -time for time, who in named}, "": nobodys}


def node_attribution(timelines: Timelines) -> dict[str, Attribution]:
    """Return it for each node, by its id."""
    works, owners = _works(timelines)
    return {
        id_: Attribution(
            node.busy.known.total,
            _shared_out(works[id_], timelines.window, owners) if id_ in works else {},
        )
        for id_, node in timelines.nodes.items()
    }


def all_attribution(nodes: Mapping[str, Attribution]) -> Attribution:
    """Return the sums over all nodes."""
    owned: defaultdict[Owner, int] = defaultdict(int)
    for node in nodes.values():
        for owner, time in node.owned.items():
            owned[owner] += time
    return Attribution(sum(node.busy for node in nodes.values()), owned)


def _works(timelines: Timelines) -> tuple[dict[str, Column], list[Owner]]:
    """Return what nodes did: a column for each action of which their busy time is made.

    It has the begin, the end, and the number of the owner; owners are in order.
    """
    rows, known = timelines.picture.rows(Thing.ACTION), _Owners.of(timelines)
    owner_of = cache(lambda *numbers: known.owner(*map(rows.texts.__getitem__, numbers)))
    names = [Whose._fields.index(name) for name in _NAMES]
    of_rows = [
        owner_of(*one[:3], 0) if all(one[:3]) else owner_of(*one)  # a workflow tells no more
        for one in rows.owners[:, names].tolist()
    ]
    others = [
        (run.about["node"], span, known.owner(*(run.about.get(name, "") for name in _NAMES)))
        for run in timelines.picture.others(Thing.ACTION)
        if "node" in run.about and (span := _known_span(run, timelines.window)) is not None
    ]
    owners = sorted({*of_rows, *(owner for *_, owner in others)})
    number = {owner: at for at, owner in enumerate(owners)}
    numbers = column([number[owner] for owner in of_rows])
    found = {
        node: [np.stack((some.begin, some.end, numbers[some.owner]))] for node, some in rows.by("node")
    }
    for node, span, owner in others:
        found.setdefault(node, []).append(column([*span, number[owner]])[:, np.newaxis])
    return {node: np.hstack(some) for node, some in found.items()}, owners


def _known_span(run: Run, window: Span) -> Span | None:
    """Return as far as an action without an end is known to have run, if that meets the window."""
    if run.begin is None:
        return None
    until = run.begin if run.last is None else run.last
    over = window[1] if run.before is None else run.before
    if run.begin >= window[1] or min(until, over) <= window[0]:
        return None
    return run.begin, until


def _shared_out(work: Column, window: Span, owners: Sequence[Owner]) -> dict[Owner, int]:
    """Return how much time of a window each has, if what began first has all of its time."""
    begin, end, owner = work[:, np.lexsort(work[::-1])]
    over = np.maximum.accumulate(np.append(window[0], end))[:-1]  # what is before it is given away
    times = np.maximum(np.minimum(end, window[1]) - np.maximum(begin, over), 0)
    sums = np.bincount(owner, times)  # as floats, which are exact for 285 years
    return {owners[at]: int(sums[at]) for at in np.flatnonzero(sums).tolist()}


@dataclass(frozen=True)
class _Owners:
    """Who has a workflow and an experiment, for actions that do not say whose they are."""

    workflows: Mapping[str, Mapping[str, str]]
    experiments: Mapping[str, Mapping[str, str]]

    @classmethod
    def of(cls, timelines: Timelines) -> _Owners:
        runs = timelines.picture.runs
        return cls(_abouts(runs(Thing.WORKFLOW)), _abouts(runs(Thing.EXPERIMENT)))

    def owner(self, user: str, experiment: str, campaign: str, workflow: str) -> Owner:
        """Return it: what the action says, else its workflow, else its experiment, else the author."""
        of_workflow = self.workflows.get(workflow, {})
        experiment = experiment or of_workflow.get("experiment", "")
        of_experiment = self.experiments.get(experiment, {})
        return Owner(
            user
            or of_workflow.get("user", "")
            or of_experiment.get("user", "")
            or of_workflow.get("author", ""),
            experiment,
            campaign or of_workflow.get("campaign", "") or of_experiment.get("campaign", ""),
        )


def _abouts(runs: Iterable[Run]) -> dict[str, dict[str, str]]:
    """Return what is known of things; what was told first holds, whatever comes later."""
    first: dict[str, Run] = {}
    several: dict[str, list[Run]] = {}
    for run in runs:
        one = first.setdefault(run.id, run)
        if one is not run:
            several.setdefault(run.id, [one]).append(run)
    found = {id_: run.about for id_, run in first.items()}
    for id_, some in several.items():
        about: dict[str, str] = {}
        for run in sorted(some, key=_when_told, reverse=True):
            about.update(run.about)
        found[id_] = about
    return found


def _when_told(run: Run) -> tuple[int, list[tuple[str, str]]]:
    at = run.end if run.begin is None else run.begin
    return FIRST_US if at is None else at, sorted(run.about.items())
