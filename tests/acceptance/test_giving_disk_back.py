"""Deleting gives disk back while events come in, whenever the server is killed."""

from __future__ import annotations

import json
import random
import threading
from contextlib import closing, suppress

import apsw
import pytest

from support.load import Load
from support.server import ServerProcess, wait_until
from support.trouble import gets

pytestmark = pytest.mark.slow

OLD = "2001-01-01T00:00:00Z"


def fill(server: ServerProcess, name: str, number: int) -> None:
    """Send old events, some 1 KB each, which are archived already."""
    lines = [
        json.dumps({
            "event_id": f"{name}-{one}", "event_timestamp": OLD, "archived": True, "archived_at": OLD,
            "event_data": {"message": f"pump {one} of {name}", "x": "y" * 800},
        })
        for one in range(number)
    ]  # fmt: skip
    assert server.request("POST", "events", "\n".join(lines)).json["stored"] == number


def purge(server: ServerProcess) -> int:
    path = "events/archived?older_than_days=1&backup=false"
    return server.request("DELETE", path).json["deleted_count"]


def size(server: ServerProcess) -> int:
    files = (server.database, server.database.with_name("events.db-wal"))
    return sum(file.stat().st_size for file in files)


def test_the_room_of_deleted_events_is_given_back_under_load(server):
    with Load(server, threads=2, pause=0.02) as load:
        for name in "ab":
            fill(server, name, 10_000)
        wait_until(lambda: len(load.acknowledged) > 200, "some events")
        before = size(server)
        assert before > 20_000_000
        assert purge(server) == 20_000
        wait_until(lambda: size(server) < before / 3, "a smaller file")
        gets(load, 50)
    assert set(load.acknowledged) <= {event["_id"] for event in server.query({})}


def test_a_server_that_is_killed_amid_it_loses_nothing(tmp_path):
    server = ServerProcess(tmp_path).start()
    chance = random.Random(30)
    with Load(server, threads=3, pause=0.3) as load:
        for number in range(15):
            fill(server, f"old{number}", 2_000)

            def delete() -> None:
                with suppress(OSError, ValueError, KeyError):
                    purge(server)

            deleting = threading.Thread(target=delete)
            deleting.start()
            threading.Event().wait(chance.uniform(0.0, 0.7))  # the moment of the blow is the test
            server.kill()
            deleting.join()
            acknowledged = set(load.acknowledged)
            server.start()
            recent = {"event_timestamp": {"$gt": OLD}}
            assert acknowledged <= {event["_id"] for event in server.query(recent)}
        purge(server)
        wait_until(lambda: size(server) < 15_000_000, "a small file")
    server.stop()
    with closing(apsw.Connection(str(server.database))) as file:
        assert file.execute("PRAGMA integrity_check").get == "ok"
