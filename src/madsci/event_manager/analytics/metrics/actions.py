"""Actions that ended in a window, gathered from columns: what the figures about actions are made of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from madsci.event_manager.analytics.coded_runs import PLACES, Columns
from madsci.event_manager.analytics.fold import Run
from madsci.event_manager.analytics.intervals import Span
from madsci.event_manager.analytics.marks import Outcome, Thing
from madsci.event_manager.analytics.metrics.counting import ends_in
from madsci.event_manager.analytics.timelines import Timelines

_COMPLETED: Final = PLACES[Outcome.COMPLETED]
_FAILED: Final = PLACES[Outcome.FAILED]


_Row = tuple[int, int, int, int]
"""Place of the name, begin, end, and place of the outcome."""


@dataclass
class Ended:
    """Actions of one name on one node. Microseconds."""

    unbegun: int = 0
    """Completed ones of which the beginning is not known."""
    failed: int = 0
    other: int = 0
    """Cancelled, or it is not known how it ended."""
    lengths: list[int] = field(default_factory=list)
    """Of completed ones of which the beginning is known, whole, in whatever order."""
    lost: int = 0
    """What of the time of failed ones lies in the window."""

    @property
    def completed(self) -> int:
        """How many were."""
        return len(self.lengths) + self.unbegun


@dataclass
class EndedActions:
    """All of them: an action counts in the window after whose begin, or at whose end, it ended."""

    window: Span
    groups: defaultdict[tuple[str, str], Ended] = field(default_factory=lambda: defaultdict(Ended))
    """By node and name, which are empty where they are not known."""
    completions: list[int] = field(default_factory=list)
    """When actions were completed, in order."""

    def take(self, part: Columns) -> None:
        """Take many."""
        start, last = self.window
        is_within = bool(part.end) and start < min(part.end) and max(part.end) <= last
        for node, first, beyond in part.of_nodes:
            some = slice(first, beyond)
            columns = (part.name[some], part.begin[some], part.end[some], part.outcome[some])
            rows: Iterable[_Row] = zip(*columns, strict=True)
            if not is_within:
                rows = (row for row in rows if start < row[2] <= last)
            self._take_of_node(part.texts, node, rows)
        for run in part.others:
            if run.begin is None and run.end is not None and ends_in(self.window, run.end):
                self._take_end(run, run.end)

    def _take_of_node(self, texts: Sequence[str], node: int, rows: Iterable[_Row]) -> None:
        """Take actions of a node that ended in the window: name, begin, end and outcome of each."""
        completed, found, start = self.completions.append, dict[int, Ended](), self.window[0]
        for name, begin, end, outcome in rows:
            group = found.get(name)
            if group is None:
                group = found[name] = self.groups[texts[node], texts[name]]
            if outcome == _COMPLETED:
                group.lengths.append(end - begin)
                completed(end)
            elif outcome == _FAILED:
                group.failed += 1
                group.lost += end - max(begin, start)
            else:
                group.other += 1

    def _take_end(self, run: Run, end: int) -> None:
        """Take one of which the beginning is not known."""
        group = self.groups[run.about.get("node", ""), run.about.get("name", "")]
        if run.outcome is Outcome.COMPLETED:
            group.unbegun += 1
            self.completions.append(end)
        elif run.outcome is Outcome.FAILED:
            group.failed += 1
        else:
            group.other += 1


def ended_actions(timelines: Timelines) -> EndedActions:
    """Return the actions that ended in the window."""
    found = EndedActions(timelines.window)
    for part in timelines.picture.parts.get(Thing.ACTION, ()):
        found.take(part)
    found.completions.sort()
    return found
