"""Where questions are answered: in processes beside the server, or in the server itself.

A question may keep a core busy for half a minute. In a process of its own it takes nothing from the
threads that take events but the time of a core, and the system prefers those.
"""

from __future__ import annotations

import logging
import pickle
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import IO, Any, Final, Protocol, cast

from madsci.common.errors import MadsciError, QueryTimeoutError, StoreError
from madsci.event_manager.search.jobs import Job, StreamJob
from madsci.event_manager.search.worker import ALIVE, ANSWER, CHUNK, DAMAGE, END
from madsci.event_manager.stores.base import Damage, EventReader

_logger = logging.getLogger(__name__)

OnDamage = Callable[[Sequence[Damage]], None]

_GRACE: Final = 1.0
"""Seconds beyond its budget after which a process that does not answer is ended."""
_START: Final = 30.0
"""Seconds until a new process gives its first sign of life, on a machine that has much to do."""


class Stream(Protocol):
    """The parts of a file, made as they are asked for by one thread at a time."""

    def __next__(self) -> bytes:
        """Return the next part, or raise the error that prevents it."""
        ...

    def close(self) -> None:
        """End the work; any thread may ask for it, at any time."""
        ...


class Answering(Protocol):
    """Answers jobs. Thread-safe; calls block."""

    def ask(self, job: Job) -> Any:
        """Return the answer of a job, or raise the error that it ended in."""
        ...

    def stream(self, job: StreamJob) -> Stream:
        """Begin to make a file."""
        ...

    def close(self) -> None:
        """End what is under way."""
        ...


class AnsweringHere:
    """Answers in the thread that asks."""

    def __init__(self, events: EventReader) -> None:
        self._events = events

    def ask(self, job: Job) -> Any:
        """Return the answer."""
        return job.run(self._events)

    def stream(self, job: StreamJob) -> Stream:
        """Begin to make a file."""
        return _StreamHere(job.chunks(self._events))

    def close(self) -> None:
        """Do nothing: the store stops what runs when it is closed."""


class _StreamHere:
    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks: Iterator[bytes] = chunks
        self._lock = threading.Lock()

    def __next__(self) -> bytes:
        with self._lock:
            return next(self._chunks)

    def close(self) -> None:
        with self._lock:  # the part that is being made is made to its end, within its budget
            self._chunks = iter(())


class AnsweringBeside:
    """Answers in processes that open the same events for reading; they are started when needed.

    A question takes an idle process, a stream has one of its own while it lasts. ``on_damage`` is told
    of the damage that they meet, by the thread that asks, before it has its answer.
    """

    def __init__(self, url: str, on_damage: OnDamage) -> None:
        self._url = url
        self._on_damage = on_damage
        self._idle: queue.LifoQueue[_Worker] = queue.LifoQueue()
        self._all: set[_Worker] = set()
        self._lock = threading.Lock()
        self._closed = False

    def ask(self, job: Job) -> Any:
        """Return the answer.

        Raises:
            QueryTimeoutError: the process did not answer in time and was ended.
            StoreError: the process died.
        """
        worker = self.take()
        try:
            kind, value = worker.ask(job)
        finally:
            self.give_back(worker)
        if kind == ANSWER:
            return value
        raise _error(value)

    def stream(self, job: StreamJob) -> Stream:
        """Begin to make a file; its parts raise what ``ask`` raises."""
        return _StreamBeside(self, job)

    def take(self) -> _Worker:
        """Return an idle process, or a new one.

        Raises:
            StoreError: the server is stopping.
        """
        with self._lock:
            if self._closed:
                raise StoreError("The server is stopping.")
            try:
                return self._idle.get_nowait()
            except queue.Empty:
                worker = _Worker(self._url, self._on_damage)
                self._all.add(worker)
                return worker

    def give_back(self, worker: _Worker) -> None:
        """Keep a process for the next question, or end it where it cannot answer one."""
        with self._lock:
            if not worker.is_broken and not self._closed:
                self._idle.put(worker)
                return
            self._all.discard(worker)
        worker.end()

    def close(self) -> None:
        """End all processes."""
        with self._lock:
            self._closed = True
            workers = list(self._all)
        for worker in workers:
            worker.end()


class _StreamBeside:
    def __init__(self, owner: AnsweringBeside, job: StreamJob) -> None:
        self._owner = owner
        self._job = job
        self._worker = owner.take()
        self._begun = False
        self._lock = threading.Lock()
        self._ended = False

    def __next__(self) -> bytes:
        if self._ended:
            raise StopIteration
        ask = self._worker.next_reply if self._begun else self._worker.ask
        self._begun = True
        try:
            kind, value = ask(self._job)
        except MadsciError:
            self.close()
            raise
        if kind == CHUNK:
            return bytes(value)
        self._end()
        if kind == END:
            raise StopIteration
        raise _error(value)

    def close(self) -> None:
        if not self._ended:
            self._worker.is_broken = True  # it is in the middle of a file that nobody wants
            self._end()

    def _end(self) -> None:
        with self._lock:
            ended, self._ended = self._ended, True
        if not ended:
            self._owner.give_back(self._worker)


class _Worker:
    """One process, asked by one thread at a time."""

    def __init__(self, url: str, on_damage: OnDamage) -> None:
        self._on_damage = on_damage
        self._process = subprocess.Popen(  # noqa: S603 - ourselves
            [sys.executable, "-m", "madsci.event_manager.search.worker", url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._was_slow = False
        self._has_started = False
        self.is_broken = False

    def ask(self, job: Job | StreamJob) -> tuple[str, Any]:
        pickled = pickle.dumps(job, pickle.HIGHEST_PROTOCOL)
        try:
            self._jobs.write(pickled)
            self._jobs.flush()
        except (OSError, ValueError) as error:
            raise self._death() from error
        return self.next_reply(job)

    def next_reply(self, job: Job | StreamJob) -> tuple[str, Any]:
        while True:
            kind, value = self._read(job)
            if kind == DAMAGE:
                self._on_damage(value)
            elif kind != ALIVE:
                return kind, value

    def _read(self, job: Job | StreamJob) -> tuple[str, Any]:
        patience = job.seconds + _GRACE if self._has_started else _START
        watch = threading.Timer(patience, self._give_up)
        watch.daemon = True
        watch.start()
        try:
            reply: tuple[str, Any] = pickle.load(self._replies)  # noqa: S301 - of our own process
        except (EOFError, OSError, ValueError, pickle.UnpicklingError) as error:
            raise self._death() from error
        finally:
            watch.cancel()
        self._has_started = True
        return reply

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
        return StoreError(
            "The process that answered the question has ended; the server's log may tell why. Ask"
            " again."
        )

    def end(self) -> None:
        self.is_broken = True
        self._process.kill()
        for pipe in (self._jobs, self._replies):
            _close(pipe)
        self._process.wait()


def _close(pipe: IO[bytes]) -> None:
    try:
        pipe.close()
    except OSError:  # what was not sent is lost with the process
        _logger.debug("A process for questions was ended while it was asked.")


def _error(value: Any) -> MadsciError:
    return value if isinstance(value, MadsciError) else StoreError(f"An odd reply came: {value!r:.80}")
