"""From marks to runs: when something was under way, as far as its marks tell.

Marks are folded in the order of time, hour by hour. What is not over at the end of an hour is the state
with which the next one begins, so that the same marks give the same runs, in whatever order they came
and however often some of it is done again. What holds where marks are missing is in
``docs/reference/utilization.md``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import islice, pairwise
from operator import attrgetter, lt
from typing import Final

import msgspec

from madsci.common.clock import FIRST_US
from madsci.event_manager.analytics.marks import Mark, Outcome, Phase, Thing, is_of_word, shows_alive
from madsci.event_manager.analytics.runs import EXPIRY, Open, Run, State
from madsci.event_manager.analytics.signs import last_sign

_REMEMBERED: Final = 600_000_000
"""For so long it is known what was over: others say it again a little later."""
_MOST: Final = 4_000
"""So many things are under way at once, and were over lately. Beyond that the oldest are given up: a
state has to stay a small document."""
_GIVEN_UP: Final = 500
_MOST_BYTES: Final = 900_000
_MOST_PAUSES: Final = 500
_LONGEST: Final = 1e9
"""Seconds that a duration may have, which is thirty years."""
_ORDER: Final = {phase: place for place, phase in enumerate(Phase)}
"""Of marks of one instant: what takes no time begins before it ends."""
_RANK: Final = {thing: place for place, thing in enumerate(Thing)}
"""Of marks of one instant and phase: a whole begins before its parts, and ends after them."""
_ACTION, _NODE, _FAULT, _SESSION = Thing.ACTION, Thing.NODE, Thing.FAULT, Thing.SESSION
_BEGIN, _END, _QUEUED, _PAUSE, _RESUME = (
    Phase.BEGIN, Phase.END, Phase.QUEUED, Phase.PAUSE, Phase.RESUME,
)  # fmt: skip
"""Python takes longer to find a member of an enumeration than to do what is done with it."""
_BEGINS_ANEW: Final = (Thing.SESSION, Thing.NODE)
"""What has one id for all its runs: it begins when it was started last. Others are told twice."""
_ONCE: Final = (Thing.ACTION, Thing.STEP)
"""What does not begin again after its end."""
_PARTS: Final = {
    Thing.WORKFLOW: ("workflow", (Thing.STEP, Thing.ACTION)),
    Thing.EXPERIMENT: ("experiment", (Thing.WORKFLOW, Thing.STEP, Thing.ACTION)),
    Thing.NODE: ("node", (Thing.ACTION,)),
}
"""What is over when these are, if it names them, and under what it does."""
_HAVE_PARTS: Final = (("w", "workflow"), ("e", "experiment"), ("n", "node"))
_WHOLES_BUT_NODES: Final = (("w", "workflow"), ("e", "experiment"), ("s", "workcell"))
_WHOLES: Final = (*_WHOLES_BUT_NODES, ("n", "node"))
"""Things by how their keys begin, and by what names them; a mark that does shows them under way."""


class Fold:
    """Takes the marks of an hour, or of a part of it, in the order of time. For one thread.

    It begins with a state and ends with another one; into which parts an hour is cut changes nothing.
    ``seen`` tells in which minutes of the whole hour nodes gave signs of life, as ``signs`` codes them.
    """

    def __init__(self, state: State, hour_begins: int, seen: Mapping[str, int]) -> None:
        self.runs: list[Run] = []
        """What is over by now."""
        self._hour = hour_begins
        self._seen = seen
        self._over = dict(state.over)
        self._idle = dict(state.idle)
        self._open: dict[str, Open] = {}
        self._faulty: set[str] = set()
        """Keys of faults that are under way."""
        self._parts: defaultdict[str, set[str]] = defaultdict(set)
        """What belongs to something, or did: what is over is taken out when that is looked at."""
        for one in state.open:
            self._keep(msgspec.structs.replace(one, pauses=list(one.pauses)))

    def take(self, mark: Mark) -> None:
        """Take the next mark, in the order of ``in_order``."""
        thing, phase = mark.thing, mark.phase
        key = thing + mark.id
        if thing is _NODE:
            self._take_node(key, mark)
        elif thing is _SESSION:
            key = self._session(key, mark)
        is_new = False
        if phase is _BEGIN:
            is_new = self._take_beginning(key, mark)
        elif phase is _END:
            is_new = self._take_end(key, mark)
        elif phase is _QUEUED:
            self._take_queued(key, mark)
        elif phase is _PAUSE or phase is _RESUME:
            self._take_pause(key, mark)
        if thing is _ACTION and is_new:
            self._take_sign_of_node(mark)
        self._show_wholes(mark)

    def _show_wholes(self, mark: Mark) -> None:
        """Note that what a mark names is under way."""
        at, about = mark.at, mark.about
        for whole, name in _WHOLES if shows_alive(mark) else _WHOLES_BUT_NODES:
            named = about.get(name)
            one = None if named is None else self._open.get(key := whole + named)
            if one is None:
                continue
            if one.cut is not None or one.last + EXPIRY <= at:  # as hardly any
                one = self._found(key, at)
            if one is not None:
                one.last = at

    def ended(self, at: int) -> State:
        """Return the state at an instant, up to which all marks were taken, of this hour."""
        for node, minutes in self._seen.items():
            if (one := self._open.get(_NODE + node)) is not None:
                one.last = self._last_sign(one, minutes, at)
        for key in list(self._open):
            self._found(key, at)
        over = {key: ended for key, ended in self._over.items() if ended + _REMEMBERED > at}
        idle = {node: since for node, since in self._idle.items() if since + EXPIRY > at}
        idle = dict(list(idle.items())[-_MOST:])
        while len(msgspec.json.encode(state := State(at, self._sorted(), over, idle))) > _MOST_BYTES:
            self._give_up(at)
            over, idle = (dict(list(some.items())[_GIVEN_UP:]) for some in (over, idle))
        return state

    def _sorted(self) -> list[Open]:
        return sorted(self._open.values(), key=lambda one: (one.thing, one.id))

    def _give_up(self, at: int) -> None:
        """Have the oldest be over, since too much is under way to keep all of it in mind."""
        oldest = sorted(self._open, key=lambda key: (self._open[key].last, key))
        for key in oldest[:_GIVEN_UP]:
            self._close(key, self._open[key].run(before=at))

    def _found(self, key: str, at: int) -> Open | None:
        """Return what is under way under a key, if it still is at an instant."""
        one = self._open.get(key)
        if one is None or (one.cut is None and one.last + EXPIRY > at):  # as nearly all
            return one
        over = one.over_at(at)
        if over is None:
            return one
        self._close(key, one.run(before=over))
        return None

    def _is_over(self, key: str, at: int) -> bool:
        ended = self._over.get(key)
        return ended is not None and ended + _REMEMBERED > at

    def _session(self, key: str, mark: Mark) -> str:
        """Return the key of the session that a mark is about.

        A start or a stop may name the manager alone, which is the id of the session then.
        """
        if key in self._open or mark.phase is not Phase.END or self._is_over(key, mark.at):
            return key
        manager = mark.about.get("manager")
        found = [
            other
            for other, one in self._open.items()
            if one.thing is _SESSION and (one.id == manager or one.about.get("manager") == mark.id)
        ]
        # Of several the one that was started last.
        return max(found, key=lambda other: (self._open[other].begin or 0, other), default=key)

    def _take_queued(self, key: str, mark: Mark) -> None:
        one = self._found(key, mark.at)
        if one is None:
            if not self._is_over(key, mark.at):
                self._keep(Open(mark.thing, mark.id, None, mark.at, mark.about, mark.at))
            return
        one.queued = mark.at if one.queued is None else one.queued
        self._learn(key, one, mark)

    def _take_beginning(self, key: str, mark: Mark) -> bool:
        """Have something begin; tell whether that was not known."""
        one = self._found(key, mark.at)
        if one is not None and one.begin is not None and self._begins_anew(one, mark):
            self._close(key, one.run(before=mark.at if one.cut is None else one.cut))
            one = None
        if one is None:
            is_new = mark.thing not in _ONCE or not self._is_over(key, mark.at) or is_of_word(mark.id)
            if is_new:
                self._keep(Open(mark.thing, mark.id, mark.at, mark.at, mark.about))
            return is_new
        is_new = one.begin is None
        one.begin = mark.at if one.begin is None else one.begin
        one.last = max(one.last, mark.at)
        self._learn(key, one, mark)
        return is_new

    def _begins_anew(self, one: Open, mark: Mark) -> bool:
        """Tell whether what is under way is over with a beginning, which is not the same told twice."""
        return one.is_stopped or (mark.thing in _BEGINS_ANEW and one.begin != mark.at)

    def _take_end(self, key: str, mark: Mark) -> bool:
        """Have something end; tell whether that was not known."""
        one = self._found(key, mark.at)
        if one is None:
            if self._is_over(key, mark.at):
                return False  # told twice
            one = Open(mark.thing, mark.id, _begin_by(mark), mark.at, mark.about)
        elif mark.thing in _BEGINS_ANEW and self._was_before(one, mark):
            return True
        else:
            self._learn(key, one, mark)
            one.begin = _begin_by(mark, one.queued) if one.begin is None else one.begin
        if one.is_stopped and one.cut is not None and mark.at > one.cut:
            self._close(key, one.run(before=one.cut, told=mark))
        else:
            self._close(key, self._ended_run(one, mark))
        self._over.pop(key, None)  # the order of what was over is that of time
        self._over[key] = mark.at
        if len(self._over) > _MOST:
            del self._over[next(iter(self._over))]
        self._cut_parts(mark)
        return True

    def _ended_run(self, one: Open, mark: Mark) -> Run:
        run = one.run(end=mark.at, told=mark)
        if mark.thing is _ACTION and (node := one.about.get("node")) is not None:
            if run.begin is None:
                run.after = max(FIRST_US, mark.at - EXPIRY, self._idle.get(node, FIRST_US))
            self._rests(node, mark.at)
        return run

    def _rests(self, node: str, at: int) -> None:
        """Note that whatever ran on a node is over, or is known to run on."""
        self._idle.pop(node, None)  # so that the latest is the last one
        self._idle[node] = at

    def _was_before(self, one: Open, mark: Mark) -> bool:
        """Take the end of what began anew in the same instant; tell whether it is that.

        Clocks of whole seconds tell both at once, and beginnings come first.
        """
        if one.begin != mark.at:
            return False
        same = (run for run in reversed(self.runs) if run.id == one.id and run.thing is one.thing)
        former = next(same, None)
        if former is None or mark.at not in {former.before, former.end}:  # the latter: told twice
            return False
        former.end, former.before, former.last = mark.at, None, None
        return True

    def _take_pause(self, key: str, mark: Mark) -> None:
        one = self._found(key, mark.at)
        if one is None or one.begin is None:
            return
        if mark.phase is _PAUSE:
            one.paused_at = mark.at if one.paused_at is None else one.paused_at
        elif one.paused_at is not None:
            if len(one.pauses) < _MOST_PAUSES:
                one.pauses.append((one.paused_at, mark.at))
            one.paused_at = None

    def _take_node(self, key: str, mark: Mark) -> None:
        fault = _FAULT + mark.id
        one = self._found(key, mark.at)
        if mark.phase is _BEGIN or mark.phase is _END:
            self._rests(mark.id, mark.at)
        if mark.phase is _BEGIN:
            if one is not None:
                one.last = self._last_sign(one, self._seen.get(mark.id, 0), mark.at)
            self._cut_parts(mark)
        if mark.phase is Phase.FAULT and fault not in self._open:
            self._keep(Open(_FAULT, mark.id, mark.at, mark.at, mark.about))
        elif mark.phase in {Phase.CLEAR, _BEGIN}:
            self._end_fault(fault, mark.at)

    def _take_sign_of_node(self, mark: Mark) -> None:
        if not self._faulty:
            return
        fault = _FAULT + mark.about.get("node", "")
        if fault in self._faulty and (mark.phase is _BEGIN or mark.outcome is Outcome.COMPLETED):
            self._end_fault(fault, mark.at)

    def _end_fault(self, key: str, at: int) -> None:
        fault = self._open.get(key)
        if fault is not None:
            self._close(key, fault.run(end=at))

    def _last_sign(self, node: Open, minutes: int, before: int) -> int:
        seen = last_sign(minutes, self._hour, before)
        return node.last if seen is None else max(node.last, seen)

    def _cut_parts(self, mark: Mark) -> None:
        """Note of what belonged to something that is over that it is over, too."""
        if mark.thing is _ACTION:  # as nearly all
            return
        name, things = _PARTS.get(mark.thing, ("", ()))
        whole = mark.thing + mark.id
        if (known := self._parts.get(whole)) is None:
            return
        parts = self._parts[whole] = {key for key in known if key in self._open}
        for part in map(self._open.__getitem__, parts):
            if part.thing not in things or part.begin is None:
                continue
            if part.about.get(name) == mark.id:  # what has its key now may belong to something else
                part.cut = mark.at if part.cut is None else part.cut
                part.is_stopped |= mark.thing is _NODE

    def _keep(self, one: Open) -> None:
        key = one.thing + one.id
        if len(self._open) >= _MOST:
            self._give_up(one.last)
        self._open[key] = one
        if one.thing is _FAULT:
            self._faulty.add(key)
        self._belongs(key, one.about)

    def _learn(self, key: str, one: Open, mark: Mark) -> None:
        if mark.about is one.about or mark.about.keys() <= one.about.keys():
            return
        new = {name: text for name, text in mark.about.items() if name not in one.about}
        one.about = {**one.about, **new}
        self._belongs(key, new)

    def _belongs(self, key: str, about: Mapping[str, str]) -> None:
        for whole, name in _HAVE_PARTS:
            if (named := about.get(name)) is not None:
                self._parts[whole + named].add(key)

    def _close(self, key: str, run: Run) -> None:
        self.runs.append(run)
        self._open.pop(key, None)
        self._faulty.discard(key)


def in_order(marks: Iterable[Mark]) -> list[Mark]:
    """Return marks in the one order in which they are folded, whatever order they are in."""
    found = sorted(marks, key=_instant)
    times = list(map(_instant, found))
    if all(map(lt, times, islice(times, 1, None))):
        return found
    found.sort(key=_place)
    twins = {_place(one) for one, other in pairwise(found) if one.at == other.at and one.id == other.id}
    if twins:  # what is told twice may differ in what is known of it
        found.sort(key=lambda one: (*_place(one), _rest(one) if _place(one) in twins else b""))
    return found


_instant: Final = attrgetter("at")


def _place(mark: Mark) -> tuple[int, int, int, str]:
    rank = _RANK[mark.thing]
    return mark.at, _ORDER[mark.phase], -rank if mark.phase is _END else rank, mark.id


def _rest(mark: Mark) -> bytes:
    return msgspec.json.encode((mark.about, mark.outcome, mark.seconds), order="sorted")


def _begin_by(mark: Mark, earliest: int | None = None) -> int | None:
    """Return when something began of which only the end was told, if that says how long it took."""
    if mark.seconds is None:
        return None
    begin = mark.at - round(min(mark.seconds, _LONGEST) * 1_000_000)
    return max(FIRST_US if earliest is None else earliest, begin)
