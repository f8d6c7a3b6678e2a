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
