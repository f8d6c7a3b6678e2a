"""kill -9 at random moments of a first start, of an upgrade, and of an import: thirty times each."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from http.client import HTTPException
from pathlib import Path

import apsw
import pytest

from madsci.event_manager.model.feed import START
from madsci.event_manager.model.query import Query
from madsci.event_manager.model.selector_parser import parse_selector
from madsci.event_manager.model.stored_event import StoredEvent, encode_json
from madsci.event_manager.stores.sqlite.schema import SCHEMA_VERSION
from madsci.event_manager.stores.sqlite.store import SqliteStore
from support import mongo_servers
from support.older_files import make_older
from support.server import ServerProcess, running_server

KILLS = {"sqlite": 30, "mongodb": 12}
"""For each engine; the MongoDB server of the tests takes its time."""
EVENTS = 5_000
UPGRADES = 20
"""Kills of the first start with a large file of an earlier version; how large, ``--stored`` says."""

pytestmark = pytest.mark.slow


@pytest.fixture(params=["sqlite", "mongodb"])
def engine(request):
    return request.param


@pytest.fixture
def kills(engine):
    return KILLS[engine]


@pytest.fixture
def place(request, engine):
    """Settings of a server on each engine, for a database of its own each time."""
    made = []

    def settings(folder: Path) -> dict[str, str]:
        if engine == "sqlite":
            return {"EVENT_DB_URL": f"sqlite:///{folder / 'events.db'}"}
        made.append(f"killed_{uuid.uuid4().hex}")
        return {
            "EVENT_DB_URL": request.getfixturevalue("mongo_url"),
            "EVENT_DATABASE_NAME": made[-1],
        }

    yield settings
    for name in made:
        mongo_servers.drop_database(request.getfixturevalue("mongo_url"), name)


def seconds_of(work: Callable[[], object]) -> float:
    """How long something takes when nobody kills it."""
    began = time.monotonic()
    work()
    return time.monotonic() - began


def kill_within(process: subprocess.Popen, seconds: float) -> None:
    """Let a program work for a while; the moment of the blow is the test."""
    with suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
    process.kill()
    process.wait(10)


def test_first_starts_that_are_killed_are_in_nobodys_way(tmp_path, place, kills):
    chance = random.Random(1)
    server = ServerProcess(tmp_path, **place(tmp_path))
    whole = seconds_of(server.start)
    server.stop()
    for number in range(kills):
        folder = tmp_path / str(number)
        folder.mkdir()
        server = ServerProcess(folder, **place(folder))
        kill_within(server.launch(), chance.uniform(0.3, 1.1) * whole)
        server.start()
        assert server.post("event", {"_id": "first", "event_data": {}}).status == 200
        assert [event["_id"] for event in server.query({})] == ["first"]
        assert server.stop() in (0, -15)


OPEN = """
import sys
from pathlib import Path
from madsci.event_manager.stores.sqlite.schema import SCHEMA_VERSION
from madsci.event_manager.stores.sqlite.store import SqliteStore

