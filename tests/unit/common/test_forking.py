"""A forked child begins anew what its parent's threads were at."""

from __future__ import annotations

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


def test_a_lock_that_another_thread_holds_is_free_in_the_child(monkeypatch):
    lock, held, may_go = threading.RLock(), threading.Event(), threading.Event()
    monkeypatch.setattr(forking, "_locks", [lock])

    def hold():
        with lock:
            held.set()
            may_go.wait(0.2)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    assert in_child(lambda: lock.acquire(blocking=False))
    thread.join()
    assert lock.acquire(blocking=False)
    lock.release()


def test_a_fork_waits_a_bounded_time_for_who_is_stuck(monkeypatch):
    lock, held, may_go = threading.RLock(), threading.Event(), threading.Event()
    monkeypatch.setattr(forking, "_locks", [lock])
    monkeypatch.setattr(forking, "PATIENCE", 0.05)

    def hold():
        with lock:
            held.set()
            may_go.wait(30)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    assert in_child(lambda: True)
    may_go.set()
    thread.join()
