"""The life of a lab in small tables: marks as they come, and the runs that are concluded of them.

Marks are added to those of their hour, whenever they come. They are folded up to an instant that
follows the clock; what comes later for an earlier one has the fold begin again at that hour. So the
tables hold the same, in whatever order and in which steps it came.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Final

import msgspec

from madsci.common.clock import FIRST_US
from madsci.common.errors import StoreUnavailableError
from madsci.event_manager.analytics.coded_marks import MarksOfHour, decode_marks, encode_marks
from madsci.event_manager.analytics.coded_runs import columns, encode_columns
from madsci.event_manager.analytics.fold import Fold, in_order
from madsci.event_manager.analytics.known import (
    KnownNodes,
    KnownSessions,
    learned,
    nodes_in,
    sessions_in,
    with_sessions,
)
from madsci.event_manager.analytics.marks import Mark, Thing
from madsci.event_manager.analytics.runs import Run, State
from madsci.event_manager.analytics.shelves import (
    HEAD,
    MARKS,
    NODES,
    PROGRESS,
    RUNS,
    SESSIONS,
    STATES,
    before_hour,
    begin_of,
    hour_in,
    hour_of,
    hour_of_state,
    last_marks_key,
    marks_key,
    run_key,
    signs_key,
    span_of,
    spans_of,
    state_key,
)
from madsci.event_manager.analytics.spans import HOUR
from madsci.event_manager.feed.follower import Kept
from madsci.event_manager.model.tables import Change, delete, put

_AT_ONCE: Final = 5_000
"""Marks that are folded in one step: 50 ms of computing."""
_SESSION: Final = Thing.SESSION
_REST: Final = 10_000_000
"""Microseconds."""
_MOST_BYTES: Final = 2_000_000
"""Characters of what a step writes, and an hour more: an engine keeps it as one document."""
_NODES: Final = 5_000
"""Nodes of which it is kept when they were seen in an hour."""
_KEPT_HOURS: Final = 48
_KEPT_DAYS: Final = 60
"""For so long the states of all hours are kept, then of days; after that one for 32 days."""


class Progress(msgspec.Struct, omit_defaults=True):
    """How far marks are folded."""

    at: int = FIRST_US
    """All marks before this instant are in the runs, or in the state."""
    furthest: int = FIRST_US
    """The latest that ``at`` ever was: of hours from there on no runs are left from another time."""
    version: int = 0
    """Changes when what was concluded is taken back."""
    part: int = 0
    """How many documents of runs the hour of ``at`` has."""
    latest: int = FIRST_US
    """When the latest event was received that was read."""
    not_before: int = FIRST_US
    """Where it was taken back, when to go on though more comes: that may take it back again."""


_progress: Final = msgspec.json.Decoder(Progress)
_signs: Final = msgspec.json.Decoder(dict[str, int])
_LOOKS: Final = 20
_encoder: Final = msgspec.json.Encoder()
_state: Final = msgspec.json.Decoder(State)


def progress_of(kept: Kept) -> Progress:
    """Return how far it is."""
    return _progress_in(kept.read(STATES, PROGRESS))


def _progress_in(text: str | None) -> Progress:
    return Progress() if text is None else _progress.decode(text)


def state_of(kept: Kept) -> State:
    """Return what is under way there."""
    text = kept.read(STATES, HEAD)
    return State() if text is None else _state.decode(text)


def standing_of(kept: Kept) -> tuple[Progress, State]:
    """Return how far it is and what is under way there, while somebody goes on with it.

    A database without transactions may show the one before a step and the other after it.

    Raises:
        StoreUnavailableError: both are never seen of one moment.
    """
    for _ in range(_LOOKS):
        progress, state = progress_of(kept), state_of(kept)
        if state.at == progress.at and progress_of(kept) == progress:
            return progress, state
    raise StoreUnavailableError("What is known of the lab is just changing. Ask again in a moment.")


def nodes_of(kept: Kept, until: int) -> KnownNodes:
    """Return what is known of nodes, and whether they told by an instant when they are up."""
    return nodes_in(kept.read(STATES, NODES), until)


def sessions_of(kept: Kept, until: int) -> KnownSessions:
    """Return the sessions that ever began, up to an instant."""
    return sessions_in(kept.read(STATES, SESSIONS), until)


def signs_of(kept: Kept, hour: int) -> dict[str, int]:
    """Return in which minutes of an hour nodes were seen alive."""
    text = kept.read(MARKS, signs_key(hour))
    return {} if text is None else _signs.decode(text)


def next_hour(kept: Kept, hour: int) -> int | None:
    """Return the first hour from one on of which anything is kept, ``None`` if there is none."""
    found = kept.scan(MARKS, "", before_hour(hour), 1)
    return hour_in(found[0][0]) if found else None


def marks_between(kept: Kept, begin: int, end: int, limit: int) -> tuple[list[Mark], int]:
    """Return the marks of an hour from an instant on, in the order of the fold, and up to when.

    That is another instant of the hour, or an earlier one if there are more than a limit, roughly.
    """
    hour = hour_of(begin)
    text = kept.read(MARKS, last_marks_key(hour))
    if text is None:
        return [], end
    last = decode_marks(text)
    found, length = last.marks(), len(text)
    ranges = sorted((span, number) for number, span in enumerate(last.full))
    for (first, latest), number in ranges:
        if first >= end:
            break
        if (len(found) > limit or length > _MOST_BYTES) and first > begin:
            end = first
            break
        if latest >= begin and (full := kept.read(MARKS, marks_key(hour, number))) is not None:
            found += decode_marks(full).marks()
            length += len(full)
    return in_order([one for one in found if begin <= one.at < end]), end


def _first_of(run: Run) -> int:
    """Return the first instant of which a run tells; nothing but its queue is before its begin."""
    if run.begin is not None and run.queued is None:
        return run.begin
    times = run.begin, run.end, run.before, run.queued, run.after
    return min(at for at in times if at is not None)


class Ledger:
    """One step: what is added, and what is folded. Reads what was kept, and changes nothing of it."""

    def __init__(self, kept: Kept) -> None:
        self._kept = kept
        self._new: dict[tuple[str, str], str | None] = {}
        self._length = 0
        self._before = kept.read(STATES, PROGRESS)
        self._progress = _progress_in(self._before)

    def read(self, table: str, key: str) -> str | None:
        """Return a document as it is after the step."""
        if (table, key) in self._new:
            return self._new[table, key]
        return self._kept.read(table, key)

    def scan(
        self, table: str, prefix: str = "", after: str | None = None, limit: int = 1_000
    ) -> list[tuple[str, str]]:
        """Return documents as they are after the step; none of a step is so large that it matters."""
        gone = sum(value is None for value in self._new.values())
        found = dict(self._kept.scan(table, prefix, after, limit + gone))
        for (of, key), value in self._new.items():
            if of != table or not key.startswith(prefix) or (after is not None and key <= after):
                continue
            if value is None:
                found.pop(key, None)
            else:
                found[key] = value
        return sorted(found.items())[:limit]

    def add(
        self, marks: Sequence[Mark], signs: dict[int, dict[str, int]], latest: int, now: int
    ) -> None:
        """Add marks, and in which minutes (by hours) nodes were seen, which marks may fill."""
        version = self._progress.version
        by_hour: defaultdict[int, list[Mark]] = defaultdict(list)
        for mark in marks:
            by_hour[mark.at // HOUR].append(mark)
        if by_hour and (nodes := learned(self.read(STATES, NODES), marks)) is not None:
            self._put(STATES, NODES, nodes)
        begun = [mark for mark in marks if mark.thing is _SESSION]
        if begun and (sessions := with_sessions(self.read(STATES, SESSIONS), begun)) is not None:
            self._put(STATES, SESSIONS, sessions)
        for number, some in by_hour.items():
            self._add_marks(hour_of(number * HOUR), some)
        for hour, minutes in signs.items():
            self._add_signs(hour, minutes)
        self._progress.latest = max(self._progress.latest, latest)
        if self._progress.version > version and self._progress.not_before <= now:
            self._progress.not_before = now + _REST

    @property
    def rests_until(self) -> int:
        """When to fold again that was taken back: more may come that takes it back."""
        return self._progress.not_before

    def may_fold(self, now: int) -> bool:
        """Tell whether it is time to fold."""
        return self.rests_until <= now

    def _add_marks(self, hour: int, added: list[Mark]) -> None:
        text = self.read(MARKS, last_marks_key(hour))
        marks = MarksOfHour(None if text is None else decode_marks(text))
        marks.add(added)
        self._take_back(hour, marks.first)
        last = marks.last()
        for number, full in enumerate(marks.full, len(last.full) - len(marks.full)):
            self._put(MARKS, marks_key(hour, number), encode_marks(full))
        self._put(MARKS, last_marks_key(hour), encode_marks(last))

    def _add_signs(self, hour: int, minutes: dict[str, int]) -> None:
        known = signs_of(self, hour)
        is_new = False
        for node, new in minutes.items():
            if node not in known and len(known) >= _NODES:
                break
            before = known.get(node, 0)
            known[node] = before | new
            if known[node] != before:
                is_new = True
                first = (new & ~before & -(new & ~before)).bit_length() - 1
                self._take_back(hour, begin_of(hour) + first * 60_000_000)
        if is_new:
            self._put(MARKS, signs_key(hour), _encoder.encode(known).decode())

    def _take_back(self, hour: int, at: int) -> None:
        """Have the fold begin again with an hour, if it has come beyond an instant of it."""
        progress = self._progress
        if at >= progress.at:
            return
        found = self.scan(STATES, "at/", state_key(hour), 1)
        progress.at = begin_of(hour_of_state(found[0][0]) + 1) if found else FIRST_US
        self._put(STATES, HEAD, found[0][1] if found else "{}")
        progress.version += 1

    def fold(self, until: int) -> bool:
        """Fold some of what is left before an instant; tell whether there is more."""
        left = _AT_ONCE
        while (hour := next_hour(self, hour_of(self._progress.at))) is not None:
            if begin_of(hour) >= until or self._progress.at >= until:
                return False
            if left <= 0 or self._length > _MOST_BYTES:
                return True
            left -= self._fold_part(hour, until, left)
        return False

    def _fold_part(self, hour: int, until: int, limit: int) -> int:
        """Fold an hour, or a part of it; return how many marks that were."""
        progress = self._progress
        if begin_of(hour) >= progress.at:
            self._begin_hour(hour)
        marks, end = marks_between(self, progress.at, min(until, begin_of(hour + 1)), limit)
        folding = Fold(state_of(self), begin_of(hour), signs_of(self, hour))
        for mark in marks:
            folding.take(mark)
        state = _encoder.encode(folding.ended(end)).decode()
        self._put(STATES, HEAD, state)
        self._keep_runs(hour, folding.runs)
        progress.at, progress.furthest = end, max(end, progress.furthest)
        if end == begin_of(hour + 1):
            self._end_hour(hour, state)
        return len(marks)

    def _begin_hour(self, hour: int) -> None:
        """Go to the beginning of an hour, of which nothing is left from another time."""
        self._progress.at, self._progress.part = begin_of(hour), 0
        for span in spans_of(hour) if begin_of(hour) < self._progress.furthest else ():
            for key, _ in self.scan(RUNS, span):
                self._new[RUNS, key] = None

    def _end_hour(self, hour: int, state: str) -> None:
        self._put(STATES, state_key(hour), state)
        self._thin(hour - _KEPT_HOURS, 24)
        self._thin(hour - 24 * _KEPT_DAYS, 768)

    def _keep_runs(self, hour: int, runs: list[Run]) -> None:
        by_span: defaultdict[str, list[Run]] = defaultdict(list)
        spans: dict[int, str] = {}
        for run in runs:
            first = _first_of(run) // HOUR
            span = spans.get(first)
            if span is None:
                span = spans[first] = span_of(first * HOUR, hour)
            by_span[span].append(run)
        for span, some in by_span.items():
            for part in columns(some):
                key = run_key(part.thing, span, hour, self._progress.part)
                self._put(RUNS, key, encode_columns(part))
                self._progress.part += 1

    def _thin(self, hour: int, width: int) -> None:
        """Of the two latest states that are older than an hour, keep one if they are of one span."""
        found = self.scan(STATES, "at/", state_key(hour), 2)
        if len(found) == 2 and len({hour_of_state(key) // width for key, _ in found}) == 1:  # noqa: PLR2004
            self._new[STATES, found[1][0]] = None

    def _put(self, table: str, key: str, value: str) -> None:
        self._length += len(value)
        self._new[table, key] = value

    def changes(self) -> list[Change]:
        """Return what the step changes."""
        progress = _encoder.encode(self._progress).decode()
        if progress != self._before:
            # Last and together: where a step is made change by change, the one is of no use without the
            # other, and whoever sees the new ones needs what was put before them.
            head = self._new.pop((STATES, HEAD), None)
            if head is not None:
                self._new[STATES, HEAD] = head
            self._put(STATES, PROGRESS, progress)
        return [
            delete(table, key) if value is None else put(table, key, value)
            for (table, key), value in self._new.items()
        ]
