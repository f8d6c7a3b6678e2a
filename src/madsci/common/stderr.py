"""Lines for people on the console, from any thread and in any state of the program."""

from __future__ import annotations

import sys
import threading
from typing import Any

from madsci.common.forking import hold_while_forking
from madsci.common.jsonable import attempt

_lock = threading.RLock()
hold_while_forking(
    _lock
)  # a stream's own lock, held by a thread that the child lacks, is never given back


def write_line(line: str) -> None:
    """Write a line to stderr. Never raises: the stream may be anybody's object, or may have gone."""
    stream = sys.stderr
    if stream is not None:  # pythonw and services of Windows have none
        with _lock:
            attempt(_write_encodable, stream, line)


def warn_locally(text: str) -> None:
    """Tell about trouble of the client itself."""
    write_line(f"[EventClient Warning] {text}")


def _write_encodable(stream: Any, line: str) -> None:
    encoding = getattr(stream, "encoding", None) or "utf-8"
    stream.write(line.encode(encoding, "backslashreplace").decode(encoding) + "\n")
    stream.flush()
