"""Lines for people on the console, from any thread and in any state of the program.

Whoever writes holds a lock. Who finds it taken leaves his line to the holder: at once where he stands
amid the holder's own writing, as finalizers and signal handlers do, else after a moment. So nobody who
holds anything else stands before the console for long, and a console that hangs stops one thread.
"""

from __future__ import annotations

import re
import sys
import threading
from collections import deque
from typing import Any, Final

from madsci.common.forking import hold_while_forking, reset_in_child
from madsci.common.jsonable import attempt

_PATIENCE: Final = 0.1
"""Seconds that a thread waits for others to write their lines: so much order and restraint is worth."""
_MAX_WAITING: Final = 1000
"""Lines left to the holder: what a slow terminal shows in seconds. Further ones are counted only."""

_UNSAFE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_UNSAFE_IN_TEXT: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]"
)


def visible(text: str, *, has_lines: bool = False) -> str:
    """Return a text with escapes for what moves the cursor, colours the screen or turns text around.

    ``has_lines`` leaves line breaks and tabs.
    """
    if text.isprintable():  # no more than a look, for nearly all
        return text
    return (_UNSAFE_IN_TEXT if has_lines else _UNSAFE).sub(_escaped, text)


def write_line(line: str) -> None:
    """Write a line to stderr. Never raises: the stream may be anybody's object, or may have gone."""
    _console.write(line)


def warn_locally(text: str) -> None:
    """Tell about trouble of the client itself."""
    write_line(f"[EventClient Warning] {visible(text)}")


class _Console:
    """The order of those who write to stderr."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._waiting: deque[str] = deque()
        self._is_writing = self._is_stuck = False
        self._left_out = 0
        hold_while_forking(self)  # a stream's own lock, held by another thread, stays held in the child
        reset_in_child(self._forget_parent)

    def write(self, line: str) -> None:
        if len(self._waiting) < _MAX_WAITING:
            self._waiting.append(line)
        else:
            self._left_out += 1
        patience = 0.0 if self._is_stuck or sys.is_finalizing() else _PATIENCE
        lock = self._lock
        while self._waiting:
            if not lock.acquire(blocking=False) and not lock.acquire(timeout=patience):
                self._is_stuck = patience > 0 or self._is_stuck
                return  # the holder looks for lines once more after he has let go
            try:
                if self._is_writing:  # this thread's own, amid which this call is
                    return
                self._write_waiting()
            finally:
                lock.release()
            patience = 0.0

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:  # noqa: FBT001, FBT002
        return self._lock.acquire(blocking, timeout)

    def release(self) -> None:
        self._lock.release()

    def _write_waiting(self) -> None:
        self._is_writing = True
        try:
            while self._waiting:
                _write(self._waiting.popleft())
                self._is_stuck = False
            if self._left_out:
                count, self._left_out = self._left_out, 0
                _write(f"[EventClient Warning] The console was too slow for {count} more lines.")
        finally:
            self._is_writing = False

    def _forget_parent(self) -> None:
        self._waiting.clear()  # the parent writes them
        self._is_stuck, self._left_out = False, 0
        if self.acquire(blocking=False):
            self.release()
        else:  # a thread that the child lacks has it
            self._lock, self._is_writing = threading.RLock(), False


def _write(line: str) -> None:
    stream = sys.stderr
    if stream is not None:  # pythonw and services of Windows have none
        attempt(_write_encodable, stream, line)


def _write_encodable(stream: Any, line: str) -> None:
    encoding = getattr(stream, "encoding", None) or "utf-8"
    stream.write(line.encode(encoding, "backslashreplace").decode(encoding) + "\n")
    stream.flush()


def _escaped(match: re.Match[str]) -> str:
    return repr(match[0])[1:-1]


_console: Final = _Console()
