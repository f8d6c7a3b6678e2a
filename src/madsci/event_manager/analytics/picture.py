"""The life of a lab in a window of time, as it is known now: what reports are made of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Final

from madsci.common.errors import StoreUnavailableError
from madsci.event_manager.analytics.coded_runs import Columns, columns, decode_columns
from madsci.event_manager.analytics.fold import Fold
from madsci.event_manager.analytics.known import KnownNodes, KnownSessions
from madsci.event_manager.analytics.ledger import (
    Progress,
    marks_between,
    next_hour,
    nodes_of,
    progress_of,
    sessions_of,
    signs_of,
    standing_of,
)
from madsci.event_manager.analytics.marks import Thing
from madsci.event_manager.analytics.rows import Rows
from madsci.event_manager.analytics.runs import Run, State
from madsci.event_manager.analytics.shelves import RUNS, begin_of, hour_of, overlapping, told_in
from madsci.event_manager.analytics.spans import HOUR, Span
from madsci.event_manager.feed.follower import Kept
from madsci.event_manager.model.budget import UNLIMITED, Budget

_FEWEST, _MOST = 50, 1_000
"""Documents that are read at once: the first time, and if they are small."""
_BYTES: Final = 20_000_000
"""Of all that are read at once, if the next ones are as large as those before."""
_MOST_LEFT: Final = 50_000
"""Marks that are folded for a picture; it takes a second. A follower that is farther behind goes on."""
_TRIES: Final = 5


@dataclass(frozen=True)
class Picture:
    """What was under way in a window (microseconds since 1970), its ends included.

    ``parts`` may have more, as columns of each kind: how much more depends on how it is kept.
    """

    window: Span
    parts: Mapping[Thing, Sequence[Columns]]
    latest: int | None
    """When the latest event was received that is in it; ``None`` without any."""
    known_until: int | None = None
    """Where much had to be left out that came lately: what was before this instant is in it."""
    nodes: KnownNodes = field(default_factory=dict)
    """What is known of nodes, whenever it was told."""
    sessions: KnownSessions = field(default_factory=dict)
    """The sessions that ever began, in the window or not; none that a wrong clock has begin later."""

    _runs: dict[Thing, list[Run]] = field(default_factory=dict)
    _rows: dict[Thing, Rows] = field(default_factory=dict)

    def runs(self, thing: Thing) -> list[Run]:
        """Return what is known of a kind, which is not to be changed."""
        found = self._runs.get(thing)
        if found is None:
            some = (run for part in self.parts.get(thing, ()) for run in part.runs())
            found = self._runs[thing] = [run for run in some if run.meets(self.window)]
        return found

    def rows(self, thing: Thing) -> Rows:
        """Return what is known of those of a kind of which the beginning and the end are known."""
        found = self._rows.get(thing)
        if found is None:
            found = Rows.of(self.parts.get(thing, ()))
            first, beyond = self.window
            found = found.taken((found.begin <= beyond) & (found.end >= first))
            self._rows[thing] = found
        return found

    def others(self, thing: Thing) -> Iterator[Run]:
        """Yield those of a kind that are not in rows."""
        some = chain.from_iterable(part.others for part in self.parts.get(thing, ()))
        return (run for run in some if run.meets(self.window))


def picture(
    kept: Kept, window: Span, budget: Budget = UNLIMITED, things: Iterable[Thing] = Thing
) -> Picture:
    """Return what is known of some kinds in a window: what was told, and what is under way.

    Raises:
        QueryTimeoutError: the budget is used up.
        StoreUnavailableError: what was concluded is being taken back again and again.
    """
    for _ in range(_TRIES):
        progress, state = standing_of(kept)
        taking = _Taking(kept, window, progress, budget)
        taking.read_told(things)
        if progress_of(kept).version == progress.version:  # nothing of it was taken back meanwhile
            taking.fold_rest(state)
            return taking.picture()
    raise StoreUnavailableError(
        "The life of the lab is just being written anew. Ask again in a minute."
    )


@dataclass
class _Taking:
    """One picture."""

    kept: Kept
    window: Span
    progress: Progress
    budget: Budget
    parts: defaultdict[Thing, list[Columns]] = field(default_factory=lambda: defaultdict(list))
    known_until: int | None = None

    def read_told(self, things: Iterable[Thing]) -> None:
        """Take the runs of some kinds that were over where the fold is."""
        for thing in things:
            for prefix, first, last in overlapping(self.window, thing):
                for key, text in self._between(prefix, first, last):
                    if self._is_before(*told_in(key)):
                        self.parts[thing].append(decode_columns(text))

    def _is_before(self, hour: int, part: int) -> bool:
        """Tell whether runs had been told where the fold was."""
        begins, at = begin_of(hour), self.progress.at
        return begins + HOUR <= at or (begins < at and part < self.progress.part)

    def _between(self, prefix: str, after: str, last: str) -> Iterator[tuple[str, str]]:
        hours = (self.window[1] - self.window[0]) // HOUR
        page = min(_FEWEST, hours + 3)  # most hours have one: what is beyond the last is read in vain
        while found := self.kept.scan(RUNS, prefix, after, page):
            self.budget.check()
            yield from (one for one in found if one[0] <= last)
            after = found[-1][0]
            if after > last or len(found) < page:
                return
            largest = max(len(text) for _, text in found)
            page = min(_MOST, max(_FEWEST, _BYTES // largest), hours + 3)

    def fold_rest(self, state: State) -> None:
        """Fold what came since, in memory; take what was over in it and what is under way."""
        at = self.progress.at
        runs: list[Run] = []
        left = _MOST_LEFT
        while (hour := next_hour(self.kept, hour_of(at))) is not None:
            self.budget.check()
            at = max(at, begin_of(hour))
            if left <= 0:
                self.known_until = at
                break
            marks, end = marks_between(self.kept, at, begin_of(hour + 1), left)
            folding = Fold(state, begin_of(hour), signs_of(self.kept, hour))
            for mark in marks:
                folding.take(mark)
            state, at = folding.ended(end), end
            left -= len(marks)
            runs += folding.runs
        for part in columns([*runs, *state.unfinished()]):
            self.parts[part.thing].append(part)

    def picture(self) -> Picture:
        """Return it."""
        latest = self.progress.latest if self.progress != Progress() else None
        now = self.progress.latest
        nodes, sessions = nodes_of(self.kept, now), sessions_of(self.kept, now)
        return Picture(self.window, dict(self.parts), latest, self.known_until, nodes, sessions)
