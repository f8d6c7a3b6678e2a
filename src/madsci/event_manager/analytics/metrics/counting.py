"""In which window an instant counts: in exactly one of those that meet. Lengths, and their units.

What begins counts from the first instant of a window on, what ends up to its last: an action from
eleven to twelve ends in that hour, and what begins at twelve does so in the next one.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final

from madsci.event_manager.analytics.spans import Span

SECOND: Final = 1_000_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE


def begins_in(window: Span, at: int) -> bool:
    """Tell whether what begins at an instant does so in a window: also at its first instant."""
    return window[0] <= at < window[1]


def ends_in(window: Span, at: int) -> bool:
    """Tell whether what ends at an instant does so in a window: also at its end, not at its begin."""
    return window[0] < at <= window[1]


def ended_within(ends: Sequence[int], span: Span) -> int:
    """Return how many of some instants, which are in order, are ends in a span."""
    return bisect_right(ends, span[1]) - bisect_right(ends, span[0])


def cut_at(spans: Iterable[Span], instants: Sequence[int]) -> list[Span]:
    """Return spans cut at all instants that lie in them; the instants are in order."""
    found: list[Span] = []
    for begin, end in spans:
        cuts = instants[bisect_right(instants, begin) : bisect_left(instants, end)]
        edges = [begin, *dict.fromkeys(cuts), end]
        found += pairwise(edges)
    return found


def length(span: Span) -> int:
    """Return how long a span is, in microseconds."""
    return span[1] - span[0]


def hours(microseconds: float) -> float:
    """Return microseconds as hours, to a few microseconds."""
    return round(microseconds / HOUR, 9)


def minutes(microseconds: float) -> float:
    """Return microseconds as minutes, to a microsecond."""
    return round(microseconds / MINUTE, 8)


def seconds(microseconds: float) -> float:
    """Return microseconds as seconds, to a microsecond."""
    return round(microseconds / SECOND, 6)


def percent(share: float) -> float:
    """Return a share from 0 to 1 as percent."""
    return round(100 * share, 4)
