"""Whose work nodes were busy with: time by user, experiment and campaign, to the microsecond.

Where actions overlap on a node, the time is that of the one that began first. So each microsecond is
somebody's, or nobody's whom events name, and all of them are the busy time of the node.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, islice, repeat
from operator import le, sub
from typing import Final, NamedTuple

from madsci.event_manager.analytics.coded_runs import Columns
from madsci.event_manager.analytics.fold import Run
from madsci.event_manager.analytics.intervals import Span
from madsci.event_manager.analytics.marks import Thing
from madsci.event_manager.analytics.timelines import Timelines


class Owner(NamedTuple):
    """Whom an action is for; empty where that is not known."""

    user: str = ""
    experiment: str = ""
    campaign: str = ""


_NAMES: Final = ("user", "experiment", "campaign", "workflow")


@dataclass
class _Work:
    """From when to when a node worked, and for whom, as columns."""

    begins: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    owners: list[int] = field(default_factory=list)
    """Numbers of them."""


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
    works = _Works(timelines.window, _Owners.of(timelines))
    for part in timelines.picture.parts.get(Thing.ACTION, ()):
        works.take(part)
    owners = list(works.numbers)
    return {
        id_: Attribution(
            node.busy.known.total, _shared_out(works.of_nodes[id_], timelines.window, owners)
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


def _shared_out(work: _Work, window: Span, owners: Sequence[Owner]) -> dict[Owner, int]:
    """Return how much time of a window each has, if what began first has all of its time."""
    order = sorted(range(len(work.begins)), key=work.begins.__getitem__)
    begins = list(map(work.begins.__getitem__, order))
    ends = list(map(work.ends.__getitem__, order))
    is_within = bool(order) and window[0] <= begins[0] and ends[-1] <= window[1]
    if is_within and all(map(le, ends, islice(begins, 1, None))):  # one after the other, as mostly
        times: Iterator[int] = map(sub, ends, begins)
    else:
        order.sort(key=lambda at: (work.begins[at], work.ends[at], owners[work.owners[at]]))
        times = _given_away(work, order, window)
    sums: defaultdict[int, int] = defaultdict(int)
    for owner, time in zip(map(work.owners.__getitem__, order), times, strict=True):
        if time > 0:
            sums[owner] += time
    return {owners[number]: time for number, time in sums.items()}


def _given_away(work: _Work, order: Sequence[int], window: Span) -> Iterator[int]:
    """Return how much is left for each, one after the other; nothing, or less, for some."""
    ends = list(map(work.ends.__getitem__, order))
    over = accumulate(ends, max, initial=window[0])  # what is before it is given away
    firsts = map(max, map(work.begins.__getitem__, order), over)
    return map(sub, map(min, ends, repeat(window[1])), firsts)


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
    return run.begin or run.end or 0, sorted(run.about.items())


@dataclass
class _Works:
    """Gathers what nodes did: the same actions of which their busy time is made."""

    window: Span
    owners: _Owners
    of_nodes: defaultdict[str, _Work] = field(default_factory=lambda: defaultdict(_Work))
    numbers: dict[Owner, int] = field(default_factory=dict)
    """Of owners, from 0 on."""

    def _number(self, user: str, experiment: str, campaign: str, workflow: str) -> int:
        owner = self.owners.owner(user, experiment, campaign, workflow)
        return self.numbers.setdefault(owner, len(self.numbers))

    def take(self, part: Columns) -> None:
        """Take many actions."""
        texts = part.texts
        numbers = [
            self._number(*map(texts.__getitem__, (of.user, of.experiment, of.campaign, of.workflow)))
            for of in part.owners
        ]
        for node, first, beyond in part.of_nodes:
            if node:
                work = self.of_nodes[texts[node]]
                work.begins += part.begin[first:beyond]
                work.ends += part.end[first:beyond]
                work.owners += map(numbers.__getitem__, part.whose[first:beyond])
        for run in part.others:
            self._take_other(run)

    def _take_other(self, run: Run) -> None:
        """Take one that has no end, as far as it is known to have run."""
        about = run.about
        node = about.get("node")
        if node is None or run.begin is None:
            return
        first, last = self.window
        until = run.begin if run.last is None else run.last
        over = last if run.before is None else run.before
        if run.begin >= last or min(until, over) <= first:
            return
        work = self.of_nodes[node]
        work.begins.append(run.begin)
        work.ends.append(until)
        work.owners.append(self._number(*(about.get(name, "") for name in _NAMES)))
