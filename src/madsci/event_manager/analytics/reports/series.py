"""Figures of periods: exact times, cut at the borders of hours, days, weeks or months."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, NamedTuple

from madsci.event_manager.analytics.intervals import Intervals, column
from madsci.event_manager.analytics.periods import Length, Period
from madsci.event_manager.analytics.reports.figures import percent

_KINDS: Final = {
    Length.HOURLY: "period", Length.DAILY: "day", Length.WEEKLY: "week", Length.MONTHLY: "month",
}  # fmt: skip
_CONTEXTS: Final = {Length.DAILY: "on", Length.WEEKLY: "during"}


@dataclass(frozen=True)
class Label:
    """What people call a period."""

    number: int
    """From 1 on."""
    period: Period
    length: Length

    @property
    def kind(self) -> str:
        """How long it is, in a word."""
        return _KINDS[self.length]

    @cached_property
    def display(self) -> str:
        """Its name."""
        begins = self.period.begins
        if self.length is Length.HOURLY:
            return f"{begins:%Y-%m-%d %H:%M}"
        if self.length is Length.WEEKLY:
            return f"Week of {begins:%Y-%m-%d}"
        return f"{begins:%B %Y}" if self.length is Length.MONTHLY else f"{begins:%Y-%m-%d}"

    @cached_property
    def date(self) -> str:
        """The day with which it begins, or its month."""
        return f"{self.period.begins:{'%Y-%m' if self.length is Length.MONTHLY else '%Y-%m-%d'}}"

    @cached_property
    def document(self) -> dict[str, Any]:
        """How reports write it."""
        return {
            "period_number": self.number,
            "period_type": self.kind,
            "period_display": self.display,
            "date": self.date,
        }

    @property
    def context(self) -> str:
        """A sentence that calls it the peak."""
        return f"Peak utilization {_CONTEXTS.get(self.length, 'in')} {self.display}"


class Cell(NamedTuple):
    """What one thing did in a period, in microseconds."""

    label: Label
    whole: int
    """For how long it could: sessions, or a node that was up."""
    used: int
    unknown: int = 0

    @property
    def utilization(self) -> float:
        """The share that was used, in percent."""
        return percent(self.used, self.whole)


def cells(labels: Sequence[Label], whole: Intervals, used: Intervals, unknown: Intervals) -> list[Cell]:
    """Return the figures of all periods; they add up to those of the window."""
    starts = column([one.period.span[0] for one in labels])
    ends = column([one.period.span[1] for one in labels])
    columns = (one.totals(starts, ends).tolist() for one in (whole, used, unknown))
    return [Cell(label, *figures) for label, *figures in zip(labels, *columns, strict=True)]


def peak(some: Sequence[Cell]) -> Cell | None:
    """Return the one with the largest utilization, the first of several; ``None`` if all is 0."""
    best = max(some, key=lambda one: one.used / one.whole if one.whole else 0.0, default=None)
    return best if best is not None and best.used > 0 else None
