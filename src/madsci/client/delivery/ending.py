"""The end of a process: every sender gets its time to finish, all at once.

What comes later is sent by whoever logs it.
"""

from __future__ import annotations

import atexit
import sys
import time
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from madsci.common.forking import reset_in_child

_AFTER_ALL_OTHERS: Final = -100
"""The priority of our turn at the end of a process of ``multiprocessing``: its children have ended."""


class Settings(Protocol):
    """What is asked of a sender's settings."""

    @property
    def close_timeout(self) -> float:
        """Seconds that the end may take."""
        ...


class Ending(Protocol):
    """What is asked of a sender."""

    @property
    def settings(self) -> Settings:
        """Its settings."""
        ...

    def end_by(self, deadline: float) -> None:
        """Ask for the end, by the monotonic clock."""
        ...

    def join(self) -> None:
        """Wait for it."""
        ...


class _State:
    living: Callable[[], Sequence[Ending]] = staticmethod(tuple)
    adopt: Callable[[], object] = staticmethod(lambda: None)
    deadline: float | None = None
    is_over = False
    is_registered = False


def drain_with(living: Callable[[], Sequence[Ending]]) -> None:
    """Say who lives and is to be drained."""
    _State.living = living


def adopt_with(adopt: Callable[[], object]) -> None:
    """Say how a parent gets hold of what its children left for a server that it has not talked to.

    What the function returns is kept until all is delivered.
    """
    _State.adopt = adopt


def drain() -> None:
    """Give every sender its time. A second call has what is left of it."""
    process = sys.modules.get("multiprocessing.process")  # there if this program uses it
    is_parent = process is not None and process.parent_process() is None
    adopted = _State.adopt() if is_parent and not sys.is_finalizing() else None
    senders = _State.living()
    now = time.monotonic()
    if _State.deadline is None:
        _State.deadline = now + max((one.settings.close_timeout for one in senders), default=0.0)
    for sender in senders:
        sender.end_by(min(now + sender.settings.close_timeout, _State.deadline))
    for sender in senders:
        sender.join()
    _State.is_over = True
    del adopted


def deadline() -> float | None:
    """Return until when, by the monotonic clock, something may still be sent at the end of the process.

    ``None`` before that end, and when Python itself is being taken apart.
    """
    return _State.deadline if _State.is_over and not sys.is_finalizing() else None


def is_over() -> bool:
    """Tell whether the time of threads is over."""
    return _State.is_over or sys.is_finalizing()


def drain_before_processes_end() -> None:
    """See that this process is drained if ``multiprocessing`` ends it, which runs no ``atexit``."""
    # It is there if this is one of its processes. Its finalizers are known to no document, and are
    # what its own queues rely on.
    util = sys.modules.get("multiprocessing.util")
    if util is not None and not _State.is_registered:
        _State.is_registered = True
        util.Finalize(None, drain, exitpriority=_AFTER_ALL_OTHERS)


def _forget_parent() -> None:
    _State.deadline = None
    _State.is_over = _State.is_registered = False


atexit.register(drain)
reset_in_child(_forget_parent)
