"""A database of each engine, and the backups of it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from madsci.common.clock import now_us
from madsci.event_manager.backup.keeping import Keeping
from madsci.event_manager.backup.service import BackupService
from madsci.event_manager.model.stored_event import StoredEvent
from madsci.event_manager.stores.base import EventStore
from madsci.event_manager.stores.factory import StoreAddress, open_store, open_upkeep
from madsci.event_manager.stores.upkeep import Upkeep


def event(name: str, data: str | None = None) -> StoredEvent:
    return StoredEvent(name, "log", 20, False, 1_000, 1_000, {}, data or f'{{"message":"{name}"}}')


@dataclass
class Clock:
    """A time that goes on by a second with each look, and by days when it is told to."""

    now: int = field(default_factory=now_us)

    def __call__(self) -> int:
        self.now += 1_000_000
        return self.now

    def pass_days(self, days: float) -> None:
        self.now += int(days * 86_400_000_000)


@dataclass
class Database:
    """A database that is opened for each thing that is done with it."""

    place: StoreAddress
    upkeep: Upkeep
    folder: Path
    clock: Clock

    def store(self) -> contextlib.closing[EventStore]:
        return contextlib.closing(open_store(self.place))

    def put(self, *names: str) -> None:
        with self.store() as store:
            store.append([event(name) for name in names])

    def has(self, *names: str) -> list[bool]:
        with self.store() as store:
            return [store.get(name) is not None for name in names]

    def service(self, max_count: int = 10) -> BackupService:
        return BackupService(self.upkeep, self.folder, keeping=Keeping(max_count), clock=self.clock)


@pytest.fixture(params=["sqlite", "mongodb"])
def engine(request) -> str:
    return request.param


@pytest.fixture
def make_database(request, engine, tmp_path):
    """Make databases: those of ``sqlite`` are files, those of ``mongodb`` on the test server."""
    with contextlib.ExitStack() as stack:

        def make(folder: str = "lab") -> Database:
            (tmp_path / folder).mkdir(exist_ok=True)
            url = f"sqlite:///{tmp_path / folder / 'events.db'}"
            place = StoreAddress(url, tmp_path / "unused.db")
            if engine == "mongodb":
                url = request.getfixturevalue("mongo_url")
                name = request.getfixturevalue("mongo_database")
                place = StoreAddress(url, tmp_path / "unused.db", database=name)
            upkeep = open_upkeep(place)
            stack.callback(upkeep.close)
            return Database(place, upkeep, tmp_path / "backups", Clock())

        yield make


@pytest.fixture
def database(make_database: Callable[[], Database]) -> Database:
    return make_database()
