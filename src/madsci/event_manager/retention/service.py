"""Archiving and deleting: when somebody asks for it, and by the policy from time to time."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from madsci.common.clock import Clock, iso, now_us
from madsci.common.errors import OverloadedError, QueryTimeoutError
from madsci.common.types.event_type import EventType
from madsci.common.types.log_level import EventLogLevel
from madsci.event_manager.ingest.own_events import Recorder
from madsci.event_manager.model.budget import Budget
from madsci.event_manager.model.query import MAX_PAGE
from madsci.event_manager.model.selector import And, Selector
from madsci.event_manager.model.tally import Tally
from madsci.event_manager.retention.policy import NOT_ARCHIVED, Due, Policy, archived_for_long
from madsci.event_manager.retention.sweep import Pace, Swept, sweep, sweep_ids
from madsci.event_manager.stores.base import EventStore
from madsci.event_manager.tasks.schedule import Every
from madsci.event_manager.tasks.task import KeepTurn

_logger = logging.getLogger(__name__)

PAUSE: Final = 0.1
"""Seconds between two batches, in which the events are written that came during one."""
MAX_WAITING: Final = 4
"""Requests that may wait for another one to end. Each occupies a thread."""
_COUNTING_SECONDS: Final = 10.0
"""Time for counting what is held, which nobody waits for and nothing depends on."""


@dataclass(frozen=True)
class RunReport:
    """What a run by the policy did. ``complete`` is false when there is more to do."""

    started_at: int
    seconds: float
    archived: int
    deleted: int
    rules: dict[str, dict[str, int]]
    held: int | None
    complete: bool

    def members(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "started_at": iso(self.started_at),
            "duration_seconds": round(self.seconds, 3),
            "archived": self.archived,
            "deleted": self.deleted,
            "rules": self.rules,
            "held": self.held,
            "complete": self.complete,
        }


class Retention:
    """Archives and deletes events of a store. Thread-safe; calls block, as long as there is work.

    Everything is done in batches with pauses between them, can be done again, and goes on where it was
    broken off. Requests are worked on one at a time.
    """

    def __init__(  # noqa: PLR0913 - what it works on and how fast
        self,
        store: EventStore,
        policy: Policy,
        own_events: Recorder,
        *,
        batch_size: int = 1000,
        max_batches: int = 0,
        pause: float = PAUSE,
        clock: Clock = now_us,
    ) -> None:
        self.policy = policy
        self.last_run: RunReport | None = None
        self._store = store
        self._own_events = own_events
        self._batch_size = batch_size
        self._max_batches = max_batches
        self._pause = pause
        self._clock = clock
        self._closed = threading.Event()
        self._places = threading.BoundedSemaphore(MAX_WAITING + 1)
        self._turn = threading.Lock()
        """Held by the request that is worked on."""

    def archive_ids(self, event_ids: Sequence[str], batch_size: int | None = None) -> int:
        """Archive the events with these ids, all of them; return how many were not yet archived.

        Raises:
            OverloadedError: too many requests wait already, or the server is stopping.
        """
        with self._request():
            return self._whole(sweep_ids(event_ids, self._archive, self._pace(batch_size)), "archived")

    def archive(self, selector: Selector, batch_size: int | None = None) -> int:
        """Archive the events that match; return how many. Raises what ``archive_ids`` raises."""
        wanted = archivable(selector)
        with self._request():
            return self._whole(
                sweep(self._store, wanted, self._archive, self._pace(batch_size)), "archived"
            )

    def purge(self, older_than_days: float) -> int:
        """Delete for good what was archived so many days ago, but for what is held; return how many.

        An event tells of it. Raises what ``archive_ids`` raises.
        """
        selector = self.purgeable(older_than_days)
        with self._request():
            swept = sweep(self._store, selector, self._store.delete, self._pace(None))
            if swept.changed:
                self._own_events.record(
                    EventType.LOG_INFO,
                    EventLogLevel.INFO,
                    f"{swept.changed:,} archived events were deleted for good, as a request asked",
                    task="purge",
                    deleted=swept.changed,
                    older_than_days=older_than_days,
                )
            return self._whole(swept, "deleted")

    def purgeable(self, older_than_days: float) -> Selector:
        """Return what ``purge`` deletes."""
        return self.policy.unheld(archived_for_long(older_than_days, self._clock()))

    def run(self, keep_turn: KeepTurn) -> RunReport:
        """Do what the policy says, as far as a run may go, and leave an event that says what that was.

        ``keep_turn`` is asked between batches. A run that finds nothing to do leaves no event.
        """
        now, began = self._clock(), time.monotonic()

        def go_on() -> bool:
            self._rest()
            return keep_turn()  # whoever gave the turn has to know why it was left off

        pace = Pace(min(self._batch_size, MAX_PAGE), self._max_batches, go_on)
        rules: dict[str, dict[str, int]] = {}
        archived = self._apply(self.policy.to_archive(now), self._archive, pace)
        if keep_turn():
            deleted = self._apply(self.policy.to_delete(self._clock()), self._store.delete, pace)
        else:
            deleted = Swept(complete=False)
        for what, swept in (("archived", archived), ("deleted", deleted)):
            for name, number in swept.named.items():
                rules.setdefault(name, {})[what] = number
        report = RunReport(
            now,
            time.monotonic() - began,
            archived.changed,
            deleted.changed,
            rules,
            self._held() if (archived.changed or deleted.changed) and keep_turn() else None,
            archived.complete and deleted.complete,
        )
        self.last_run = report
        if report.archived or report.deleted:
            self._tell(report)
        return report

    def _apply(self, due: Due, change: Callable[[Sequence[str]], int], pace: Pace) -> Swept:
        if not due.of_rule:
            return Swept()
        return sweep(self._store, due.all, change, pace, lambda event: self.policy.rule_of(event).name)

    def _held(self) -> int | None:
        """Return how many events would be deleted if they were not held."""
        if not self.policy.holds:
            return 0
        due = self.policy.held_back(self._clock())
        try:
            (counts,) = self._store.tally([Tally(due, budget=Budget(_COUNTING_SECONDS))])
        except QueryTimeoutError:
            return None
        return sum(one.count for one in counts)

    def _tell(self, report: RunReport) -> None:
        more = "" if report.complete else "; there is more, with which the next run goes on"
        self._own_events.record(
            EventType.LOG_INFO,
            EventLogLevel.INFO,
            f"Retention: {report.archived:,} old events were archived, {report.deleted:,} deleted for"
            f" good{more}",
            task="retention",
            **report.members(),
        )

    def _archive(self, event_ids: Sequence[str]) -> int:
        return self._store.archive(event_ids, self._clock())

    def _pace(self, batch_size: int | None) -> Pace:
        return Pace(min(batch_size or self._batch_size, MAX_PAGE), 0, self._rest)

    def _rest(self) -> bool:
        """Let others write; tell whether to go on."""
        return not self._closed.wait(self._pause)

    @contextlib.contextmanager
    def _request(self) -> Iterator[None]:
        if not self._places.acquire(blocking=False):
            raise OverloadedError(
                f"{MAX_WAITING + 1} requests to archive or delete are under way. Ask again when one of"
                " them has ended.",
                retry_after=10,
            )
        try:
            with self._turn:
                yield
        finally:
            self._places.release()

    def _whole(self, swept: Swept, done: str) -> int:
        if not swept.complete:
            raise OverloadedError(
                f"The server is stopping: {swept.changed:,} events were {done}, and there are more."
                " Send the request again.",
                retry_after=5,
            )
        _logger.info("%d events were %s, as a request asked", swept.changed, done)
        return swept.changed

    def close(self) -> None:
        """Break off what is under way, after the present batch."""
        self._closed.set()


def archivable(selector: Selector) -> Selector:
    """Return what is archived of the events that match."""
    return And((NOT_ARCHIVED, selector))


@dataclass(frozen=True)
class RetentionTask:
    """The runs by the policy as a task."""

    retention: Retention
    schedule: Every
    name: str = "retention"

    def run(self, keep_turn: KeepTurn) -> None:
        """Do a run."""
        self.retention.run(keep_turn)
