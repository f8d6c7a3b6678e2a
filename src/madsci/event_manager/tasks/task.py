"""A task that is done from time to time, and how it stands with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from madsci.common.clock import iso
from madsci.common.errors import HeldBackError, MadsciError, StoreUnavailableError
from madsci.common.types.health import TaskHealth
from madsci.event_manager.tasks.clock_watch import SKEW_US
from madsci.event_manager.tasks.schedule import Schedule

_HELD: Final = "held"

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

        ``HeldBackError`` says that it must not be done now; it is asked again soon. Whatever else it
        raises is a failure: it is logged, and the task is done again later.
        """
        ...


@dataclass(frozen=True)
class Pauses:
    """How patient a runner is, in seconds."""

    look: float = 60.0
    """Until a task is asked for again that another server has, or that is held back. When that server
    was killed, this is the delay."""
    clock: float = 2.0
    """Longest time between two looks at the clock, which may be set."""
    turn: float = 120.0
    """How long a turn lasts that is not renewed. It is renewed three times as often."""
    first_retry: float = 30.0
    """Until a task is tried again that failed once; doubles with each failure."""
    longest_retry: float = 3600.0


class TaskState:
    """What is known about a task in this process. Not thread-safe.

    Slots are microseconds of the clock, which may be set. When it may be tried again is told in seconds
    that only go on (``elapsed``).
    """

    def __init__(self, task: Task, *, ends_on_failure: bool) -> None:
        self.task = task
        self._ends_on_failure = ends_on_failure
        self._done: int | None = None
        self._not_before = 0.0
        self._failures = 0
        self._last: tuple[int, str, str | None] | None = None
        self._running_since: int | None = None
        self.ended = False

    def due_slot(self, now: int, elapsed: float) -> int | None:
        """Return the slot that is to be tried now."""
        return None if self.ended or elapsed < self._not_before else self._open_slot(now)

    def _open_slot(self, now: int) -> int | None:
        """Return the present slot if it is not done; one that was done in the future does not count."""
        slot = self.task.schedule.latest(now)
        is_done = slot is not None and self._done is not None and slot <= self._done <= now + SKEW_US
        return None if is_done else slot

    @property
    def is_held(self) -> bool:
        """Whether it was held back when it was tried last."""
        return self._last is not None and self._last[1] == _HELD

    def started(self, now: int) -> None:
        """Note that it runs."""
        self._running_since = now

    def finished(self, slot: int) -> None:
        """Note that it was done for a slot."""
        self._done = slot
        self._failures = 0
        self._note("done", None)

    def interrupted(self, elapsed: float, pauses: Pauses) -> None:
        """Note that it was left undone."""
        self._note("interrupted", None)
        self.later(elapsed + pauses.look)

    def held(self, elapsed: float, error: HeldBackError, pauses: Pauses) -> None:
        """Note that it must not be done now. That is no failure."""
        self._failures = 0
        self._note(_HELD, error.message)
        self.later(elapsed + pauses.look)

    def clock_was_set(self) -> None:
        """Forget that it was held back, and by what: it may have been the clock."""
        if self.is_held:
            self._last = None
            self._not_before = 0.0

    def failed(self, now: int, elapsed: float, error: BaseException, pauses: Pauses) -> bool:
        """Note that it failed; tell whether that is news. What is only away for now is no end."""
        self._running_since = self._running_since or now
        known = self._last[2] if self._failures and self._last is not None else None
        self._failures += 1
        self._note("failed", sentence(error))
        doubled = pauses.first_retry * 2.0 ** min(self._failures - 1, 30)
        self.later(elapsed + min(doubled, pauses.longest_retry))
        self.ended = self._ends_on_failure and not isinstance(error, StoreUnavailableError)
        return self.ended or sentence(error) != known

    def later(self, elapsed: float) -> None:
        """Leave it alone until then."""
        self._not_before = elapsed

    def _note(self, outcome: str, detail: str | None) -> None:
        self._last = (self._running_since or 0, outcome, detail)
        self._running_since = None

    def rest(self, now: int, elapsed: float) -> float | None:
        """Return in how many seconds it is tried next, as far as one can tell; ``None`` for never."""
        if self.ended:
            return None
        pause = max(0.0, self._not_before - elapsed)
        if self._open_slot(now) is not None:
            return pause
        return max(pause, (self.task.schedule.next(now) - now) / 1_000_000)

    def health(self, now: int, elapsed: float) -> TaskHealth:
        """Return how it stands with it."""
        started, outcome, detail = self._last or (None, None, None)
        rest = self.rest(now, elapsed)
        return TaskHealth(
            name=self.task.name,
            running=self._running_since is not None,
            ended=self.ended,
            last_start=None if started is None else iso(started),
            last_outcome=outcome,
            failures=self._failures,
            detail=detail,
            next_start=None if rest is None else iso(now + round(rest * 1_000_000)),
        )


def sentence(error: BaseException) -> str:
    """Return what happened, for people; of an error that nobody foresaw only its kind."""
    if isinstance(error, MadsciError):
        return error.message
    return f"It failed in an unexpected way ({type(error).__name__}); the server's log tells how."