print("ready", flush=True)
SqliteStore(Path(sys.argv[1])).close()
"""


def open_elsewhere(path: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", OPEN, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    with process.stdout as output:
        assert output.readline() == "ready\n"
    return process


@pytest.mark.parametrize("version", [1, 3, 4, 5])
def test_upgrades_that_are_killed_are_done_by_the_next_start(tmp_path, version):
    old = tmp_path / "old.db"
    events = [
        StoredEvent(
            f"event-{number}", "log", 20, False, number, number, {"node_id": f"n{number % 7}"},
            encode_json({"message": f"plate {number}", "workflow_id": f"w{number % 100}"}),
        )
        for number in range(EVENTS)
    ]  # fmt: skip
    with closing(SqliteStore(old)) as store:
        store.append(events)
    with closing(apsw.Connection(str(old))) as file:
        make_older(file, version)
    path = tmp_path / "events.db"

    def put_back() -> None:
        for one in tmp_path.glob("events.db*"):
            one.unlink()
        shutil.copyfile(old, path)

    put_back()
    whole = seconds_of(lambda: open_elsewhere(path).wait(60))
    chance = random.Random(version)
    for _ in range(KILLS["sqlite"]):
        put_back()
        kill_within(open_elsewhere(path), chance.uniform(0.0, 1.0) * whole)
        with closing(SqliteStore(path)) as store:
            assert store.troubles() == []
            assert store.count() == EVENTS
            asked = Query(parse_selector({"event_data.workflow_id": "w7"}), limit=100)
            assert len(store.find(asked).events) == EVENTS // 100
        with closing(SqliteStore(path)) as store:  # what came of it is whole
            assert store.find(Query(limit=EVENTS)).events == events[::-1]


@pytest.mark.timeout(3_600)
def test_a_large_file_whose_first_start_is_killed_is_followed_from_its_first_event(tmp_path, request):
    stored = request.config.getoption("stored")
    server = ServerProcess(tmp_path)
    old = tmp_path / "old.db"
    fill(old, stored)
    with closing(apsw.Connection(str(old))) as file:
        make_older(file, 5)

    def put_back() -> None:
        for one in tmp_path.glob("events.db*"):
            one.unlink()
        shutil.copyfile(old, server.database)

    put_back()
    whole = seconds_of(server.start)
    server.kill()
    chance = random.Random(stored)
    again = 0
    for _ in range(UPGRADES):
        if schema_of(server.database) == SCHEMA_VERSION:
            assert count_in(server.database) == stored
            put_back()
            again += 1
        kill_within(server.launch(), chance.uniform(0.2, 1.0) * whole)
    assert again < UPGRADES, "no blow met an upgrade"
    server.start()
    assert server.post("event", {"_id": "new", "event_data": {}}).status == 200
    assert server.get("events/count")["count"] == stored + 1
    assert server.stop() in (0, -15)
    with closing(SqliteStore(server.database)) as store:
        assert store.troubles() == []
        assert list(followed(store)) == [*(f"event-{number}" for number in range(stored)), "new"]


def fill(path: Path, size: int) -> None:
    """Make a file of so many events."""
    with closing(SqliteStore(path)) as store:
        for first in range(0, size, 10_000):
            store.append(
                [
                    StoredEvent(
                        f"event-{number}", "log", 20, False, number, number,
                        {"node_id": f"n{number % 7}"}, encode_json({"message": f"plate {number}"}),
                    )
                    for number in range(first, min(first + 10_000, size))
                ]
            )  # fmt: skip


def schema_of(path: Path) -> int:
    with closing(looked_at(path)) as file:
        return int(file.pragma("user_version"))


def count_in(path: Path) -> int:
    with closing(looked_at(path)) as file:
        return int(file.execute("SELECT count(*) FROM events").get)


def looked_at(path: Path) -> apsw.Connection:
    """The file as the blow left it: who only reads does not put its log in order."""
    return apsw.Connection(str(path), apsw.SQLITE_OPEN_READONLY)


def followed(store: SqliteStore) -> Iterator[str]:
    """The ids of all entries of the feed."""
    part = store.since(START, 5_000)
    while part.entries or part.has_more:
        assert part.missed == 0
        yield from (one.event.event_id for one in part.entries)
        part = store.since(part.next, 5_000)


def test_imports_that_are_killed_can_be_repeated(tmp_path, place, engine, kills):
    size = 200 if engine == "mongodb" else EVENTS
    server = ServerProcess(tmp_path, **place(tmp_path)).start()
    acknowledged: set[int] = set()

    def send(number: int) -> dict[str, int]:
        events = ({"_id": f"event-{number}-{part}", "received_at": part} for part in range(size))
        reply = server.request("POST", "events/import", "\n".join(map(json.dumps, events)))
        assert reply.status == 200
        acknowledged.add(number)
        return reply.json

    def send_if_possible(number: int) -> None:
        with suppress(OSError, HTTPException):
            send(number)

    def count(number: int) -> int:
        names = {"$gte": f"event-{number}-", "$lt": f"event-{number}."}
        return server.post("events/count", {"_id": names}).json["count"]

    whole = seconds_of(lambda: send(kills))
    chance = random.Random(3)
    for number in range(kills):
        sender = threading.Thread(target=send_if_possible, args=(number,))
        sender.start()
        kill_within(server.process, chance.uniform(0.0, 1.3) * whole)
        sender.join()
        server.start()
        found = count(number)
        assert found == size or number not in acknowledged
        reply = send(number)
        assert (reply["stored"], reply["duplicate"]) == (size - found, found)
        assert count(number) == size
    assert server.get("events/count")["count"] == size * (kills + 1)
    server.stop()


def test_the_drills_themselves_end_programs(tmp_path):
    """A drill that never kills anything proves nothing."""
    process = ServerProcess(tmp_path).launch()
    kill_within(process, 0.05)
    assert process.returncode == -9
    with running_server(tmp_path) as server:
        assert server.get("events") == {}
