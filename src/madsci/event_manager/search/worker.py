"""A process that answers questions: ``python -m madsci.event_manager.search.worker URL``.

It reads pickled jobs from standard input and writes pickled replies to standard output, until the
input ends, which it also does when the server dies. Only the server that started it speaks to it.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import sys
from collections.abc import Iterator
from typing import Any, BinaryIO, Final

from madsci.common.errors import MadsciError
from madsci.event_manager.search.jobs import StreamJob
from madsci.event_manager.stores.base import EventReader
from madsci.event_manager.stores.factory import open_reader

ANSWER, CHUNK, END, ERROR = "answer", "chunk", "end", "error"
"""The kinds of replies; all but chunks end a job."""

_NICENESS: Final = 10
"""The system prefers the server, which takes events; a tenth of a busy core is left for questions."""


def serve(events: EventReader, jobs: BinaryIO, replies: BinaryIO) -> None:
    """Answer jobs until there are no more."""
    while True:
        try:
            job = pickle.load(jobs)  # noqa: S301 - from the server that started this process
        except EOFError:
            return
        for reply in _replies(job, events):
            pickle.dump(reply, replies, pickle.HIGHEST_PROTOCOL)
            replies.flush()


def _replies(job: Any, events: EventReader) -> Iterator[tuple[str, Any]]:
    try:
        if not isinstance(job, StreamJob):
            yield ANSWER, job.run(events)
            return
        for chunk in job.chunks(events):
            yield CHUNK, chunk
        yield END, None
    except MadsciError as error:
        yield ERROR, error


def main() -> None:
    """Open the events that the command line names, and answer."""
    # The server ends this process, also when somebody presses Ctrl-C in its terminal.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(os, "nice"):
        with contextlib.suppress(OSError):
            os.nice(_NICENESS)
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever prints must not print into the replies
    events = open_reader(sys.argv[1])
    with contextlib.suppress(BrokenPipeError):
        serve(events, sys.stdin.buffer, replies)
    os._exit(0)  # nothing is left to be done, and nobody to be told about the broken pipe


if __name__ == "__main__":
    main()
