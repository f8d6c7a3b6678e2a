"""`kill -9`, thirty times within a backup, a restore and a run of retention, on both engines."""

from __future__ import annotations

import contextlib
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timezone
from pathlib import Path

import pytest
from pymongo import MongoClient

import madsci.event_manager.stores
from madsci.common.clock import now_us
from madsci.event_manager.backup.keeping import Keeping
from madsci.event_manager.backup.service import BackupService
from madsci.event_manager.model.query import Query
from madsci.event_manager.model.stored_event import StoredEvent
from madsci.event_manager.stores.base import EventStore
from madsci.event_manager.stores.factory import StoreAddress, open_store, open_upkeep
from madsci.event_manager.stores.mongo.turns import TURNS
from support.server import ServerProcess, wait_until

pytestmark = pytest.mark.slow

SCHEMA = Path(madsci.event_manager.stores.__file__).parents[1] / "schema.json"
KILLS = {"sqlite": 30, "mongodb": 12}
"""For each engine; the MongoDB server of the tests takes its time."""
NUMBER = 1500
DAY = 86_400_000_000
TOOL = """
import sys
from madsci.event_manager.migration import command_line
print("ready", flush=True)
sys.exit(command_line.main())
"""
LONG_AGO = datetime(1970, 1, 1, tzinfo=timezone.utc)


def event(name: str, days: float = 0, archived_days: float | None = None) -> StoredEvent:
    moment = now_us() - int(days * DAY)
    archived_at = None if archived_days is None else now_us() - int(archived_days * DAY)
    data = f'{{"message":"{name}","text":"{"x" * 400}"}}'
    return StoredEvent(
        name, "log", 20, False, moment, moment, {}, data,
        archived=archived_at is not None, archived_at=archived_at,
    )  # fmt: skip


