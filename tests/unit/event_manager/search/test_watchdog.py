"""What takes too long is ended, once; what ends by itself is not."""

from __future__ import annotations

import threading
from contextlib import closing

import pytest

from madsci.event_manager.search.watchdog import Watchdog
from support.server import PATIENCE


@pytest.fixture
def watchdog():
    with closing(Watchdog()) as made:
        made.start()
        yield made


def test_what_takes_too_long_is_ended_once_though_others_have_time(watchdog):
    late, over = [], threading.Event()

    def end() -> None:
        late.append("late")
        over.set()

    with watchdog.watching(PATIENCE, lambda: late.append("in time")), watchdog.watching(0.01, end):
        assert over.wait(PATIENCE)
        over.clear()
        with watchdog.watching(0.01, over.set):
            assert over.wait(PATIENCE)
    assert late == ["late"]


def test_what_ends_by_itself_is_not_ended_even_with_an_error(watchdog):
    late, over = [], threading.Event()
    with pytest.raises(KeyError), watchdog.watching(0.05, lambda: late.append("first")):
        raise KeyError
    with watchdog.watching(0.2, over.set):
        assert over.wait(PATIENCE)  # by when the first would have been late
    assert late == []


def test_it_is_used_by_many_threads(watchdog):
    over = [threading.Event() for _ in range(20)]

    def take_long(event: threading.Event) -> None:
        for _ in range(50):
            with watchdog.watching(PATIENCE, pytest.fail):
                pass
        with watchdog.watching(0.01, event.set):
            assert event.wait(PATIENCE)

    threads = [threading.Thread(target=take_long, args=[one]) for one in over]
    for one in threads:
        one.start()
    for one in threads:
        one.join(PATIENCE)
    assert all(one.is_set() for one in over)


def test_its_thread_ends_with_it():
    watchdog = Watchdog()
    watchdog.start()
    watchdog.close()
    watchdog._thread.join(PATIENCE)
    assert not watchdog._thread.is_alive()
