"""Real servers archive and delete by themselves, under load, once, and through kills."""

from __future__ import annotations

import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from madsci.common.clock import now_us
from madsci.event_manager.model.query import Query
from madsci.event_manager.model.selector_parser import parse_selector
from madsci.event_manager.model.stored_event import StoredEvent
from madsci.event_manager.model.tally import Tally
from madsci.event_manager.stores.base import EventStore
from madsci.event_manager.stores.mongo.store import MongoStore
from madsci.event_manager.stores.sqlite.store import SqliteStore
from support.load import Load
from support.server import ServerProcess, wait_until

STOPPED = (0, -signal.SIGTERM)
pytestmark = pytest.mark.slow

DAY = 86_400_000_000
POLICY = {
    "EVENT_RETENTION_ENABLED": "true",
    "EVENT_RETENTION_RULES": '[{"min_level": "error", "delete_after_days": 4000}]',
    "EVENT_LEGAL_HOLD": '{"source.experiment_id": "exp-1"}',
    "EVENT_RETENTION_CHECK_INTERVAL_HOURS": "400000",  # no slot ends during a test
}


def event(event_id: str, days: float, archived_days: float | None = None, **more) -> StoredEvent:
    now = now_us()
    at = None if archived_days is None else now - int(archived_days * DAY)
    moment = now - int(days * DAY)
    return StoredEvent(
        event_id, "log", more.get("level", 20), False, moment, moment, more.get("source", {}),
        '{"message":"old"}', archived=at is not None, archived_at=at,
    )  # fmt: skip


def fill(store: EventStore, number: int) -> None:
    """So many events to archive, half as many to delete, a tenth of each to keep."""
    tenth = number // 10
    store.append([event(f"old{n}", 100 + n / number) for n in range(number)])
    store.append([event(f"error{n}", 100, level=40) for n in range(tenth)])
    store.append([event(f"gone{n}", 500, 400) for n in range(number // 2)])
    held = {"experiment_id": "exp-1"}
    store.append([event(f"held{n}", 500, 400, source=held) for n in range(tenth)])
    store.append([event(f"young{n}", 500, 300) for n in range(tenth)])
    store.append([event("fresh", 0.1)])  # else the clock would seem to be ahead


def count(store: EventStore, selector: dict) -> int:
    (counts,) = store.tally([Tally(parse_selector(selector))])
    return sum(one.count for one in counts)


def check(store: EventStore, number: int) -> None:
    """Everything that ``fill`` made is where it belongs."""
    tenth = number // 10
    assert count(store, {"_id": {"$regex": "^old"}, "archived": True}) == number
    assert count(store, {"_id": {"$regex": "^error"}, "archived": False}) == tenth
    assert count(store, {"_id": {"$regex": "^gone"}}) == 0
    assert count(store, {"_id": {"$regex": "^held"}, "archived": True}) == tenth
    assert count(store, {"_id": {"$regex": "^young"}, "archived": True}) == tenth


def reports(store: EventStore) -> list[dict]:
    """What the runs told of themselves, the oldest first."""
    found = store.find(Query(parse_selector({"event_data.task": "retention"}), 100)).events
    return [one.document()["event_data"] for one in reversed(found)]


def task(server: ServerProcess) -> dict:
    (shown,) = [one for one in server.get("health")["tasks"] if one["name"] == "retention"]
    return shown


def sqlite(folder: Path) -> SqliteStore:
    return SqliteStore(folder / "events.db")


def test_a_run_under_load_loses_no_event_and_is_not_repeated_after_a_restart(tmp_path):
    with closing(sqlite(tmp_path)) as store:
        fill(store, 20_000)
    server = ServerProcess(tmp_path, **POLICY).start()
    with Load(server, 3, "new-", 0.05) as load:
        wait_until(lambda: task(server)["last_outcome"] == "done", "the run")
        during = len(load.acknowledged)
    assert server.stop() in STOPPED
    assert during > 300, "a run is of some thirty batches: others write between any two"

    server.start()
    wait_until(lambda: server.get("health")["healthy"])
    shown = task(server)
    assert (shown["last_start"], shown["running"]) == (None, False)
    assert server.stop() in STOPPED
    with closing(sqlite(tmp_path)) as store:
        check(store, 20_000)
        (report,) = reports(store)
        assert (report["archived"], report["deleted"], report["held"]) == (20_000, 10_000, 2_000)
        assert report["complete"] is True
        assert count(store, {"_id": {"$regex": "^new-"}, "archived": False}) >= len(load.acknowledged)


def test_a_run_that_was_killed_is_finished_after_the_restart(tmp_path):
    with closing(sqlite(tmp_path)) as store:
        fill(store, 10_000)
    server = ServerProcess(tmp_path, EVENT_ARCHIVE_BATCH_SIZE="200", **POLICY).start()  # 50 batches
    with closing(sqlite3.connect(f"file:{server.database}?mode=ro", uri=True)) as beside:
        archived = "SELECT count(*) FROM events WHERE archived"
        wait_until(lambda: beside.execute(archived).fetchone()[0] > 8_000, "some batches")
        server.kill()
    with closing(sqlite(tmp_path)) as store:
        assert reports(store) == []
    server.start()
    wait_until(lambda: task(server)["last_outcome"] == "done", "the run")
    server.stop()
    with closing(sqlite(tmp_path)) as store:
        check(store, 10_000)
        (report,) = reports(store)
        assert 0 < report["archived"] < 10_000


def test_stopping_in_the_middle_of_a_run_is_quick_and_the_next_start_goes_on(tmp_path):
    with closing(sqlite(tmp_path)) as store:
        fill(store, 10_000)
    server = ServerProcess(tmp_path, EVENT_SHUTDOWN_TIMEOUT_SECONDS="10", **POLICY).start()
    wait_until(lambda: task(server)["running"], "the run")
    assert server.stop() in STOPPED
    server.start()
    wait_until(lambda: task(server)["last_outcome"] == "done", "the run")
    server.stop()
    with closing(sqlite(tmp_path)) as store:
        check(store, 10_000)
        told = reports(store)
        assert [one["complete"] for one in told] == [False, True]
        assert sum(one["archived"] for one in told) == 10_000
    assert "ERROR" not in server.log.read_text()


def test_of_two_servers_on_one_database_one_does_the_run(tmp_path, mongo_url, mongo_database):
    with closing(MongoStore(mongo_url, database=mongo_database)) as store:
        fill(store, 400)
        settings = {
            "EVENT_DB_URL": mongo_url, "EVENT_DATABASE_NAME": mongo_database,
            "EVENT_ARCHIVE_BATCH_SIZE": "50", **POLICY,
        }  # fmt: skip
        servers = []
        for name in ("one", "other"):
            (tmp_path / name).mkdir()
            servers.append(ServerProcess(tmp_path / name, **settings))
        for server in servers:
            server.start()
        try:
            wait_until(
                lambda: [task(one)["last_outcome"] for one in servers].count("done") == 1, "the run"
            )
            check(store, 400)
            (report,) = reports(store)
            assert (report["archived"], report["deleted"]) == (400, 200)
        finally:
            for server in servers:
                server.stop()
