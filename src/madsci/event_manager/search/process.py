"""A process that answers, as the server sees it."""

from __future__ import annotations

import contextlib
import logging
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import IO, Any, Final, cast

from madsci.common.errors import AbandonedError, MadsciError, QueryTimeoutError, StoreError
from madsci.event_manager.model.budget import Budget
from madsci.event_manager.search.jobs import Job, StreamJob
from madsci.event_manager.search.watchdog import Watchdog
from madsci.event_manager.search.worker import ALIVE, ANSWER, CHUNK, DAMAGE, END, ERROR
from madsci.event_manager.stores.base import Damage

_logger = logging.getLogger(__name__)

OnDamage = Callable[[Sequence[Damage]], None]

_GRACE: Final = 1.0
"""Seconds beyond its budget after which a process that does not answer is ended."""
_START: Final = 30.0
"""Seconds until a new process gives its first sign of life, on a machine that has much to do."""
_HEED: Final = 0.25
"""Seconds in which a process leaves off a job when it is told to; it looks every few milliseconds."""
_INSIST: Final = 0.02
"""Seconds between two times of telling it."""
_KILL: Final = getattr(signal, "SIGKILL", signal.SIGTERM)
_LEAVE_OFF: Final = getattr(signal, "SIGUSR1", _KILL)
"""Where there is no signal of this kind, the process is ended at once."""
_MAX_RESIDENT: Final = 160_000_000
"""Bytes of memory above which a process is not kept: four times what one takes that did little."""


class ProcessDiedError(StoreError):
    """A process for questions has ended; ``was_at_work`` if it may have been of what it was asked."""

    was_at_work = True


