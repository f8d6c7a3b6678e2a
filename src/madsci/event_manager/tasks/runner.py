"""The thread that does the tasks, one after the other."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Collection, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait

from madsci.common.clock import Clock, iso, now_us
from madsci.common.errors import HeldBackError, MadsciError, StoreError
from madsci.common.lengths import duration
from madsci.common.types.event_type import EventType
from madsci.common.types.health import TaskHealth
from madsci.common.types.log_level import EventLogLevel
from madsci.event_manager.ingest.own_events import Recorder
from madsci.event_manager.tasks.clock_watch import ClockWatch, Elapsed
from madsci.event_manager.tasks.task import Pauses, Task, TaskState, sentence
from madsci.event_manager.tasks.turn import Turn, TurnStore, horizon, last_done

_logger = logging.getLogger(__name__)


class TaskRunner:
    """Does each task once a slot, of all servers of a store. Owns two threads.

    One keeps the time and the turns; the other does the tasks, so that a turn is renewed however long
    a task blocks, and nothing that a task raises ends the first. The task whose slot began first is
    done first, so that one that takes long does not keep the others from their turn.

    The clock may be set. Slots are those of the present clock, whatever was done by one that was ahead;
    pauses are times that pass. Each step of the clock is told through ``events``.

    ``ends_on_failure`` names tasks that are not tried again when they failed, but for a store that
    is away.
    """

    def __init__(  # noqa: PLR0913 - what it needs, and how patient it is
        self,
        store: TurnStore,
        tasks: Sequence[Task],
        holder: str,
        events: Recorder,
        *,
        ends_on_failure: Collection[str] = (),
        clock: Clock = now_us,
        elapsed: Elapsed = time.monotonic,
        pauses: Pauses | None = None,
    ) -> None:
        self._store = store
        self._holder = holder
        self._events = events
        self._clock = clock
        self._elapsed = elapsed
        self._watch = ClockWatch(clock, elapsed)
        self._told_of: dict[str, str] = {}
        """By task the slot in the future of which it was told."""
        self._pauses = pauses or Pauses()
        self._lock = threading.Lock()
        """Held by the thread that reads or changes the progress."""
        self._progress = [
            TaskState(task, ends_on_failure=task.name in ends_on_failure) for task in tasks
        ]
        self._stopping = threading.Event()
        self._worker = ThreadPoolExecutor(1, "task")
        self._thread = threading.Thread(target=self._run, name="task-runner", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    @property
    def running(self) -> bool:
        """Whether tasks are done when their time comes."""
        return self._thread.is_alive()

    def stats(self) -> list[TaskHealth]:
        """Return how it stands with each task."""
        now, elapsed = self._clock(), self._elapsed()
        with self._lock:
            return [one.health(now, elapsed) for one in self._progress]

    def close(self, deadline: float) -> bool:
        """Tell the task at work to return, and stop; tell whether that was done in time (seconds)."""
        self._stopping.set()
        self._worker.shutdown(wait=False)
        if self._thread.ident is not None:
            self._thread.join(deadline)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while not self._stopping.is_set():
            if step := self._watch.step():
                self._clock_was_set(step)
            due = self._due()
            if due is None:
                self._stopping.wait(self._rest())
            else:
                self._try(*due)

    def _clock_was_set(self, step: int) -> None:
        with self._lock:
            for one in self._progress:
                one.clock_was_set()
        direction = "forward" if step > 0 else "back"
        slept = ", or this machine slept" if step > 0 else ""
        self._warn(
            f"The clock of this server was set {direction} by {duration(step)}{slept}: it is"
            f" {iso(self._clock())} now. Times of events from before and after that do not compare.",
            clock_step_seconds=step / 1_000_000,
        )

    def _warn(self, message: str, **members: float | str) -> None:
        self._events.record(EventType.LOG_WARNING, EventLogLevel.WARNING, message, **members)

    def _due(self) -> tuple[TaskState, int] | None:
        now, elapsed = self._clock(), self._elapsed()
        with self._lock:
            slots = [(one, one.due_slot(now, elapsed)) for one in self._progress]
        due = [(one, slot) for one, slot in slots if slot is not None]
        return min(due, key=lambda pair: pair[1], default=None)

    def _rest(self) -> float:
        now, elapsed = self._clock(), self._elapsed()
        with self._lock:
            rests = [rest for one in self._progress if (rest := one.rest(now, elapsed)) is not None]
        return min(max(min(rests, default=self._pauses.clock), 0.001), self._pauses.clock)

    def _try(self, progress: TaskState, slot: int) -> None:
        task = progress.task
        turn = Turn(
            self._store, task.name, iso(slot), self._holder,
            seconds=self._pauses.turn, clock=self._clock,
        )  # fmt: skip
        try:
            self._tell_of_future(task.name)
            is_ours = turn.take()
        except StoreError as error:
            self._failed(progress, error)
            return
        if not is_ours:  # done, or another server is at it; if that one dies it ends undone
            with self._lock:
                progress.later(self._elapsed() + self._pauses.look)
            return
        with self._lock:
            progress.started(self._clock())
        failure = self._do(task, turn)
        is_done = failure is None and not turn.was_denied
        turn.give_back(done=is_done)
        if isinstance(failure, HeldBackError):
            self._held(progress, failure)
            return
        if failure is not None:
            self._failed(progress, failure)
            return
        with self._lock:
            if is_done:
                progress.finished(slot)
            else:
                progress.interrupted(self._elapsed(), self._pauses)

    def _tell_of_future(self, task: str) -> None:
        """Say once that a task was done at a time that is yet to come, which does not count."""
        done = last_done(self._store, task)
        if done is None or done <= horizon(self._clock()) or self._told_of.get(task) == done:
            return
        self._told_of[task] = done
        self._warn(
            f"The task {task} was done for {done}, which lies in the future: the clock of the server"
            " that did it was ahead, or this one's is behind. It is done again as this clock says.",
            task=task,
            done=done,
        )

    def _do(self, task: Task, turn: Turn) -> BaseException | None:
        """Do the task in the other thread, keeping its turn; return what it raised."""

        def keep_turn() -> bool:
            return turn.keep(self._stopping)

        def run() -> None:
            if keep_turn():
                task.run(keep_turn)

        try:
            done: Future[None] = self._worker.submit(run)
        except RuntimeError:  # the runner is being closed
            turn.was_denied = True
            return None
        while wait([done], self._pauses.turn / 3).not_done:
            turn.renew()
        return done.exception()

    def _held(self, progress: TaskState, error: HeldBackError) -> None:
        with self._lock:
            is_new = not progress.is_held
            progress.held(self._elapsed(), error, self._pauses)
        if is_new:
            self._warn(error.message, task=progress.task.name)

    def _failed(self, progress: TaskState, error: BaseException) -> None:
        with self._lock:
            is_news = progress.failed(self._clock(), self._elapsed(), error, self._pauses)
        if not is_news:
            return
        unforeseen = None if isinstance(error, MadsciError) else error
        remedy = "It is not tried again until the server is restarted." if progress.ended else ""
        _logger.error(
            "The task %s failed. %s %s",
            progress.task.name, sentence(error), remedy, exc_info=unforeseen,
        )  # fmt: skip
