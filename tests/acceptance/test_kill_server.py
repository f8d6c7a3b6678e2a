"""kill -9 of the server at random moments under load loses nothing that was acknowledged."""

from __future__ import annotations

import random
import threading
from collections import Counter

import pytest

from support.load import Load
from support.server import ServerProcess, wait_until


def drill(directory, kills: int) -> None:
    server = ServerProcess(directory).start()
    chance = random.Random(kills)
    with Load(server) as load:
        for _ in range(kills):
            before = len(load.acknowledged)
            wait_until(lambda before=before: len(load.acknowledged) > before + 50, "new events")
            threading.Event().wait(chance.uniform(0.0, 0.4))  # the moment of the blow is the test
            server.kill()
            server.start()
        wait_until(lambda: len(load.acknowledged) > before + 50, "events after the last start")
    stored = Counter(event["_id"] for event in server.query({}))
    assert server.stop() in (0, -15)
    assert set(load.acknowledged) - set(stored) == set(), "acknowledged events are missing"
    assert max(stored.values()) == 1
    assert set(stored) <= load.sent
    assert len(load.acknowledged) > 100 * kills


def test_three_blows_lose_nothing(tmp_path):
    drill(tmp_path, 3)


@pytest.mark.slow
def test_twenty_blows_lose_nothing(tmp_path):
    drill(tmp_path, 20)