class WorkerProcess:
    """One process, asked by one thread at a time; ``interrupt`` and ``end`` are for any thread.

    ``on_damage`` is told of the damage that it meets, by the thread that asks.
    """

    def __init__(self, url: str, on_damage: OnDamage, watchdog: Watchdog) -> None:
        self._on_damage = on_damage
        self._watchdog = watchdog
        self._process = subprocess.Popen(  # noqa: S603 - ourselves
            [sys.executable, "-m", "madsci.event_manager.search.worker", url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._lock = threading.Lock()
        self._budget: Budget | None = None
        self._worked_before = 0.0
        self._was_slow = False
        self._has_started = False
        self.is_broken = False
        self.idle_since = time.monotonic()

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._process.pid

    @property
    def is_usable(self) -> bool:
        """Whether it can be asked: it runs, and is not amid something that nobody wants."""
        return not self.is_broken and self._process.poll() is None

    def ask(self, job: Job, budget: Budget) -> Any:
        """Return the answer of a job, or raise the error that it ended in.

        Raises:
            ProcessDiedError: the process ended before it answered.
            QueryTimeoutError: it did not answer in time, and was ended.
            AbandonedError: the job was interrupted.
        """
        with self._interruptible(budget):
            if budget.is_cancelled:
                raise AbandonedError
            self._await_start()
            self._send(job, budget)
            kind, value = self._next_reply(budget.left)
        if kind == ANSWER:
            return value
        raise _error_of(kind, value)

    def begin(self, job: StreamJob) -> bytes | None:
        """Return the first part of a file, ``None`` for an empty one; raises what ``ask`` raises."""
        self._await_start()
        self._send(job, Budget(job.seconds))
        return self.next_part(job)

    def next_part(self, job: StreamJob) -> bytes | None:
        """Return the next part, ``None`` at the end; raises what ``ask`` raises."""
        kind, value = self._next_reply(job.seconds)
        if kind == CHUNK:
            return bytes(value)
        if kind == END:
            return None
        raise _error_of(kind, value)

    def interrupt(self, budget: Budget) -> None:
        """Have the job with this budget left off, if it is the one under way; does not wait."""
        if self.is_at(budget):
            threading.Thread(target=self._insist, args=[budget], daemon=True).start()

    def _insist(self, budget: Budget) -> None:
        """Tell the process again and again, since it may not have read the job yet, then end it.

        One that is still starting ends at once.
        """
        deadline = time.monotonic() + _HEED
        while time.monotonic() < deadline:
            if not self.is_at(budget, _LEAVE_OFF):
                return
            time.sleep(_INSIST)
        self.is_at(budget, _KILL)

    def is_at(self, budget: Budget, then: int | None = None) -> bool:
        """Tell whether the job with this budget is under way, and if so, send a signal, if any."""
        with self._lock:  # so that no signal is meant for one job and meets another
            if self._budget is not budget:
                return False
            if then is not None:
                self._process.send_signal(then)
            return True

    @property
    def at_work(self) -> float | None:
        """The seconds of a core that the job has taken; ``None`` where the system does not tell.

        The start of a process is no work at a job.
        """
        worked = _seconds_of_core(self.pid)
        if worked is None:
            return None
        return worked - self._worked_before if self._has_started else 0.0

    @contextlib.contextmanager
    def _interruptible(self, budget: Budget) -> Iterator[None]:
        self._worked_before = _seconds_of_core(self.pid) or 0.0
        with self._lock:
            self._budget = budget
        try:
            yield
        finally:
            with self._lock:
                self._budget = None

    def _await_start(self) -> None:
        if self._has_started:
            return
        try:
            self._read(_START)
        except ProcessDiedError as error:
            error.was_at_work = False
            raise
        self._worked_before = _seconds_of_core(self.pid) or 0.0
        self._has_started = True

    def _send(self, job: Job | StreamJob, budget: Budget) -> None:
        pickled = pickle.dumps((job, budget.seconds, budget.left), pickle.HIGHEST_PROTOCOL)
        with self._patience(budget.left):
            self._jobs.write(pickled)
            self._jobs.flush()

    def _next_reply(self, seconds: float) -> tuple[str, Any]:
        while True:
            kind, value, resident = self._read(seconds)
            if resident > _MAX_RESIDENT:
                self.is_broken = True  # memory that was used once is hardly ever given back
            if kind == DAMAGE:
                self._on_damage(value)
            elif kind != ALIVE:
                return kind, value

    def _read(self, seconds: float) -> tuple[str, Any, int]:
        with self._patience(seconds):
            reply: tuple[str, Any, int] = pickle.load(self._replies)  # noqa: S301 - of our own process
            return reply

    @contextlib.contextmanager
    def _patience(self, seconds: float) -> Iterator[None]:
        with self._watchdog.watching(max(0.0, seconds) + _GRACE, self._give_up):
            try:
                yield
            except (EOFError, OSError, ValueError, pickle.UnpicklingError) as error:
                raise self._death() from error

    @property
    def _jobs(self) -> IO[bytes]:
        return cast("IO[bytes]", self._process.stdin)

    @property
    def _replies(self) -> IO[bytes]:
        return cast("IO[bytes]", self._process.stdout)

    def _give_up(self) -> None:
        self._was_slow = True
        self._process.kill()

    def _death(self) -> MadsciError:
        self.is_broken = True
        if self._was_slow:
            return QueryTimeoutError("The question was stopped: it took longer than questions may.")
        return ProcessDiedError(
            "The process that answered the question has ended, and so did the one that was to answer it"
            " instead; the server's log may tell why. Ask again."
        )

    def end(self) -> None:
        """End the process, and whatever it does."""
        self.is_broken = True
        self._process.kill()
        for pipe in (self._jobs, self._replies):
            _close(pipe)
        self._process.wait()


def _seconds_of_core(pid: int) -> float | None:
    """Return what a process has taken, by the clock that Linux has for each (clock_getcpuclockid)."""
    if sys.platform != "linux":
        return None
    try:
        return time.clock_gettime((~pid << 3) | 2)
    except OSError:
        return None


def _close(pipe: IO[bytes]) -> None:
    try:
        pipe.close()
    except OSError:  # what was not sent is lost with the process
        _logger.debug("A process for questions was ended while it was asked.")


def _error_of(kind: str, value: Any) -> MadsciError:
    if kind == ERROR and isinstance(value, MadsciError):
        return value
    return StoreError(f"An odd reply came: {kind} {value!r:.80}")
