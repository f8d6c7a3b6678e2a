"""Who answers jobs: the thread that asks, or a process beside the server (``beside``)."""

from __future__ import annotations

from typing import Any, Protocol

from madsci.event_manager.model.budget import Budget
from madsci.event_manager.search.jobs import Job, StreamJob
from madsci.event_manager.stores.base import EventReader


class Stream(Protocol):
    """The parts of a file, made as they are asked for by one thread at a time."""

    def __next__(self) -> bytes:
        """Return the next part, or raise the error that prevents it."""
        ...

    def close(self) -> None:
        """End the work; any thread may ask for it, at any time."""
        ...


class Answering(Protocol):
    """Answers jobs. Thread-safe; calls block, but for ``cancel``."""

    def ask(self, job: Job, budget: Budget) -> Any:
        """Return the answer of a job, or raise the error that it ended in."""
        ...

    def cancel(self, budget: Budget) -> None:
        """End the job that was asked with this budget; ``ask`` raises ``AbandonedError`` then."""
        ...

    def at_work(self, budget: Budget) -> float | None:
        """Return for how many seconds of a core the job is under way; ``None`` if nobody can tell."""
        ...

    def stream(self, job: StreamJob) -> Stream:
        """Begin to make a file."""
        ...

    def tend(self) -> None:
        """Make ready for the next question, and give back what none needs; from time to time."""
        ...

    def close(self) -> None:
        """End what is under way."""
        ...


class AnsweringHere:
    """Answers in the thread that asks."""

    def __init__(self, events: EventReader) -> None:
        self._events = events

    def ask(self, job: Job, budget: Budget) -> Any:
        """Return the answer."""
        return job.run(self._events, budget)

    def cancel(self, budget: Budget) -> None:
        """End the job at its next look at the budget."""
        budget.cancel()

    def at_work(self, budget: Budget) -> None:
        """Return nothing: it is a thread among others."""

    def stream(self, job: StreamJob) -> Stream:
        """Begin to make a file."""
        return _StreamHere(job, self._events)

    def tend(self) -> None:
        """Do nothing: a thread is always ready."""

    def close(self) -> None:
        """Do nothing: the store stops what runs when it is closed."""


class _StreamHere:
    def __init__(self, job: StreamJob, events: EventReader) -> None:
        self._budget = Budget(job.seconds)
        self._is_closed = False
        self._parts = job.parts(events, self._page_budget)

    def __next__(self) -> bytes:
        if self._is_closed:
            raise StopIteration
        return next(self._parts)

    def close(self) -> None:
        self._is_closed = True
        self._budget.cancel()  # of the page that is being read, if one is

    def _page_budget(self, seconds: float) -> Budget:
        self._budget = Budget(seconds)
        if self._is_closed:
            self._budget.cancel()
        return self._budget
