"""A task that is done from time to time, and how it stands with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from madsci.common.clock import iso
from madsci.common.errors import MadsciError, StoreUnavailableError
from madsci.common.types.health import TaskHealth
from madsci.event_manager.tasks.schedule import Schedule

KeepTurn = Callable[[], bool]
"""Tells whether to go on; false when the server stops, or when another one may have taken over."""


class Task(Protocol):
    """Something to do in each slot of a schedule, by one of the servers of a store."""

    @property
    def name(self) -> str:
        """Tells the tasks of a store apart, whichever server does them."""
        ...

    @property
    def schedule(self) -> Schedule:
        """When it is to be done."""
        ...

    def run(self, keep_turn: KeepTurn) -> None:
        """Do it. Ask ``keep_turn`` before each step, and return early when it says no.

        Whatever it raises is a failure: it is logged, and the task is done again later.
        """
        ...


@dataclass(frozen=True)
class Pauses:
    """How patient a runner is, in seconds."""

    look: float = 60.0
    """Longest time between two looks at the clock, which may be set; and until a task is asked for
    again that another server has. When that one was killed, this is the delay."""
    turn: float = 120.0
    """How long a turn lasts that is not renewed. It is renewed three times as often."""
    first_retry: float = 30.0
    """Until a task is tried again that failed once; doubles with each failure."""
    longest_retry: float = 3600.0


class Progress:
    """What is known about a task in this process. Times are microseconds; not thread-safe."""

    def __init__(self, task: Task, *, ends_on_failure: bool) -> None:
        self.task = task
        self._ends_on_failure = ends_on_failure
        self._done = ""
        self._not_before = 0
        self._failures = 0
        self._last: tuple[int, str, str | None] | None = None
        self._running_since: int | None = None
        self.ended = False

    def due_slot(self, now: int) -> int | None:
        """Return the slot that is to be tried now."""
        if self.ended or now < self._not_before:
            return None
        slot = self.task.schedule.latest(now)
        return None if slot is None or iso(slot) <= self._done else slot

    def started(self, now: int) -> None:
        """Note that it runs."""
        self._running_since = now

    def finished(self, slot: int) -> None:
        """Note that it was done for a slot."""
        self._done = iso(slot)
        self._failures = 0
        self._note("done", None)

    def interrupted(self, now: int, pauses: Pauses) -> None:
        """Note that it was left undone."""
        self._note("interrupted", None)
        self.later(now, pauses.look)

    def failed(self, now: int, error: BaseException, pauses: Pauses) -> None:
        """Note that it failed. What is only away for now is no reason to end."""
        self._running_since = self._running_since or now
        self._failures += 1
        self._note("failed", sentence(error))
        doubled = pauses.first_retry * 2.0 ** min(self._failures - 1, 30)
        self.later(now, min(doubled, pauses.longest_retry))
        self.ended = self._ends_on_failure and not isinstance(error, StoreUnavailableError)

    def later(self, now: int, seconds: float) -> None:
        """Leave it alone for a while."""
        self._not_before = now + int(seconds * 1_000_000)

    def _note(self, outcome: str, detail: str | None) -> None:
        self._last = (self._running_since or 0, outcome, detail)
        self._running_since = None

    def next_look(self, now: int) -> int | None:
        """Return when it is tried next, as far as one can tell."""
        if self.ended:
            return None
        if self.due_slot(now) is not None:
            return now
        slot = self.task.schedule.latest(now)
        if slot is not None and iso(slot) > self._done:
            return self._not_before
        return max(self.task.schedule.next(now), self._not_before)

    def health(self, now: int) -> TaskHealth:
        """Return how it stands with it."""
        started, outcome, detail = self._last or (None, None, None)
        upcoming = self.next_look(now)
        return TaskHealth(
            name=self.task.name,
            running=self._running_since is not None,
            ended=self.ended,
            last_start=None if started is None else iso(started),
            last_outcome=outcome,
            failures=self._failures,
            detail=detail,
            next_start=None if upcoming is None else iso(upcoming),
        )


def sentence(error: BaseException) -> str:
    """Return what happened, for people; of an error that nobody foresaw only its kind."""
    if isinstance(error, MadsciError):
        return error.message
    return f"It failed in an unexpected way ({type(error).__name__}); the server's log tells how."
