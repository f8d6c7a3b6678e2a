"""Exact times from runs: when things were under way in a window, and when nobody can tell.

Everything that a report says is cut from these, so that its parts add up.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from madsci.common.clock import FIRST_US
from madsci.event_manager.analytics.intervals import NEVER, Column, Intervals, column
from madsci.event_manager.analytics.known import KnownNode, scope_of
from madsci.event_manager.analytics.marks import Thing
from madsci.event_manager.analytics.picture import Picture
from madsci.event_manager.analytics.rows import Rows
from madsci.event_manager.analytics.runs import Run
from madsci.event_manager.analytics.spans import Span


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
    moments: Column
    """When something of it took no time at all, such as an action."""
    under_way: frozenset[str]
    """Actions that are not known to be over at the end of the window."""
    says_when_up: bool
    """Whether it ever said so; else it counts as up throughout the sessions that it belongs to."""


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
            shown = _cut(run.begin, self.window[1] if run.over is None else run.over, self.window)
            kind = run.about.get("kind", "system")
            scope = scope_of(run.id, run.about)
            found += [Session(run.id, kind, run.about.get("name"), span, scope) for span in shown]
        return sorted(found, key=lambda one: (one.span, one.id))

    @cached_property
    def experiments(self) -> list[Experiment]:
        """Experiments in the order of their beginnings, each run by itself."""
        found = []
        for run in self.picture.runs(Thing.EXPERIMENT):
            times = times_of(run, self.window)
            if times.known or times.unknown or self._has_instant(run):
                found.append(Experiment(run.id, run, times))
        return sorted(found, key=lambda one: (next(_told(one.run.begin), FIRST_US), one.id))

    def _has_instant(self, run: Run) -> bool:
        """Tell whether it began in the window and took no time at all."""
        return run.begin is not None and self.window[0] <= run.begin < self.window[1]

    @cached_property
    def workflows(self) -> list[Run]:
        """Workflows that were under way, in the order of their beginnings."""
        window = self.window
        return as_they_began(run for run in self.picture.runs(Thing.WORKFLOW) if _is_in(run, window))

    @cached_property
    def nodes(self) -> dict[str, NodeTimes]:
        """Nodes of which anything is known, by their ids, in the order of these."""
        gathering = _Nodes(self.window, self.picture.nodes)
        for run in self.picture.runs(Thing.NODE):
            gathering.take_node(run)
        for run in self.picture.runs(Thing.FAULT):
            gathering.take_fault(run)
        gathering.take_actions(self.picture.rows(Thing.ACTION))
        for run in self.picture.others(Thing.ACTION):
            gathering.take_odd(run)
        return {id_: gathering.node(id_) for id_ in sorted(gathering.ids - {*self.picture.sessions})}

    def known_until(self, now: int | None = None) -> int:
        """Return up to when anything of the window can be known: nothing of what is still ahead."""
        first, last = self.window
        limits = [at for at in (now, self.picture.known_until) if at is not None]
        return max(first, min(last, *limits)) if limits else last

    @cached_property
    def running(self) -> Intervals:
        """When any session was on; the whole window where none was ever told."""
        return self.running_for(None)

    def running_for(self, workcell: str | None) -> Intervals:
        """Return when any session was on to which the things of a workcell belong, or of all."""
        if not self.picture.sessions:
            return Intervals.of([self.window])
        return Intervals.of(one.span for one in self.sessions if belongs(one.workcell, workcell))

    def workcell_of(self, node: NodeTimes) -> str | None:
        """Return to whose sessions, beside those of labs, a node belongs; ``None``: to all."""
        return node.workcell if node.workcell in self._workcells else None

    @cached_property
    def _workcells(self) -> frozenset[str | None]:
        """Those that ever had sessions."""
        return frozenset(one.workcell for one in self.picture.sessions.values())

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


def as_they_began(runs: Iterable[Run]) -> list[Run]:
    """Return runs in the order of their beginnings, or of their ends where only these are known."""
    return sorted(runs, key=lambda run: (next(_told(run.begin, run.end), FIRST_US), run.id))


def _told(*instants: int | None) -> Iterator[int]:
    return (at for at in instants if at is not None)


def _is_in(run: Run, window: Span) -> bool:
    """Tell whether anything of a run lies in a window, if only an instant.

    One that took no time is where it began, one of which only the end is known where it ended.
    """
    last = window[1] if run.over is None else run.over
    if run.begin is None:
        return run.end is not None and window[0] < last <= window[1]  # None: it was only queued
    return run.begin < window[1] and (last > window[0] or run.begin >= window[0])


def times_of(run: Run, window: Span) -> Times:
    """Return when something was under way in a window; pauses are left out."""
    known, unknown = (Intervals.of(spans) for spans in _spans_of(run, window))
    if run.paused:
        paused = Intervals.of(run.paused)
        known, unknown = known - paused, unknown - paused
    return Times(known, unknown)


def _spans_of(run: Run, window: Span) -> tuple[list[Span], list[Span]]:
    """Return from when to when something was, and may have been, under way in a window.

    Of what has no end it is known until it last gave a sign of life, and unknown until it was over
    at the latest.
    """
    if run.begin is None:
        return [], _cut(window[0], run.end, window)
    if run.end is not None:
        return _cut(run.begin, run.end, window), []
    last = run.begin if run.last is None else run.last
    over = window[1] if run.before is None else run.before
    return _cut(run.begin, last, window), _cut(last, over, window)


def _cut(begin: int | None, end: int | None, window: Span) -> list[Span]:
    """Return what of a time lies in a window, if any of it does."""
    if begin is None or end is None:
        return []
    span = max(begin, window[0]), min(end, window[1])
    return [span] if span[0] < span[1] else []


_NOTHING: Final = KnownNode()


class _Nodes:
    """Gathers what is known of nodes."""

    def __init__(self, window: Span, known: Mapping[str, KnownNode]) -> None:
        self.ids: set[str] = set()
        """All nodes of which anything is known in the window, if only an instant."""
        self._window = window
        self._known = known
        self._up: defaultdict[str, list[Span]] = defaultdict(list)
        self._away: defaultdict[str, list[Span]] = defaultdict(list)
        """When they may have been up."""
        self._faults: defaultdict[str, list[Span]] = defaultdict(list)
        self._whole: dict[str, Intervals] = {}
        """When actions ran of which beginning and end are known, by nodes that had any."""
        self._busy: defaultdict[str, list[Span]] = defaultdict(list)
        self._unknown: defaultdict[str, list[Span]] = defaultdict(list)
        self._under_way: defaultdict[str, set[str]] = defaultdict(set)
        self._moments: defaultdict[str, list[int]] = defaultdict(list)

    def _meets(self, node: str, begin: int | None, over: int | None) -> bool:
        """Tell whether any time of a node lies in the window, and note the node if so."""
        first, last = self._window
        if begin is not None and begin == over and first <= begin <= last:
            self._moments[node].append(begin)
        elif (begin is not None and begin >= last) or (over is not None and over <= first):
            return False
        self.ids.add(node)
        return True

    def take_node(self, run: Run) -> None:
        """Take a time in which a node was up."""
        up, away = _spans_of(run, self._window)
        self._meets(run.id, run.begin, run.over)
        self._up[run.id] += up
        self._away[run.id] += away

    def take_fault(self, run: Run) -> None:
        """Take a fault of a node."""
        if self._meets(run.id, run.begin, run.over):
            end = self._window[1] if run.over is None else run.over
            self._faults[run.id] += _cut(run.begin, end, self._window)

    def take_actions(self, actions: Rows) -> None:
        """Take the actions of which both are known."""
        first, last = self._window
        for node, rows in actions.by("node"):
            if not node:
                continue
            instants = rows.begin[rows.begin == rows.end]
            moments = instants[(first <= instants) & (instants <= last)].tolist()
            busy = Intervals.between(rows.begin, rows.end).within(self._window)
            if busy or moments:
                self.ids.add(node)
                self._whole[node] = busy
                self._moments[node] += moments

    def take_odd(self, run: Run) -> None:
        """Take an action of which the beginning or the end was not told."""
        node = run.about.get("node")
        if node is None:
            return
        first, last = self._window
        begin, end = run.begin, run.end
        if begin is None:
            since = first if run.after is None else run.after
            if end is not None and self._meets(node, since, end):
                self._unknown[node].append((since, end))
            return
        if not self._meets(node, begin, run.before):
            return
        until = begin if run.last is None else run.last
        over = last if run.before is None else run.before
        self._busy[node].append((begin, until))
        self._unknown[node].append((until, over))
        if run.before is None or over > last:
            self._under_way[node].add(run.id)

    def node(self, node: str) -> NodeTimes:
        """Return what a node did."""
        odd = Intervals.of(self._busy[node]).within(self._window)
        busy = self._whole.get(node, NEVER) | odd
        maybe = Intervals.of(self._unknown[node]).within(self._window) - busy
        up = Intervals.of(self._up[node])
        up |= busy & up.gaps(self._window)  # which is little of it
        away = Intervals.of(self._away[node]) - up
        known = self._known.get(node, _NOTHING)
        return NodeTimes(
            node,
            None if known.name is None else known.name.text,
            None if known.workcell is None else known.workcell.text,
            Times(up, away),
            Times(busy, maybe),
            Intervals.of(self._faults[node]) - busy,
            column(sorted(self._moments[node])),
            frozenset(self._under_way[node]),
            known.tells is not None,
        )
