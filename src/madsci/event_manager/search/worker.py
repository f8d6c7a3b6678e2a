"""A process that answers questions: ``python -m madsci.event_manager.search.worker URL``.

It reads pickled jobs from standard input and writes pickled replies to standard output, until the
input ends, which it also does when the server dies. Only the server that started it speaks to it. A
signal tells it to leave off what it does; it is heeded at the next look at the budget.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import sys
import time
from typing import Any, BinaryIO

from madsci.common import beside_server
from madsci.common.errors import MadsciError
from madsci.event_manager.model.budget import Budget
from madsci.event_manager.search.jobs import StreamJob
from madsci.event_manager.stores.factory import open_reader

ANSWER, CHUNK, END, ERROR = "answer", "chunk", "end", "error"
ALIVE, DAMAGE = "alive", "damage"
"""The kinds of replies; all but chunks, signs of life and damage that was met end a job."""


class Desk:
    """Answers jobs that come in, one after the other."""

    def __init__(self, url: str, jobs: BinaryIO, replies: BinaryIO) -> None:
        self._events = open_reader(url, lambda found: self._reply(DAMAGE, found))
        self._jobs = jobs
        self._replies = replies
        self._budget: Budget | None = None

    def serve(self) -> None:
        """Answer jobs until there are no more; begin with a sign of life."""
        self._reply(ALIVE, None)
        while True:
            try:
                job, seconds, left = pickle.load(self._jobs)  # noqa: S301 - from the server
            except EOFError:
                return
            self._budget = Budget(seconds, time.monotonic() - (seconds - left))
            try:
                self._answer(job, self._budget)
            except MadsciError as error:
                self._reply(ERROR, error)
            finally:
                self._budget = None

    def leave_off(self) -> None:
        """End the job under way, if there is one; for handlers of signals."""
        if self._budget is not None:
            self._budget.cancel()

    def _answer(self, job: Any, budget: Budget) -> None:
        if not isinstance(job, StreamJob):
            self._reply(ANSWER, job.run(self._events, budget))
            return
        # A table's columns are sought in all events before its first part: signs of life tell of it.
        for chunk in job.parts(self._events, on_page=lambda: self._reply(ALIVE, None)):
            self._reply(CHUNK, chunk)
        self._reply(END, None)

    def _reply(self, kind: str, value: Any) -> None:
        pickle.dump((kind, value, _resident_bytes()), self._replies, pickle.HIGHEST_PROTOCOL)
        self._replies.flush()


def _resident_bytes() -> int:
    """Return the memory that this process takes; 0 where the system does not tell."""
    try:
        with open("/proc/self/statm", "rb") as pages:  # noqa: PTH123 - 10 µs
            return int(pages.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def main() -> None:
    """Open the events that the command line names, and answer."""
    desk = Desk(sys.argv[1], sys.stdin.buffer, beside_server.begin())
    if hasattr(signal, "SIGUSR1"):
        signal.signal(signal.SIGUSR1, lambda *_: desk.leave_off())
    beside_server.step_back()  # not before: to start is little work
    with contextlib.suppress(BrokenPipeError):
        desk.serve()
    os._exit(0)  # nothing is left to be done, and nobody to be told about the broken pipe


if __name__ == "__main__":
    main()
