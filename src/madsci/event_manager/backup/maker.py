"""A process that makes the data of a backup: ``python -m madsci.event_manager.backup.maker``.

It reads a pickled job from standard input and writes pickled replies to standard output. Only the
server that started it speaks to it; when that is gone, it ends at once, and writes no further into a
folder that the next server clears away.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import sys
import threading
from typing import Any, BinaryIO

from madsci.common import beside_server
from madsci.common.errors import MadsciError
from madsci.event_manager.backup.making import FAILED, MADE, PROGRESS, MakingHere
from madsci.event_manager.stores.factory import open_upkeep


def make(jobs: BinaryIO, replies: BinaryIO) -> None:
    """Do what the job asks for, telling of the progress and of the end."""
    address, part = pickle.load(jobs)  # noqa: S301 - from the server
    threading.Thread(target=_end_with, args=(jobs,), daemon=True).start()

    def reply(kind: str, value: Any) -> None:
        pickle.dump((kind, value), replies)
        replies.flush()

    try:
        made = MakingHere(open_upkeep(address)).make(part, lambda *what: reply(PROGRESS, what))
    except BrokenPipeError:
        raise
    except (MadsciError, OSError) as error:
        reply(FAILED, error)
    else:
        reply(MADE, made)


def _end_with(jobs: BinaryIO) -> None:
    """End the process with the server, which holds the other end and sends nothing more."""
    jobs.read()
    os._exit(1)


def main() -> None:
    """Serve the one job that there is."""
    replies = beside_server.begin()
    beside_server.step_back()
    with contextlib.suppress(BrokenPipeError):  # nobody waits for it any more
        make(sys.stdin.buffer, replies)
    os._exit(0)  # nothing is left to be done, and nobody to be told about the broken pipe


if __name__ == "__main__":
    main()
