"""Exact times from runs: when things were under way in a window, and when nobody can tell.

Everything that a report says is cut from these, so that its parts add up.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property

from madsci.event_manager.analytics.coded_runs import Columns
from madsci.event_manager.analytics.fold import Run
from madsci.event_manager.analytics.intervals import NEVER, Intervals, Span
from madsci.event_manager.analytics.marks import Thing
from madsci.event_manager.analytics.picture import Picture


@dataclass(frozen=True)
class Times:
    """When something was under way for certain, and when it may have been."""

    known: Intervals = NEVER
    unknown: Intervals = NEVER

    def within(self, span: Span) -> Times:
        """Return what of them lies in a span."""
        return Times(self.known.within(span), self.unknown.within(span))


@dataclass(frozen=True)
class Session:
    """Once that a lab or a workcell was up, cut to the window."""

    id: str
    kind: str
    name: str | None
    span: Span
    workcell: str | None
    """Whose things alone belong to it; ``None``: all do."""


@dataclass(frozen=True)
class Experiment:
    """An experiment that was under way in the window."""

    id: str
    run: Run
    times: Times
    """Without pauses."""

    @property
    def name(self) -> str | None:
        """What people call it."""
        return self.run.about.get("name")


@dataclass(frozen=True)
class NodeTimes:
    """What a node did in the window."""

    id: str
    name: str | None
    workcell: str | None
    up: Times
    busy: Times
    """While at least one action ran; without the time in which it may only have been."""
    faults: Intervals
    under_way: frozenset[str]
    """Actions that are not known to be over at the end of the window."""
    says_when_up: bool
    """Whether it ever said so; else it counts as up throughout sessions."""


@dataclass
class Timelines:
    """The life of a lab in the window of a picture."""

    picture: Picture

    @property
    def window(self) -> Span:
        """What is looked at, in microseconds since 1970."""
        return self.picture.window

    @cached_property
    def sessions(self) -> list[Session]:
        """Sessions in the order of their beginnings; none that only began or ended elsewhere."""
        found = []
        for run in self.picture.runs(Thing.SESSION):
            end = run.end if run.end is not None else run.before
            span = _cut(run.begin, self.window[1] if end is None else end, self.window)
            if run.begin is None or span is None:
                continue
            kind = run.about.get("kind", "system")
            scope = run.about.get("workcell", run.id) if kind == "workcell" else None
            found.append(Session(run.id, kind, run.about.get("name"), span, scope))
        return sorted(found, key=lambda one: (one.span, one.id))

    @cached_property
    def experiments(self) -> list[Experiment]:
        """Experiments in the order of their beginnings, each run by itself."""
        found = []
        for run in self.picture.runs(Thing.EXPERIMENT):
            times = times_of(run, self.window)
            if times.known or times.unknown or self._has_instant(run):
                found.append(Experiment(run.id, run, times))
        return sorted(found, key=lambda one: (one.run.begin or 0, one.id))

    def _has_instant(self, run: Run) -> bool:
        """Tell whether it began in the window and took no time at all."""
        return run.begin is not None and self.window[0] <= run.begin < self.window[1]

    @cached_property
    def workflows(self) -> list[Run]:
        """Workflows that were under way, in the order of their beginnings."""
        found = [run for run in self.picture.runs(Thing.WORKFLOW) if self._is_in(run)]
        return sorted(found, key=lambda run: (run.begin or run.end or 0, run.id))

    def _is_in(self, run: Run) -> bool:
        times = [at for at in (run.begin, run.end) if at is not None]
        if not times:
            return False  # it was only queued
        last = run.end or run.before or self.window[1]
        return min(times) < self.window[1] and max(last, min(times) + 1) > self.window[0]

    @cached_property
    def nodes(self) -> dict[str, NodeTimes]:
        """Nodes of which anything is known, by their ids, in the order of these."""
        gathering = _Nodes(self.window, self.picture.telling)
        for run in self.picture.runs(Thing.NODE):
            gathering.take_node(run)
        for run in self.picture.runs(Thing.FAULT):
            gathering.take_fault(run)
        for part in self.picture.parts.get(Thing.ACTION, ()):
            gathering.take_actions(part)
        workcells = {one.id for one in self.sessions}
        return {id_: gathering.node(id_) for id_ in sorted(gathering.ids - workcells)}

    @cached_property
    def running(self) -> Intervals:
        """When any session was on; the whole window where none is known."""
        return Intervals.of(one.span for one in self.sessions) or Intervals.of([self.window])

    def active(self, workcell: str | None = None) -> Times:
        """Return when any experiment was under way: of a workcell, and those that name none; of all."""
        some = [
            one.times for one in self.experiments if belongs(one.run.about.get("workcell"), workcell)
        ]
        known = Intervals.union(one.known for one in some)
        return Times(known, Intervals.union(one.unknown for one in some) - known)


def belongs(named: str | None, workcell: str | None) -> bool:
    """Tell whether something that names a workcell, or none, counts for one, or for all."""
    return named is None or workcell is None or named == workcell


def times_of(run: Run, window: Span) -> Times:
    """Return when something was under way in a window; pauses are left out.

    Of what has no end it is known until it last gave a sign of life, and unknown until it was over
    at the latest.
    """
    if run.begin is None:
        return Times(NEVER, _one(window[0], run.end, window))
    if run.end is not None:
        known, unknown = _one(run.begin, run.end, window), NEVER
    else:
        last = run.begin if run.last is None else run.last
        known = _one(run.begin, last, window)
        unknown = _one(last, window[1] if run.before is None else run.before, window)
    if run.paused:
        paused = Intervals.of(run.paused)
        known, unknown = known - paused, unknown - paused
    return Times(known, unknown)


def _one(begin: int, end: int | None, window: Span) -> Intervals:
    span = _cut(begin, end, window)
    return NEVER if span is None else Intervals.of([span])


def _cut(begin: int | None, end: int | None, window: Span) -> Span | None:
    if begin is None or end is None:
        return None
    span = max(begin, window[0]), min(end, window[1])
    return span if span[0] < span[1] else None


class _Nodes:
    """Gathers what is known of nodes."""

    def __init__(self, window: Span, telling: Collection[str]) -> None:
        self._window = window
        self._telling = telling
        self._up: defaultdict[str, list[Times]] = defaultdict(list)
        self._names: dict[str, str] = {}
        self._workcells: dict[str, str] = {}
        self._faults: defaultdict[str, list[Span]] = defaultdict(list)
        self._begins: defaultdict[str, list[int]] = defaultdict(list)
        self._ends: defaultdict[str, list[int]] = defaultdict(list)
        self._busy: defaultdict[str, list[Span]] = defaultdict(list)
        self._unknown: defaultdict[str, list[Span]] = defaultdict(list)
        self._lone_ends: defaultdict[str, list[int]] = defaultdict(list)
        self._under_way: defaultdict[str, set[str]] = defaultdict(set)

    @property
    def ids(self) -> set[str]:
        """All nodes of which anything is known in the window."""
        up = {id_ for id_, times in self._up.items() if any(one.known or one.unknown for one in times)}
        return up | {*self._faults, *self._whole, *self._busy, *self._unknown, *self._lone_ends}

    @cached_property
    def _whole(self) -> dict[str, Intervals]:
        """When actions ran of which beginning and end are known, by nodes that had any."""
        found = {
            node: Intervals.between(begins, self._ends[node]).within(self._window)
            for node, begins in self._begins.items()
        }
        return {node: busy for node, busy in found.items() if busy}

    def take_node(self, run: Run) -> None:
        """Take a time in which a node was up."""
        self._up[run.id].append(times_of(run, self._window))
        self._learn(run.id, run.about.get("name"), run.about.get("workcell"))

    def take_fault(self, run: Run) -> None:
        """Take a fault of a node."""
        end = run.end if run.end is not None else self._window[1]
        if (span := _cut(run.begin, end, self._window)) is not None:
            self._faults[run.id].append(span)
            self._learn(run.id, None, run.about.get("workcell"))

    def _learn(self, node: str, name: str | None, workcell: str | None) -> None:
        if name is not None:
            self._names[node] = name
        if workcell is not None:
            self._workcells.setdefault(node, workcell)

    def take_actions(self, part: Columns) -> None:
        """Take many actions."""
        texts = part.texts
        for place, first, beyond in part.of_nodes:
            if not place:
                continue
            node = texts[place]
            self._begins[node] += part.begin[first:beyond]
            self._ends[node] += part.end[first:beyond]
            if node not in self._workcells:
                owners = (part.owners[whose] for whose in part.whose[first:beyond])
                self._learn(
                    node, None, next((texts[one.workcell] for one in owners if one.workcell), None)
                )
        for run in part.others:
            if (named := run.about.get("node")) is not None:
                self._take_odd(named, run)
                self._learn(named, None, run.about.get("workcell"))

    def _take_odd(self, node: str, run: Run) -> None:
        """Take an action of which the beginning or the end was not told."""
        first, last = self._window
        begin, end = run.begin, run.end
        if begin is None:
            if end is not None and first < end <= last:
                self._lone_ends[node].append(end)
            return
        until = begin if run.last is None else run.last
        over = last if run.before is None else run.before
        if begin >= last or over <= first:
            return
        self._busy[node].append((begin, until))
        self._unknown[node].append((until, over))
        if run.before is None or over > last:
            self._under_way[node].add(run.id)

    def node(self, node: str) -> NodeTimes:
        """Return what a node did."""
        odd = Intervals.of(self._busy[node]).within(self._window)
        busy = self._whole.get(node, NEVER) | odd
        unknown = [*self._unknown[node], *self._before(self._lone_ends[node], busy)]
        maybe = Intervals.of(unknown).within(self._window) - busy
        spans_up = self._up.get(node, [])
        up = Intervals.of(span for one in spans_up for span in one.known)
        up |= busy & up.gaps(self._window)  # which is little of it
        away = Intervals.of(span for one in spans_up for span in one.unknown) - up
        return NodeTimes(
            node,
            self._names.get(node),
            self._workcells.get(node),
            Times(up, away),
            Times(busy, maybe),
            Intervals.of(self._faults[node]) - busy,
            frozenset(self._under_way[node]),
            node in self._up or node in self._telling,
        )

    def _before(self, ends: list[int], busy: Intervals) -> Iterator[Span]:
        """Yield from where on an action may have run of which only the end is known."""
        over = busy.ends
        for end in ends:
            place = bisect_right(over, end)
            yield (over[place - 1] if place else self._window[0]), end
