"""Times in which something was so: sets of instants, and what is made of them.

Instants are microseconds since the Unix epoch. A span holds its start and not its end, so that spans
that meet share nothing, and whatever is cut into parts adds up to the whole.

Starts and ends are kept, and sorted, apart from each other. The n-th end of some spans in order, none
of them empty, comes before the start after the n-th one just where all that had begun is over; so a
union needs no pairs. Where at most two spans lie above each other, they do between the next start and
that end, if that is later; so an intersection needs none either. Both are steps over whole columns.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate, chain, compress, islice
from operator import eq, le, lt, sub
from typing import Final

Span = tuple[int, int]
"""From an instant on, up to another one that is not in it."""
_FEW: Final = 8
"""To look for one span among many costs as much as to go through so many."""


@dataclass(frozen=True)
class Intervals:
    """A set of instants as spans: in order, none empty, none touching another. Immutable."""

    starts: Sequence[int] = field(default_factory=list)
    ends: Sequence[int] = field(default_factory=list)

    @classmethod
    def of(cls, spans: Iterable[Span]) -> Intervals:
        """Return what lies in any of the spans, whatever their order; empty ones do not count."""
        found = [span for span in spans if span[0] < span[1]]
        if not found:
            return NEVER
        return _joined(sorted([start for start, _ in found]), sorted([end for _, end in found]))

    @classmethod
    def between(cls, starts: Sequence[int], ends: Sequence[int]) -> Intervals:
        """Return what lies between any of some starts and its end, as ``of`` does of spans."""
        kept = list(map(lt, starts, ends))
        if not all(kept):
            starts, ends = list(compress(starts, kept)), list(compress(ends, kept))
        if not starts:
            return NEVER
        if all(map(le, starts, islice(starts, 1, None))) and all(map(le, ends, islice(ends, 1, None))):
            return _joined(starts, ends)
        return _joined(sorted(starts), sorted(ends))

    @classmethod
    def union(cls, several: Iterable[Intervals]) -> Intervals:
        """Return what lies in any of several sets."""
        some = [one for one in several if one.starts]
        if len(some) <= 1:
            return some[0] if some else NEVER
        starts = chain.from_iterable(one.starts for one in some)
        return _joined(sorted(starts), sorted(chain.from_iterable(one.ends for one in some)))

    @property
    def spans(self) -> tuple[Span, ...]:
        """Its spans, in order."""
        return tuple(self)

    @cached_property
    def total(self) -> int:
        """How long it is, in microseconds."""
        return sum(map(sub, self.ends, self.starts))

    def __bool__(self) -> bool:
        return bool(self.starts)

    def __len__(self) -> int:
        """Return how many spans it has."""
        return len(self.starts)

    def __iter__(self) -> Iterator[Span]:
        return zip(self.starts, self.ends, strict=True)

    def __contains__(self, instant: int) -> bool:
        place = bisect_right(self.starts, instant)
        return place > 0 and instant < self.ends[place - 1]

    def __or__(self, other: Intervals) -> Intervals:
        """Return what lies in either."""
        return Intervals.union((self, other))

    def __and__(self, other: Intervals) -> Intervals:
        """Return what lies in both."""
        few, many = (self, other) if len(self) <= len(other) else (other, self)
        if len(few) * _FEW <= len(many):
            found = [many.within(span) for span in few]
            return Intervals(
                [start for one in found for start in one.starts],
                [end for one in found for end in one.ends],
            )
        ends = sorted(chain(self.ends, other.ends))
        starts = sorted(chain(self.starts, other.starts))[1:]
        both = list(map(lt, starts, ends))
        return Intervals(list(compress(starts, both)), list(compress(ends, both)))

    def __sub__(self, other: Intervals) -> Intervals:
        """Return what lies in this one alone."""
        if not self.starts or not other.starts:
            return self
        return self & other.gaps((self.starts[0], self.ends[-1]))

    def gaps(self, span: Span) -> Intervals:
        """Return what of a span does not lie in it."""
        start, end = span
        inner = self.within(span)
        starts, ends = [start, *inner.ends], [*inner.starts, end]
        if starts[-1] >= end:
            del starts[-1], ends[-1]
        if starts and starts[0] >= ends[0]:
            del starts[0], ends[0]
        return Intervals(starts, ends)

    def within(self, span: Span) -> Intervals:
        """Return what of it lies in a span."""
        start, end = span
        first, last = bisect_right(self.ends, start), bisect_left(self.starts, end)
        if first >= last or start >= end:
            return NEVER
        starts, ends = list(self.starts[first:last]), list(self.ends[first:last])
        starts[0], ends[-1] = max(starts[0], start), min(ends[-1], end)
        return Intervals(starts, ends)

    def totals(self, parts: Sequence[Span]) -> list[int]:
        """Return how much of it lies in each of some spans, which is quick where they meet."""
        if not parts:
            return []
        edges = [start for start, _ in parts]
        if all(map(eq, edges[1:], (end for _, end in parts))):
            before = list(map(self._before, (*edges, parts[-1][1])))
            return list(map(sub, before[1:], before))
        return [self._before(end) - self._before(start) for start, end in parts]

    def _before(self, instant: int) -> int:
        """Return how much of it lies before an instant."""
        place = bisect_right(self.starts, instant) - 1
        if place < 0:
            return 0
        return self._sums[place] + min(instant, self.ends[place]) - self.starts[place]

    @cached_property
    def _sums(self) -> list[int]:
        """How much lies before each of the spans."""
        return [0, *accumulate(map(sub, self.ends, self.starts))]


def _joined(starts: Sequence[int], ends: Sequence[int]) -> Intervals:
    """Return what lies between starts and ends of which each are in order, and no span is empty."""
    apart = list(map(lt, ends, islice(starts, 1, None)))
    if all(apart):
        return Intervals(starts, ends)
    return Intervals(
        [starts[0], *compress(islice(starts, 1, None), apart)], [*compress(ends, apart), ends[-1]]
    )


NEVER: Final = Intervals()
