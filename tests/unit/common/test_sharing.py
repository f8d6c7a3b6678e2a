"""Things are shared for as long as somebody refers to them."""

from __future__ import annotations

import gc
import threading

import pytest

from madsci.common.sharing import Shared


class Thing:
    def __init__(self):
        self.parents = 0

    def forget_parent(self):
        self.parents += 1


def test_a_thing_is_made_once_and_lives_as_long_as_its_users():
    shared = Shared()
    one = shared.get("a", Thing)
    assert shared.get("a", Thing) is one
    assert shared.get("b", Thing) is not one
    assert shared.living() == [one]
    del one
    gc.collect()
    assert shared.living() == []


def test_threads_that_ask_at_once_get_one_thing():
    shared, ready, found = Shared(), threading.Barrier(8), []

    def ask():
        ready.wait()
        found.append(shared.get("a", Thing))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(map(id, found))) == 1


def test_what_cannot_be_made_is_tried_again():
    shared = Shared()

    def fail():
        raise OSError("no place")

    with pytest.raises(OSError, match="no place"):
        shared.get("a", fail)
    assert isinstance(shared.get("a", Thing), Thing)
