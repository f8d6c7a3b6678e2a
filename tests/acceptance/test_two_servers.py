"""Several servers on one database: each event once, each task once, whoever is killed."""

from __future__ import annotations

import threading
from collections import Counter
from contextlib import ExitStack, closing

import pytest

from madsci.common.clock import now_us
from madsci.event_manager.model.stored_event import StoredEvent
from madsci.event_manager.stores.mongo.connection import connect
from madsci.event_manager.stores.mongo.store import MongoStore
from support.load import Load
from support.server import ServerProcess, wait_until

pytestmark = pytest.mark.slow


@pytest.fixture
def two_servers(tmp_path, mongo_url, mongo_database):
    """Two servers on one database, each in a folder of its own."""
    servers = []
    for name in ("one", "other"):
        folder = tmp_path / name
        folder.mkdir()
        settings = {
            "EVENT_DB_URL": mongo_url,
            "EVENT_DATABASE_NAME": mongo_database,
            "EVENT_BACKUP_DIR": str(folder / "backups"),
        }
        servers.append(ServerProcess(folder, **settings))
    yield servers
    with ExitStack() as stopping:
        for server in servers:
            if server.process is not None:
                stopping.callback(server.stop)


def test_a_kill_under_load_loses_nothing_and_doubles_nothing(two_servers, mongo_url, mongo_database):
    one, other = two_servers
    old = [f"old-{number}" for number in range(300)]
    with closing(MongoStore(mongo_url, database=mongo_database)) as store:
        store.append([StoredEvent(name, "log", 20, False, 0, 0, {}, "{}") for name in old])
        before = now_us() - 86_400_000_000  # yesterday's: else the clocks would seem to be ahead
        store.append([StoredEvent("fresh", "log", 20, False, before, before, {}, "{}")])
    for server in two_servers:
        server.environment |= {"EVENT_RETENTION_ENABLED": "true", "EVENT_BACKUP_ENABLED": "true"}
        server.start()
    with (
        Load(one, 3, "one-", 1.0) as load,
        Load(other, 3, "other-", 1.0) as other_load,
        closing(connect(mongo_url)) as client,
    ):
        events = client[mongo_database]["events"]
        for done in ({"event_type": "backup_create"}, {"event_data.task": "retention"}):
            wait_until(lambda done=done: events.find_one(done), f"an event with {done}")
        for _ in range(3):
            before = len(load.acknowledged)
            wait_until(lambda before=before: len(load.acknowledged) > before + 80, "new events")
            one.kill()
            gone_on = len(other_load.acknowledged)
            wait_until(
                lambda gone_on=gone_on: len(other_load.acknowledged) > gone_on + 100,
                "events at the server that was left",
            )  # fmt: skip
            one.start()
    acknowledged = {*load.acknowledged, *other_load.acknowledged}
    with closing(connect(mongo_url)) as client:
        events = client[mongo_database]["events"]
        stored = list(events.find({}, {"event_type": 1, "archived": 1, "event_data.task": 1}))
    ids = Counter(event["_id"] for event in stored)
    assert acknowledged - set(ids) == set(), "acknowledged events are missing"
    assert max(ids.values()) == 1
    assert len(acknowledged) > 500
    assert {event["_id"] for event in stored if event["archived"]} == set(old)
    assert [event["event_type"] for event in stored].count("backup_create") == 1
    assert [event["event_data"].get("task") for event in stored].count("retention") == 1
    folders = [server.directory / "backups" for server in two_servers]
    assert len([backup for folder in folders for backup in folder.glob("*_backup_*")]) == 1


def test_what_one_server_stored_the_other_shows_at_once(two_servers):
    one, other = two_servers
    one.start()
    other.start()
    for number in range(20):
        sender, reader = (one, other) if number % 2 else (other, one)
        assert sender.post("event", {"event_id": f"e{number}"}).status == 200
        assert reader.get(f"event/e{number}")["event_id"] == f"e{number}"
        again = reader.post("event", {"event_id": f"e{number}"})
        assert again.headers["X-Event-Duplicate"] == "true"


def test_servers_that_start_at_once_on_a_fresh_database_all_come_up(two_servers):
    starts = [threading.Thread(target=server.start) for server in two_servers]
    for start in starts:
        start.start()
    for start in starts:
        start.join(60)
    ids = {server.get("definition")["manager_id"] for server in two_servers}
    assert len(ids) == 1
