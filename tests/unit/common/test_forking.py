"""A forked child begins anew what its parent's threads were at."""

from __future__ import annotations

import contextlib
import os
import threading

import pytest

from madsci.common import forking

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system"),
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning"),
]


def in_child(check) -> bool:
    """Tell whether a check holds in a forked child."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            code = 0 if check() else 1
        finally:
            os._exit(code)
    return os.waitpid(pid, 0)[1] == 0


def test_what_is_registered_is_called_in_children_and_in_their_children(monkeypatch):
    calls = []
    monkeypatch.setattr(forking, "_resets", [lambda: calls.append("a"), lambda: calls.append("b")])
    assert in_child(lambda: calls == ["a", "b"] and in_child(lambda: calls == ["a", "b"] * 2))
    assert calls == []


@contextlib.contextmanager
def held(seconds: float):
    """A lock that another thread holds for so long, at most as long as the block."""
    lock, is_held, may_go = threading.RLock(), threading.Event(), threading.Event()

    def hold():
        with lock:
            is_held.set()
            may_go.wait(seconds)

    thread = threading.Thread(target=hold)
    thread.start()
    is_held.wait()
    yield lock
    may_go.set()
    thread.join()


def test_a_lock_that_another_thread_holds_is_free_in_the_child(monkeypatch):
    with held(0.2) as lock:
        monkeypatch.setattr(forking, "_locks", [lock])
        assert in_child(lambda: lock.acquire(blocking=False))
    assert lock.acquire(blocking=False)
    lock.release()


def test_a_fork_waits_a_bounded_time_for_who_is_stuck(monkeypatch):
    monkeypatch.setattr(forking, "PATIENCE", 0.05)
    with held(30) as lock:
        monkeypatch.setattr(forking, "_locks", [lock])
        assert in_child(lambda: True)
