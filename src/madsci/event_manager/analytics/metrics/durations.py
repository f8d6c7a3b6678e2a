"""How long actions take on each node, and how often they fail."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from madsci.event_manager.analytics.metrics.actions import Ended, EndedActions
from madsci.event_manager.analytics.metrics.estimates import Bounds, nearest_rank, share_bounds


@dataclass(frozen=True)
class Lengths:
    """Lengths of time, in microseconds and in order."""

    ordered: tuple[int, ...]

    @property
    def n(self) -> int:
        """How many there are."""
        return len(self.ordered)

    @property
    def mean(self) -> float | None:
        """``None`` without any."""
        return sum(self.ordered) / len(self.ordered) if self.ordered else None

    def quantile(self, percent: int) -> int | None:
        """Return the one of the nearest rank, ``None`` without any."""
        return nearest_rank(self.ordered, percent) if self.ordered else None


@dataclass(frozen=True)
class ActionFigures:
    """Actions of one name on one node, of those that ended in the window."""

    node: str | None
    """``None``: the actions name none."""
    action: str | None
    ended: Ended

    @property
    def n(self) -> int:
        """How many were completed or failed: each of them tells of the failure rate."""
        return self.ended.completed + self.ended.failed

    @property
    def failure_rate(self) -> float | None:
        """From 0 to 1; ``None`` without any."""
        return self.ended.failed / self.n if self.n else None

    @property
    def failure_bounds(self) -> Bounds | None:
        """By Wilson's score."""
        return share_bounds(self.ended.failed, self.n)

    @cached_property
    def lengths(self) -> Lengths:
        """Of completed ones, whole, also where they began before the window."""
        return Lengths(tuple(self.ended.lengths))


def action_figures(actions: EndedActions) -> Iterator[ActionFigures]:
    """Yield them in the order of nodes and names."""
    for (node, name), ended in sorted(actions.groups.items(), key=lambda one: one[0]):
        yield ActionFigures(node or None, name or None, ended)
