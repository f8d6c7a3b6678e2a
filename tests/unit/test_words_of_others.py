"""What a test hears of the log is what it caused."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

log = logging.getLogger("madsci.of.somebody")


@pytest.fixture(scope="module")
def of_before():
    with ThreadPoolExecutor(1) as pool:
        pool.submit(threading.get_ident).result()
        yield pool


def test_threads_of_tests_before_are_not_heard_and_those_of_a_test_are(of_before, caplog):
    of_before.submit(log.warning, "of before").result()
    thread = threading.Thread(target=log.warning, args=("of a thread",))
    thread.start()
    thread.join()
    log.warning("of the test")
    assert [record.getMessage() for record in caplog.records] == ["of a thread", "of the test"]


@pytest.fixture(scope="module")
def ending():
    """A thread of before, and what ends it."""
    end = threading.Event()
    thread = threading.Thread(target=end.wait)
    thread.start()
    yield thread, end
    end.set()


def test_a_thread_that_has_the_number_of_one_of_before_is_heard(ending, caplog):
    before, end = ending
    end.set()
    before.join()
    for number in range(20):
        thread = threading.Thread(target=log.warning, args=(str(number),))
        thread.start()
        thread.join()
    assert [record.getMessage() for record in caplog.records] == [str(number) for number in range(20)]
