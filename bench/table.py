"""Rows of results: a value beside its anchor, measured in the same run, and the goal for the two.

Absolute numbers of a shared machine say little; so a ratio is made in each repeat, between what was
measured moments apart, and the row shows the median of these ratios.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any


@dataclass
class Series:
    """One thing measured once per repeat."""

    name: str
    unit: str
    samples: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        return median(self.samples)

    def text(self) -> str:
        low, high = min(self.samples), max(self.samples)
        return f"{number(self.median)} {self.unit} ({number(low)}-{number(high)})"


@dataclass(frozen=True)
class Goal:
    """A bound on the row's ratio, or on its value."""

    sign: str
    bound: float
    on_value: bool = False

    def is_met(self, figure: float) -> bool:
        return figure >= self.bound if self.sign == ">=" else figure <= self.bound

    def text(self, unit: str) -> str:
        return f"{self.sign} {self.bound:g}" + (f" {unit}" if self.on_value else " x")

    @classmethod
    def read(cls, text: str) -> Goal:
        sign, bound, unit = text.split()
        return cls(sign, float(bound), on_value=unit != "x")


@dataclass
class Row:
    """A line of the table."""

    group: str
    value: Series
    anchor: Series | None = None
    goal: Goal | None = None

    @property
    def ratios(self) -> list[float]:
        if self.anchor is None:
            return []
        pairs = zip(self.value.samples, self.anchor.samples, strict=False)
        return [value / anchor for value, anchor in pairs if anchor]

    @property
    def ratio(self) -> float | None:
        return median(self.ratios) if self.ratios else None

    @property
    def verdict(self) -> str:
        figure = self.value.median if self.goal and self.goal.on_value else self.ratio
        if self.goal is None or figure is None:
            return ""
        return "met" if self.goal.is_met(figure) else "MISSED"

    def cells(self) -> list[str]:
        anchor = self.anchor
        ratios = self.ratios
        return [
            self.group,
            self.value.name,
            self.value.text(),
            anchor.name if anchor else "",
            anchor.text() if anchor else "",
            f"{self.ratio:.2f} ({min(ratios):.2f}-{max(ratios):.2f})" if ratios else "",
            self.goal.text(self.value.unit) if self.goal else "",
            self.verdict,
        ]

    def document(self) -> dict[str, Any]:
        return {
            "group": self.group,
            "name": self.value.name,
            "unit": self.value.unit,
            "value": self.value.median,
            "samples": self.value.samples,
            "anchor": self.anchor and self.anchor.name,
            "anchor_value": self.anchor and self.anchor.median,
            "anchor_samples": self.anchor and self.anchor.samples,
            "ratio": self.ratio,
            "goal": self.goal.text(self.value.unit) if self.goal else None,
            "verdict": self.verdict or None,
        }

    @classmethod
    def read(cls, document: dict[str, Any]) -> Row:
        """Return the row that a document was made of."""
        unit = document["unit"]
        anchor, goal = document["anchor"], document["goal"]
        return cls(
            document["group"],
            Series(document["name"], unit, document["samples"]),
            anchor and Series(anchor, unit, document["anchor_samples"]),
            goal and Goal.read(goal),
        )


HEADINGS = ["group", "what", "value (spread)", "beside", "its value", "ratio", "goal", ""]


def number(value: float) -> str:
    """Return a figure with three significant digits, thousands set apart."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def markdown(rows: Sequence[Row]) -> str:
    """Return the rows as a table, aligned so that it can be read as it is."""
    lines = [HEADINGS, *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADINGS))]
    ruled = [lines[0], ["-" * width for width in widths], *lines[1:]]
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |"
        for line in ruled
    )
