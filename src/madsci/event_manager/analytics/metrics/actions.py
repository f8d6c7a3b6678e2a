"""Actions that ended in a window, and what of those that failed lies in it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from madsci.event_manager.analytics.coded_runs import PLACES
from madsci.event_manager.analytics.marks import Outcome, Thing
from madsci.event_manager.analytics.metrics.counting import ends_in
from madsci.event_manager.analytics.rows import Rows
from madsci.event_manager.analytics.runs import Run
from madsci.event_manager.analytics.spans import Span
from madsci.event_manager.analytics.timelines import Timelines

_COMPLETED: Final = PLACES[Outcome.COMPLETED]
_FAILED: Final = PLACES[Outcome.FAILED]


@dataclass
class Ended:
    """Actions of one name on one node. Microseconds."""

    unmeasured: int = 0
    """Completed ones of which it is not known how long they took."""
    failed: int = 0
    other: int = 0
    """Cancelled, or it is not known how it ended."""
    lengths: list[int] = field(default_factory=list)
    """Of the other completed ones, whole, in order."""

    @property
    def completed(self) -> int:
        """How many were."""
        return len(self.lengths) + self.unmeasured


@dataclass
class Failing:
    """Actions of one name on one node that failed, in the window or after it. Microseconds."""

    n: int = 0
    """Those of which any part lies in the window."""
    lost: int = 0
    """What of their time lies in the window."""


@dataclass
class EndedActions:
    """All of them: an action counts in the window after whose begin, or at whose end, it ended."""

    window: Span
    groups: defaultdict[tuple[str, str], Ended] = field(default_factory=lambda: defaultdict(Ended))
    """By node and name, which are empty where they are not known."""
    failing: defaultdict[tuple[str, str], Failing] = field(default_factory=lambda: defaultdict(Failing))
    """As ``groups``; one that goes on after the window has a part in this and in the next one."""
    completions: list[int] = field(default_factory=list)
    """When actions were completed, in order."""

    def take(self, rows: Rows) -> None:
        """Take those of which beginning and end are known."""
        start, last = self.window
        ended = (start < rows.end) & (rows.end <= last)
        for node, of_node in rows.taken(ended).by("node"):
            for name, some in of_node.by("name"):
                completed, failed = some.outcome == _COMPLETED, some.outcome == _FAILED
                self.groups[node, name] = Ended(
                    failed=int(failed.sum()),
                    other=int((~(completed | failed)).sum()),
                    lengths=np.sort((some.end - some.begin)[completed]).tolist(),
                )
        self.completions += np.sort(rows.end[ended & (rows.outcome == _COMPLETED)]).tolist()
        has_part = ended | ((rows.begin < last) & (start < rows.end))
        self._take_failing(rows.taken(has_part & (rows.outcome == _FAILED)))

    def _take_failing(self, rows: Rows) -> None:
        """Take failed ones of which a part lies in the window."""
        start, last = self.window
        for node, of_node in rows.by("node"):
            for name, some in of_node.by("name"):
                lost = np.minimum(some.end, last) - np.maximum(some.begin, start)
                self.failing[node, name] = Failing(len(some), sum(lost.tolist()))

    def take_others(self, runs: Iterable[Run]) -> None:
        """Take those of which not both are known: ends alone, and what is told of broken off ones."""
        for run in runs:
            over = run.end if run.end is not None or run.outcome is None else run.before
            if over is not None and ends_in(self.window, over):
                self._take_end(run, over)
        self.completions.sort()

    def _take_end(self, run: Run, end: int) -> None:
        """Take one of which it is not known how long it took."""
        key = run.about.get("node", ""), run.about.get("name", "")
        group = self.groups[key]
        if run.outcome is Outcome.COMPLETED:
            group.unmeasured += 1
            self.completions.append(end)
        elif run.outcome is Outcome.FAILED:
            group.failed += 1
            self.failing[key].n += 1
        else:
            group.other += 1


def ended_actions(timelines: Timelines) -> EndedActions:
    """Return the actions that ended in the window."""
    found = EndedActions(timelines.window)
    found.take(timelines.picture.rows(Thing.ACTION))
    found.take_others(timelines.picture.others(Thing.ACTION))
    return found
