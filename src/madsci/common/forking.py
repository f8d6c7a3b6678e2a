"""What is to be begun anew where other threads have gone with all that they held.

A child of ``os.fork`` has one thread, and all memory as it was: locks that other threads held stay held
for ever, and flags say what those threads were doing. So every module with such state registers here.
It is the same at the end of Python, which stops daemon threads wherever they are, and then calls
finalizers, which may log.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Final, Protocol

PATIENCE: Final = 1.0
"""Seconds that a fork waits for a lock: whoever holds it so long is stuck, and the program is not."""


class Lock(Protocol):
    """What can be held while a process forks: a ``threading.RLock``."""

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:  # noqa: FBT001, FBT002
        """Wait for the lock; tell whether it was given."""
        ...

    def release(self) -> None:
        """Give the lock back."""
        ...


_resets: list[Callable[[], object]] = []
_locks: list[Lock] = []
_held: list[Lock] = []


def reset_in_child(reset: Callable[[], object]) -> None:
    """Have every forked child call a function before its program goes on, in the order given here.

    It is called once more in the children of children. It must not raise, nor wait for a lock that
    it has not made itself.
    """
    _resets.append(reset)


def hold_while_forking(lock: Lock) -> None:
    """Fork only while no other thread holds the lock: what it guards is whole in the child.

    For what cannot be made anew, such as the buffer of a stream. The lock is re-entrant, and who
    holds it waits for no other lock and no network.
    """
    _locks.append(lock)


def is_held_for_good(lock: Lock) -> bool:
    """Tell whether a thread holds a lock that Python has stopped, since it ends; does not wait."""
    if not sys.is_finalizing():
        return False
    if lock.acquire(blocking=False):
        lock.release()
        return False
    return True


def _before() -> None:
    _held.extend(lock for lock in _locks if lock.acquire(timeout=PATIENCE))


def _after() -> None:
    while _held:
        _held.pop().release()


def _after_in_child() -> None:
    _after()
    for reset in _resets:
        reset()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_after, after_in_child=_after_in_child)
