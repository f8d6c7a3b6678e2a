"""How long workflows waited: what of their time none of their steps and actions took."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from madsci.common.clock import FIRST_US, LAST_US
from madsci.event_manager.analytics.intervals import Column, Flags, Intervals, column
from madsci.event_manager.analytics.marks import Thing
from madsci.event_manager.analytics.picture import Picture
from madsci.event_manager.analytics.runs import Run
from madsci.event_manager.analytics.spans import Span
from madsci.event_manager.analytics.timelines import Timelines

_PARTS: Final = (Thing.ACTION, Thing.STEP)
_LONGEST: Final = 2**61
"""Microseconds that a line may have, so that numbers of 64 bits tell all of it: 73,000 years."""


def waits_of(timelines: Timelines, ended: Sequence[Run]) -> list[int | None]:
    """Return the wait of each of some workflows that ended, in microseconds.

    ``None``: it began before the window, so that steps of it may be missing in the picture; it has no
    step or action; or the beginning or the end of one of them is not known, so that nobody can tell.
    """
    found: list[int | None] = [None] * len(ended)
    places, ids, spans = [], [], list[Span]()
    for place, run in enumerate(ended):
        if run.begin is None or run.end is None:
            continue
        if timelines.window[0] <= run.begin <= run.end:
            places.append(place)
            ids.append(run.id)
            spans.append((run.begin, run.end))
    numbers: dict[str, int] = {}
    id_ = column([numbers.setdefault(one, len(numbers)) for one in ids])
    runs = _Times(id_, column([begin for begin, _ in spans]), column([end for _, end in spans]))
    unknown = _unknown(timelines.picture, numbers)
    waits = _waits(runs, _parts(timelines.picture, numbers)).tolist()
    for place, one, span, wait in zip(places, ids, spans, waits, strict=True):
        if wait >= 0 and not (one in unknown and _is_any_in(unknown[one], span)):
            found[place] = wait
    return found


@dataclass(frozen=True)
class _Times:
    """When workflows, or parts of them, were under way: numbers of ids, begins and ends."""

    id: Column
    begin: Column
    end: Column


def _parts(picture: Picture, numbers: Mapping[str, int]) -> _Times:
    """Return the steps and actions of some workflows of which both ends are known."""
    found = []
    for thing in _PARTS:
        rows = picture.rows(thing)
        id_ = column([numbers.get(text, -1) for text in rows.texts])[rows.whose("workflow")]
        found.append([one[id_ >= 0] for one in (id_, rows.begin, rows.end)])
    return _Times(*map(np.concatenate, zip(*found, strict=True)))


def _waits(runs: _Times, parts: _Times) -> Column:
    """Return what of each run no part took; -1 of one without a part."""
    waits = np.full(len(runs.id), -1)
    for line in _lines(runs):
        begins, ends = line.laid(parts)
        first, beyond = line.laid(runs)
        left = beyond - first - Intervals.between(begins, ends).totals(first, beyond)
        has_part = np.sort(begins).searchsorted(beyond, "right") > np.sort(ends).searchsorted(first)
        waits[line.is_on[runs.id]] = np.where(has_part, left, -1)
    return waits


@dataclass(frozen=True)
class _Line:
    """Times of ids one after the other, so that one set of instants has those of all.

    Of each id from the begin of its first run to the end of its last one.
    """

    first: Column
    last: Column
    shift: Column
    """What has to be added to an instant of each."""
    is_on: Flags
    """Which of the ids are on it."""

    def laid(self, times: _Times) -> tuple[Column, Column]:
        """Return where what meets an id's time on the line begins there, and where it ends."""
        id_ = times.id
        met = self.is_on[id_] & (times.begin <= self.last[id_]) & (times.end >= self.first[id_])
        id_ = id_[met]
        begins = np.maximum(times.begin[met], self.first[id_])
        ends = np.minimum(times.end[met], self.last[id_])
        return begins + self.shift[id_], ends + self.shift[id_]


def _lines(runs: _Times) -> Iterator[_Line]:
    """Yield the lines on which all ids are: one, unless they last longer than it can tell."""
    ids = max(runs.id.tolist(), default=-1) + 1
    first, last = np.full(ids, LAST_US), np.full(ids, FIRST_US)
    np.minimum.at(first, runs.id, runs.begin)
    np.maximum.at(last, runs.id, runs.end)
    lengths = last - first + 1  # the last instant of one is not the first of the next
    number = np.cumsum(lengths, dtype=np.float64) // _LONGEST
    for one in np.unique(number):
        is_on = number == one
        yield _Line(first, last, np.cumsum(np.where(is_on, lengths, 0)) - last, is_on)


def _unknown(picture: Picture, wanted: Collection[str]) -> dict[str, list[int]]:
    """Return an instant of each step and action of which not both is known, in order, by workflow."""
    found: defaultdict[str, list[int]] = defaultdict(list)
    for thing in _PARTS:
        for run in picture.others(thing):
            at = run.end if run.begin is None else run.begin
            if at is not None and (id_ := run.about.get("workflow", "")) in wanted:
                found[id_].append(at)
    return {id_: sorted(instants) for id_, instants in found.items()}


def _is_any_in(instants: Sequence[int], span: Span) -> bool:
    place = bisect_left(instants, span[0])
    return place < len(instants) and instants[place] <= span[1]
