"""How long workflows waited: what of their time none of their steps and actions took."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from madsci.event_manager.analytics.fold import Run
from madsci.event_manager.analytics.intervals import Column, Intervals, column
from madsci.event_manager.analytics.marks import Thing
from madsci.event_manager.analytics.picture import Picture
from madsci.event_manager.analytics.rows import Rows
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
    asked = [
        _Asked(number, run.id, run.begin, run.end)
        for number, run in enumerate(ended)
        if run.begin is not None and run.end is not None and run.begin >= timelines.window[0]
    ]
    unknown = _unknown(timelines.picture, {one.id for one in asked})
    for some in _batches(asked):
        for one, wait in zip(some, _waits(timelines.picture, some), strict=True):
            if wait >= 0 and not _is_any_in(unknown.get(one.id, ()), (one.begin, one.end)):
                found[one.number] = wait
    return found


def _waits(picture: Picture, asked: Sequence[_Asked]) -> list[int]:
    """Return what of each run no part took of which both ends are known; -1 of one without a part."""
    line = _Line.of(asked)
    begins, ends = line.parts(picture)
    first, beyond = line.runs(asked)
    waits = beyond - first - Intervals.between(begins, ends).totals(first, beyond)
    has_part = np.sort(begins).searchsorted(beyond, "right") > np.sort(ends).searchsorted(first)
    found: list[int] = np.where(has_part, waits, -1).tolist()
    return found


class _Asked(NamedTuple):
    """A run of a workflow of which the wait is wanted."""

    number: int
    id: str
    begin: int
    end: int


def _batches(asked: Iterable[_Asked]) -> Iterator[list[_Asked]]:
    """Yield runs of which the times fit on one line, all those of an id together."""
    by_id: defaultdict[str, list[_Asked]] = defaultdict(list)
    for one in asked:
        by_id[one.id].append(one)
    batch: list[_Asked] = []
    left = _LONGEST
    for runs in by_id.values():
        whole = max(run.end for run in runs) - min(run.begin for run in runs)
        if whole >= left:
            yield batch
            batch, left = [], _LONGEST
        batch += runs
        left -= whole + 1
    yield batch


@dataclass(frozen=True)
class _Line:
    """Times of workflows one after the other, so that one set of instants has those of all.

    Of each id from the begin of its first run to the end of its last one.
    """

    numbers: Mapping[str, int]
    """Of ids."""
    first: Column
    last: Column
    shift: Column
    """What has to be added to an instant of each."""

    @classmethod
    def of(cls, runs: Iterable[_Asked]) -> _Line:
        edges: dict[str, Span] = {}
        for _, id_, begin, end in runs:
            first, last = edges.get(id_, (begin, end))
            edges[id_] = min(first, begin), max(last, end)
        firsts = column([first for first, _ in edges.values()])
        lasts = column([last for _, last in edges.values()])
        beyond = np.cumsum(lasts - firsts + 1)  # the last instant of one is not the first of the next
        numbers = {id_: number for number, id_ in enumerate(edges)}
        return cls(numbers, firsts, lasts, beyond - lasts)

    def runs(self, some: Sequence[_Asked]) -> tuple[Column, Column]:
        """Return where some runs begin and end."""
        shift = self.shift[column([self.numbers[run.id] for run in some])]
        return column([run.begin for run in some]) + shift, column([run.end for run in some]) + shift

    def parts(self, picture: Picture) -> tuple[Column, Column]:
        """Return where the steps and actions begin and end of which both is known."""
        begins, ends = zip(*(self._laid(picture.rows(thing)) for thing in _PARTS), strict=True)
        return np.concatenate(begins), np.concatenate(ends)

    def _laid(self, rows: Rows) -> tuple[Column, Column]:
        numbers = column([self.numbers.get(text, -1) for text in rows.texts])[rows.whose("workflow")]
        begins, ends, numbers = (one[numbers >= 0] for one in (rows.begin, rows.end, numbers))
        firsts, lasts, shift = self.first[numbers], self.last[numbers], self.shift[numbers]
        met = (begins <= lasts) & (ends >= firsts)
        laid = np.maximum(begins, firsts) + shift, np.minimum(ends, lasts) + shift
        return laid[0][met], laid[1][met]


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
