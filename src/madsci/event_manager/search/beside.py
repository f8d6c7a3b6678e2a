"""Answers in processes beside the server.

A question may keep a core busy for half a minute. In a process of its own it takes nothing from the
threads that take events but the time of a core, and the system prefers those.
"""

from __future__ import annotations

import contextlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from madsci.common.errors import AbandonedError, MadsciError, StoreError
from madsci.event_manager.model.budget import Budget
from madsci.event_manager.search.answering import Stream
from madsci.event_manager.search.jobs import Job, StreamJob
from madsci.event_manager.search.process import OnDamage, ProcessDiedError, WorkerProcess
from madsci.event_manager.search.watchdog import Watchdog

_IDLE: Final = 30.0
"""Seconds after which a process that nobody needed is ended, but for the last one."""
_MAX_TRIES: Final = 5
"""Processes that a question meets at most; those that die before they are at work do it no harm."""


class AnsweringBeside:
    """Answers in processes that open the same events for reading.

    A question takes an idle process, a stream has one of its own while it lasts. A process that dies is
    replaced, and its question asked once more. One more is started than there are questions, up to
    ``ready`` processes, so that the next question need not wait for its start. ``on_damage`` is told of
    the damage that they meet, by the thread that asks, before it has its answer.
    """

    def __init__(self, url: str, on_damage: OnDamage, ready: int = 1) -> None:
        self._url = url
        self._on_damage = on_damage
        self._ready = ready
        self._idle: list[WorkerProcess] = []
        self._all: frozenset[WorkerProcess] = frozenset()
        """Replaced under the lock and read without: the event loop must not wait for a start."""
        self._lock = threading.Lock()
        # Not a thread for each: the event loop, which asks for it, would wait for its start.
        self._interrupting = ThreadPoolExecutor(max(1, ready), "interrupt")
        self._watchdog = Watchdog()
        self._watchdog.start()
        self._closed = False

    def ask(self, job: Job, budget: Budget) -> Any:
        """Return the answer.

        Raises:
            QueryTimeoutError: the process did not answer in time and was ended.
            AbandonedError: the job was cancelled.
            StoreError: the process died, and so did the next one.
        """
        died = 0
        for _ in range(_MAX_TRIES):
            try:
                return self._ask(job, budget)
            except AbandonedError:  # may have been meant for the job before
                budget.check()
            except ProcessDiedError as error:
                budget.check()
                died += error.was_at_work
                if died > 1:
                    raise
        raise StoreError("No process for questions stays alive; the server's log may tell why.")

    def _ask(self, job: Job, budget: Budget) -> Any:
        worker = self.take()
        try:
            return worker.ask(job, budget)
        finally:
            self.give_back(worker)

    def cancel(self, budget: Budget) -> None:
        """Have the process that is at this job leave it off, or end it."""
        budget.cancel()
        worker = self._worker_at(budget)
        if worker is not None:
            with contextlib.suppress(RuntimeError):  # closed: all processes are ended
                self._interrupting.submit(worker.interrupt, budget)

    def at_work(self, budget: Budget) -> float | None:
        """Return for how many seconds of a core the job is under way; ``None`` if nobody can tell."""
        worker = self._worker_at(budget)
        return 0.0 if worker is None else worker.at_work

    def _worker_at(self, budget: Budget) -> WorkerProcess | None:
        return next((one for one in self._all if one.is_at(budget)), None)

    def stream(self, job: StreamJob) -> Stream:
        """Begin to make a file; its parts raise what ``ask`` raises."""
        return _StreamBeside(self, job)

    def take(self) -> WorkerProcess:
        """Return an idle process, or a new one.

        Raises:
            StoreError: the server is stopping.
        """
        with self._lock:
            self._check_open()
            worker = self._usable() or self._start()
            self._have_one_ready()
            return worker

    def _usable(self) -> WorkerProcess | None:
        while self._idle:
            worker = self._idle.pop()
            if worker.is_usable:
                return worker
            self._all -= {worker}
            worker.end()
        return None

    def give_back(self, worker: WorkerProcess) -> None:
        """Keep a process for the next question, or end it where it cannot answer one."""
        with self._lock:
            if worker.is_usable and not self._closed:
                worker.idle_since = time.monotonic()
                self._idle.append(worker)
                return
            self._all -= {worker}
        worker.end()

    def tend(self) -> None:
        """Have one process ready, replace the dead, and end those that nobody has needed lately."""
        with self._lock:
            if self._closed:
                return
            long_ago = time.monotonic() - _IDLE
            leaving = [one for one in self._idle if not one.is_usable]
            leaving += [one for one in self._idle[:-1] if one.idle_since < long_ago]
            self._all -= set(leaving)
            self._idle = [one for one in self._idle if one not in leaving]
            self._have_one_ready()
        for worker in leaving:
            worker.end()

    def _have_one_ready(self) -> None:
        if not self._idle and len(self._all) < self._ready:
            self._idle.append(self._start())

    def _start(self) -> WorkerProcess:
        worker = WorkerProcess(self._url, self._on_damage, self._watchdog)
        self._all |= {worker}
        return worker

    def _check_open(self) -> None:
        if self._closed:
            raise StoreError("The server is stopping.")

    def close(self) -> None:
        """End all processes."""
        with self._lock:
            self._closed = True
        for worker in self._all:
            worker.end()
        self._watchdog.close()
        self._interrupting.shutdown(wait=False, cancel_futures=True)


class _StreamBeside:
    def __init__(self, owner: AnsweringBeside, job: StreamJob) -> None:
        self._owner = owner
        self._job = job
        self._worker = owner.take()
        self._has_begun = False
        self._lock = threading.Lock()
        self._ended = False

    def __next__(self) -> bytes:
        if self._ended:
            raise StopIteration
        try:
            part = self._next_part()
        except MadsciError:
            self._end()
            raise
        if part is None:
            self._end()
            raise StopIteration
        return part

    def _next_part(self) -> bytes | None:
        if self._has_begun:
            return self._worker.next_part(self._job)
        self._has_begun = True
        try:
            return self._worker.begin(self._job)
        except ProcessDiedError:
            self._replace()
        return self._worker.begin(self._job)

    def _replace(self) -> None:
        """Take another process in place of one that died."""
        with self._lock:
            if not self._ended:
                self._owner.give_back(self._worker)
                self._worker = self._owner.take()

    def close(self) -> None:
        if not self._ended:
            self._worker.is_broken = True  # it is in the middle of a file that nobody wants
            self._end()

    def _end(self) -> None:
        with self._lock:
            ended, self._ended = self._ended, True
        if not ended:
            self._owner.give_back(self._worker)