class Lab:
    """A database of one engine, and the migration tool at work on it."""

    def __init__(self, folder: Path, place: StoreAddress) -> None:
        self.folder = folder
        self.place = place
        self.number_of_kills = KILLS[place.url.partition(":")[0]]
        self.backups = folder / "backups"

    def store(self) -> contextlib.closing[EventStore]:
        return closing(open_store(self.place))

    def put(self, *names: str) -> None:
        with self.store() as store:
            store.append([event(name) for name in names])

    def ids(self) -> set[str]:
        with self.store() as store:
            return {one.event_id for one in store.find(Query(limit=10_000)).events}

    @contextlib.contextmanager
    def service(self) -> Iterator[BackupService]:
        with closing(open_upkeep(self.place)) as upkeep:
            yield BackupService(upkeep, self.backups, keeping=Keeping(3, 0, 0, 0))

    def run(self, *flags: str) -> tuple[subprocess.Popen[str], float]:
        """Start the tool, and return it with the time at which it begins to work."""
        flags = ("--db-url", self.place.url, "--backup-dir", str(self.backups), *flags)
        if self.place.url.startswith("mongodb"):
            flags = ("--database", self.place.database, "--schema-file", str(SCHEMA), *flags)
        process = subprocess.Popen(
            [sys.executable, "-c", TOOL, *flags], cwd=self.folder, text=True,
            env={**os.environ, "MONGODB_MIGRATION_BACKUP_MAX_COUNT": "3"},
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        assert process.stdout.readline() == "ready\n"
        return process, time.monotonic()

    def measure(self, *flags: str) -> float:
        """Return how long the tool works."""
        process, began = self.run(*flags)
        process.communicate(timeout=100)
        assert process.returncode == 0
        return time.monotonic() - began

    def kills(self, *flags: str) -> Iterator[int]:
        """Kill the tool at moments of its work, from the first to the last; yield after each try."""
        seconds = self.measure(*flags)
        killed = tries = 0
        while killed < self.number_of_kills:
            tries += 1
            assert tries < 3 * self.number_of_kills
            process, _ = self.run(*flags)
            threading.Event().wait(seconds * (killed + random.random()) / self.number_of_kills)
            process.kill()
            process.communicate(timeout=10)
            self.forget_holders()
            is_killed = process.returncode != 0
            killed += is_killed
            seconds *= 1 if is_killed else 0.9  # the machine is quicker than when it was measured
            yield killed

    def forget_holders(self) -> None:
        """As two minutes later, when what the killed one held has ended."""
        if self.place.url.startswith("mongodb"):
            with MongoClient(self.place.url) as client:
                client[self.place.database][TURNS].update_many({}, {"$set": {"until": LONG_AGO}})


@pytest.fixture(params=["sqlite", "mongodb"])
def lab(request, tmp_path) -> Lab:
    if request.param == "sqlite":
        return Lab(tmp_path, StoreAddress(f"sqlite:///{tmp_path / 'events.db'}", tmp_path))
    url = request.getfixturevalue("mongo_url")
    return Lab(
        tmp_path, StoreAddress(url, tmp_path, database=request.getfixturevalue("mongo_database"))
    )


def names(prefix: str, number: int = NUMBER) -> list[str]:
    return [f"{prefix}{one}" for one in range(number)]


def test_a_backup_killed_at_any_moment_leaves_none_that_is_not_whole(lab):
    lab.put(*names("e"))
    for _ in lab.kills("--backup-only"):
        with lab.service() as service:
            listed = service.backups()
            assert 1 <= len(listed) <= 4
            assert all(one.is_valid for one in listed)
            assert service.verify(listed[0].path) == NUMBER
    with lab.service() as service:
        made = [service.create().events for _ in range(3)]  # all that are kept, however many were there
        assert (made, len(service.backups())) == ([NUMBER] * 3, 3)
    assert [one.name for one in lab.backups.glob(".*.part")] == []
    assert lab.ids() >= set(names("e"))


def test_a_restore_killed_at_any_moment_leaves_the_old_database_or_the_restored_one(lab):
    early, late = names("early"), names("late", 50)
    lab.put(*early)
    with lab.service() as service:
        path = service.create().path
    lab.put(*late)
    flags = ("--restore-from", str(path))
    states = set()
    for _ in lab.kills(*flags):
        found = lab.ids()
        assert set(early) <= found
        of_late = found & set(late)
        assert of_late in (set(), set(late))
        states.add(bool(of_late))
        with lab.service() as service:
            assert all(one.is_valid for one in service.backups())
        lab.put(*late)
    assert True in states
    assert lab.measure(*flags) > 0
    assert lab.ids() & {*early, *late} == set(early)
    with lab.service() as service:
        assert service.create().events >= NUMBER


def test_retention_killed_at_any_moment_deletes_what_it_should_and_nothing_else(lab):
    number = 400 if lab.place.url.startswith("sqlite") else 160
    old, gone, young = names("old", number), names("gone", number), names("young", 50)
    with lab.store() as store:
        store.append([event(one, 100) for one in old])
        store.append([event(one, 500, 400) for one in gone])
        store.append([event(one, 500, 300) for one in young])
        store.append([event("fresh", 0.1)])
    server = ServerProcess(
        lab.folder, EVENT_DB_URL=lab.place.url, EVENT_DATABASE_NAME=lab.place.database,
        EVENT_RETENTION_ENABLED="true", EVENT_BACKUP_BEFORE_PURGE="false",
        EVENT_ARCHIVE_BATCH_SIZE="5", EVENT_MAX_BATCHES_PER_RUN="0",
    )  # fmt: skip

    def task() -> dict:
        (shown,) = [one for one in server.get("health")["tasks"] if one["name"] == "retention"]
        return shown

    under_way = 0
    for number in range(lab.number_of_kills):
        server.start()
        try:
            assert server.post("event", {"event_id": f"kept{number}"}).status == 200
            wait_until(lambda: task()["running"] or task()["last_outcome"], "the run")
            under_way += task()["running"]
            threading.Event().wait(random.random() / 3)  # the moment is the test
        finally:
            server.kill()
            lab.forget_holders()
    assert under_way > lab.number_of_kills // 2
    server.start()
    try:
        left = {"_id": {"$regex": "^gone"}}
        wait_until(lambda: not server.post("events/count", left).json["count"], "the end", seconds=600)
    finally:
        server.stop()
    found, kept = lab.ids(), names("kept", lab.number_of_kills)
    assert found >= {*old, *young, "fresh", *kept}
    assert found.isdisjoint(gone)
    with lab.store() as store:
        assert all(store.get(one).archived for one in old)
        assert not any(
            store.get(one).archived for one in ("fresh", *names("kept", lab.number_of_kills))
        )
