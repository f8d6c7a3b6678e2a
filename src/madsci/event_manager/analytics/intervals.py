"""Times in which something was so: sets of instants, and what is made of them.

Instants are microseconds since the Unix epoch. A span holds its start and not its end, so that spans
that meet share nothing, and whatever is cut into parts adds up to the whole.

Starts and ends are kept, and sorted, apart from each other. The n-th end of some spans in order, none
of them empty, comes before the start after the n-th one just where all that had begun is over; so a
union needs no pairs. Where at most two spans lie above each other, they do between the next start and
that end, if that is later; so an intersection needs none either. Both are steps over whole columns.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from madsci.event_manager.analytics.spans import Span

Column = NDArray[np.int64]
"""Instants, lengths of time, or numbers of something, side by side."""
Flags = NDArray[np.bool_]
_LONG_AGO: Final = -(2**62)
"""Before all instants, and as far from each as a column can tell."""


def column(values: Sequence[int]) -> Column:
    """Return some numbers as a column."""
    return np.array(values, np.int64)


class Intervals:
    """A set of instants as spans: in order, none empty, none touching another. Immutable."""

    def __init__(self, starts: Column, ends: Column) -> None:
        self.starts = starts
        self.ends = ends

    @classmethod
    def of(cls, spans: Iterable[Span]) -> Intervals:
        """Return what lies in any of the spans, whatever their order; empty ones do not count."""
        found = list(spans)
        if not found:
            return NEVER
        return cls.between(*np.array(found, np.int64).T)

    @classmethod
    def between(cls, starts: Column, ends: Column) -> Intervals:
        """Return what lies between any of some starts and its end, as ``of`` does of spans."""
        kept = starts < ends
        return _joined(np.sort(starts[kept]), np.sort(ends[kept]))

    @classmethod
    def union(cls, several: Iterable[Intervals]) -> Intervals:
        """Return what lies in any of several sets."""
        some = [one for one in several if one]
        if len(some) <= 1:
            return some[0] if some else NEVER
        starts = np.concatenate([one.starts for one in some])
        ends = np.concatenate([one.ends for one in some])
        return _joined(np.sort(starts), np.sort(ends))

    @property
    def spans(self) -> tuple[Span, ...]:
        """Its spans, in order."""
        return tuple(self)

    @cached_property
    def total(self) -> int:
        """How long it is, in microseconds."""
        return int(self._sums[-1])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Intervals):
            return NotImplemented
        return np.array_equal(self.starts, other.starts) and np.array_equal(self.ends, other.ends)

    def __hash__(self) -> int:
        return hash((self.starts.tobytes(), self.ends.tobytes()))

    def __repr__(self) -> str:
        return f"Intervals.of({list(self)})"

    def __bool__(self) -> bool:
        return len(self.starts) > 0

    def __len__(self) -> int:
        """Return how many spans it has."""
        return len(self.starts)

    def __iter__(self) -> Iterator[Span]:
        return zip(self.starts.tolist(), self.ends.tolist(), strict=True)

    def holds(self, instants: Column) -> Flags:
        """Return which of some instants lie in it."""
        place = self.starts.searchsorted(instants, "right")
        found: Flags = instants < self._ends_before[place]
        return found

    def __or__(self, other: Intervals) -> Intervals:
        """Return what lies in either."""
        return Intervals.union((self, other))

    def __and__(self, other: Intervals) -> Intervals:
        """Return what lies in both."""
        if not self or not other:
            return NEVER
        few, many = (self, other) if len(self) <= len(other) else (other, self)
        if len(few) == 1:
            return many.within(few.span)
        ends = np.sort(np.concatenate((self.ends, other.ends)))[:-1]
        starts = np.sort(np.concatenate((self.starts, other.starts)))[1:]
        both = starts < ends
        return Intervals(starts[both], ends[both])

    def __sub__(self, other: Intervals) -> Intervals:
        """Return what lies in this one alone."""
        if not self or not other:
            return self
        return self & other.gaps(self.span)

    @property
    def span(self) -> Span:
        """From its first start to its last end; it must not be empty."""
        return int(self.starts[0]), int(self.ends[-1])

    def gaps(self, span: Span) -> Intervals:
        """Return what of a span does not lie in it."""
        start, end = span
        inner = self.within(span)
        starts, ends = np.append(start, inner.ends), np.append(inner.starts, end)
        kept = starts < ends  # all but those before a first and after a last one that reach the edges
        return Intervals(starts[kept], ends[kept])

    def within(self, span: Span) -> Intervals:
        """Return what of it lies in a span."""
        start, end = span
        first, last = int(self.ends.searchsorted(start, "right")), int(self.starts.searchsorted(end))
        if first >= last or start >= end:
            return NEVER
        starts, ends = self.starts[first:last], self.ends[first:last]
        if starts[0] < start:
            starts = np.append(start, starts[1:])
        if ends[-1] > end:
            ends = np.append(ends[:-1], end)
        return Intervals(starts, ends)

    def totals(self, starts: Column, ends: Column) -> Column:
        """Return how much of it lies between each of some starts and its end, whatever their order."""
        return self._before(ends) - self._before(starts)

    def _before(self, instants: Column) -> Column:
        """Return how much of it lies before each of some instants."""
        place = self.starts.searchsorted(instants, "right")
        found: Column = self._sums[place] - np.maximum(self._ends_before[place] - instants, 0)
        return found

    @cached_property
    def _ends_before(self) -> Column:
        """The end of the span that began before each of the spans, and of the last one."""
        return np.append(_LONG_AGO, self.ends)

    @cached_property
    def _sums(self) -> Column:
        """How much lies before each of the spans, and in all of them."""
        return np.append(0, np.cumsum(self.ends - self.starts))


def _joined(starts: Column, ends: Column) -> Intervals:
    """Return what lies between starts and ends of which each are in order, and no span is empty."""
    apart = ends[:-1] < starts[1:]
    if apart.all():
        return Intervals(starts, ends)
    return Intervals(starts[np.append(True, apart)], ends[np.append(apart, True)])


NEVER: Final = Intervals(np.empty(0, np.int64), np.empty(0, np.int64))
