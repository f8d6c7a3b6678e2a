"""kill -9 of the server at random moments under load loses nothing that was acknowledged."""

from __future__ import annotations

import http.client
import json
import random
import threading
from collections import Counter

import pytest
from typing_extensions import Self

from support.server import ServerProcess, wait_until


class Load:
    """Threads that send events, single and in bulk, and remember which were acknowledged."""

    def __init__(self, server: ServerProcess, threads: int = 6) -> None:
        self.server = server
        self.acknowledged: list[str] = []
        self.sent: set[str] = set()
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(number,)) for number in range(threads)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join(60)

    def _run(self, number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=10)
        count = 0
        while not self._stopping.is_set():
            size = 1 if number % 2 else 50
            ids = [f"{number}-{count + index}" for index in range(size)]
            count += size
            bodies = [json.dumps({"event_id": one, "event_data": {"message": one}}) for one in ids]
            self.sent.update(ids)
            try:
                connection.request("POST", "/event" if size == 1 else "/events", "\n".join(bodies))
                reply = connection.getresponse()
                reply.read()
            except (OSError, http.client.HTTPException):
                connection.close()
                self._stopping.wait(0.01)  # the server is away; do not spin
                continue
            if reply.status == 200:
                self.acknowledged.extend(ids)
        connection.close()


def drill(directory, kills: int) -> None:
    server = ServerProcess(directory).start()
    chance = random.Random(kills)
    with Load(server) as load:
        for _ in range(kills):
            before = len(load.acknowledged)
            wait_until(lambda before=before: len(load.acknowledged) > before + 50, what="new events")
            threading.Event().wait(chance.uniform(0.0, 0.4))  # the moment of the blow is the test
            server.kill()
            server.start()
        wait_until(lambda: len(load.acknowledged) > before + 50, what="events after the last start")
    stored = Counter(event["_id"] for event in server.query({}))
    assert server.stop() in (0, -15)
    assert set(load.acknowledged) - set(stored) == set(), "acknowledged events are missing"
    assert max(stored.values()) == 1
    assert set(stored) <= load.sent
    assert len(load.acknowledged) > 100 * kills


def test_three_blows_lose_nothing(tmp_path):
    drill(tmp_path, 3)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_twenty_blows_lose_nothing(tmp_path):
    drill(tmp_path, 20)
