"""Archiving and deleting: when somebody asks for it, and by the policy from time to time."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from madsci.common.clock import Clock, iso, now_us
from madsci.common.errors import OverloadedError, QueryTimeoutError, StoreError
from madsci.common.types.event_type import EventType
from madsci.common.types.log_level import EventLogLevel
from madsci.event_manager.ingest.own_events import Recorder
from madsci.event_manager.model.budget import Budget
from madsci.event_manager.model.query import MAX_PAGE
from madsci.event_manager.model.selector import NOT_ARCHIVED, And, Selector
from madsci.event_manager.model.tally import Tally
from madsci.event_manager.retention.clock_guard import ClockGuard
from madsci.event_manager.retention.policy import Due, Policy, archived_for_long
from madsci.event_manager.retention.sweep import Pace, Swept, sweep, sweep_ids
from madsci.event_manager.stores.base import EventStore
from madsci.event_manager.tasks.schedule import Every
from madsci.event_manager.tasks.task import KeepTurn

_logger = logging.getLogger(__name__)

PAUSE: Final = 0.1
"""Seconds between two batches, in which the events are written that came during one."""
MAX_WAITING: Final = 4
"""Requests that may wait for another one to end. Each occupies a thread."""
MANY: Final = 1_000
"""Events of which a request deletes more only after a backup; fewer somebody may write down again."""
_COUNTING_SECONDS: Final = 10.0
"""Time for counting what is held, and what is to be deleted; nothing but a number depends on it."""

BackUp = Callable[[Callable[[], bool]], Path | None]
"""Makes a backup, asking on the way whether to go on, and returns where it is; ``None`` where the store
keeps nothing. Raises what ``Backups.create`` raises."""


@dataclass(frozen=True)
class Purged:
    """What a request deleted, and the backup that was made before."""

    deleted: int
    backup: Path | None


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

    Before much is deleted ``back_up`` is called; ``None`` makes no backups. The policy does nothing
    while ``guard`` does not believe the clock; ``None`` believes any.
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
        guard: ClockGuard | None = None,
        back_up: BackUp | None = None,
    ) -> None:
        self.policy = policy
        self.last_run: RunReport | None = None
        self._store = store
        self._own_events = own_events
        self._batch_size = batch_size
        self._max_batches = max_batches
        self._pause = pause
        self._clock = clock
        self._back_up = back_up
        self._guard = guard
        self._closed = threading.Event()
        self._places = threading.BoundedSemaphore(MAX_WAITING + 1)
        self._at_work = threading.Lock()
        """Held by the request that is worked on."""

    def archive_ids(self, event_ids: Sequence[str], batch_size: int | None = None) -> int:
        """Archive the events with these ids, all of them; return how many were not yet archived.

        Raises:
            OverloadedError: too many requests wait already, or the server is stopping.
        """
        with self._request():
            return self._whole(
                sweep_ids(event_ids, self._archiving(), self._pace(batch_size)), "archived"
            )

    def archive(self, selector: Selector, batch_size: int | None = None) -> int:
        """Archive the events that match; return how many. Raises what ``archive_ids`` raises."""
        wanted = archivable(selector)
        with self._request():
            return self._whole(
                sweep(self._store, wanted, self._archiving(), self._pace(batch_size)), "archived"
            )

    def purge(self, older_than_days: float, *, backup: bool = True) -> Purged:
        """Delete for good what was archived so many days ago, but for what is held.

        An event tells of it. With ``backup`` one is made before, if that are more than ``MANY`` events
        or most of those that are stored. Raises what ``archive_ids`` raises, and:

        Raises:
            StoreError: the backup could not be made; nothing was deleted.
        """
        selector = self.purgeable(older_than_days)
        with self._request():
            made = self._backed_up(selector) if backup else None
            swept = sweep(self._store, selector, self._store.delete, self._pace(None))
            if swept.changed:
                self._own_events.record(
                    EventType.LOG_INFO,
                    EventLogLevel.INFO,
                    f"{swept.changed:,} archived events were deleted for good, as a request asked",
                    task="purge",
                    deleted=swept.changed,
                    older_than_days=older_than_days,
                    backup_path=None if made is None else str(made),
                )
            return Purged(self._whole(swept, "deleted"), made)

    def _backed_up(self, selector: Selector) -> Path | None:
        """Make a backup if a request is about to delete much; return where it is."""
        number = self._number(selector)
        if self._back_up is None or number == 0:
            return None
        if number is not None and number <= MANY and not self._is_most(number):
            return None
        return self._make_backup(self._back_up, lambda: not self._closed.is_set())

    def _make_backup(self, back_up: BackUp, go_on: Callable[[], bool]) -> Path | None:
        try:
            return back_up(go_on)
        except StoreError as error:
            raise type(error)(
                f"Nothing was deleted, since no backup could be made before: {error.message} To delete"
                " without one, say backup=false in the request, or set EVENT_BACKUP_BEFORE_PURGE=false."
            ) from error

    def _is_most(self, number: int) -> bool:
        return 2 * number > self._store.count()

    def _number(self, selector: Selector) -> int | None:
        """Return how many events match; ``None`` where counting takes too long."""
        try:
            (counts,) = self._store.tally([Tally(selector, budget=Budget(_COUNTING_SECONDS))])
        except QueryTimeoutError:
            return None
        return sum(one.count for one in counts)

    def purgeable(self, older_than_days: float) -> Selector:
        """Return what ``purge`` deletes."""
        return self.policy.unheld(archived_for_long(older_than_days, self._clock()))

    def run(self, keep_turn: KeepTurn) -> RunReport:
        """Do what the policy says, as far as a run may go, and leave an event that says what that was.

        ``keep_turn`` is asked between batches. A run that finds nothing to do leaves no event.

        Raises:
            HeldBackError: the clock may be ahead.
            StoreError: the store cannot do it, or no backup could be made before most was deleted.
        """
        now, began = self._clock(), time.monotonic()
        if self._guard is not None:
            self._guard.check(now)

        def go_on() -> bool:
            self._rest()
            return keep_turn()  # whoever gave the turn has to know why it was left off

        pace = Pace(min(self._batch_size, MAX_PAGE), self._max_batches, go_on)
        rules: dict[str, dict[str, int]] = {}
        archived = self._apply(self.policy.to_archive(now), self._archiving(), pace)
        if keep_turn():
            due = self.policy.to_delete(now)
            self._back_up_before_most_goes(due, pace, keep_turn)
            deleted = self._apply(due, self._store.delete, pace)
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
            self._held(now) if (archived.changed or deleted.changed) and keep_turn() else None,
            archived.complete and deleted.complete,
        )
        self.last_run = report
        if report.archived or report.deleted:
            self._tell(report)
        return report

    def confirm_clock(self) -> int:
        """Believe the clock from now on, since somebody says that it is right; return its time."""
        return self._clock() if self._guard is None else self._guard.confirm()

    def _apply(self, due: Due, change: Callable[[Sequence[str]], int], pace: Pace) -> Swept:
        if not due.of_rule:
            return Swept()
        return sweep(self._store, due.all, change, pace, lambda event: self.policy.rule_of(event).name)

    def _back_up_before_most_goes(self, due: Due, pace: Pace, keep_turn: KeepTurn) -> None:
        """Make a backup before most of the store is deleted; what goes day by day needs none."""
        if self._back_up is None or not due.of_rule:
            return
        if pace.batches and not self._is_most(pace.batches * pace.batch):
            return  # without counting, where one run cannot delete so much
        number = self._number(due.all)
        if number is None or self._is_most(number):
            self._make_backup(self._back_up, keep_turn)

    def _held(self, now: int) -> int | None:
        """Return how many events would be deleted if they were not held."""
        return self._number(self.policy.held_back(now)) if self.policy.holds else 0

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

    def _archiving(self) -> Callable[[Sequence[str]], int]:
        """Return what archives events now, by a clock that is behind as of the latest known time.

        Else the policy would delete them as soon as the clock is right.
        """
        latest = None if self._guard is None else self._guard.latest()
        now = self._clock()
        at = now if latest is None else max(now, latest)
        return lambda event_ids: self._store.archive(event_ids, at)

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
            with self._at_work:
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
