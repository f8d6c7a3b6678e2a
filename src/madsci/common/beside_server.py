"""How a process begins that works for a server and must not hold it up."""

from __future__ import annotations

import contextlib
import faulthandler
import os
import signal
import sys
from typing import BinaryIO, Final

from madsci.common.memory import return_large_blocks

if sys.platform == "linux":
    import fcntl

_NICENESS: Final = 19
"""The server takes events first, and yet its processes get on where other programs keep all cores busy:
they still get a hundredth of one. In Linux's idle class they get next to nothing."""
_PIPE_BYTES: Final = 1_048_576
"""What Linux lets everybody have: a reply comes at once, not in 64 KiB for each of which the server's
thread waits for its turn."""


def begin() -> BinaryIO:
    """Set the process up, and return where its replies go: what was its standard output.

    What it says goes to the log of the server, which also ends it, whatever happens in its terminal.
    """
    faulthandler.enable()
    return_large_blocks()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(OSError):  # such as where a user has very many
        if sys.platform == "linux":
            fcntl.fcntl(1, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever prints must not print into the replies
    return replies


def step_back() -> None:
    """Let the system prefer everything else, above all the server."""
    with contextlib.suppress(OSError):
        if hasattr(os, "nice"):
            os.nice(_NICENESS)
        if hasattr(os, "SCHED_BATCH"):
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
