"""Every store that keeps the contract of `stores/base.py`."""

from __future__ import annotations

import contextlib
import uuid

import pytest

from madsci.event_manager.model.query import Query
from madsci.event_manager.stores.memory import MemoryStore
from madsci.event_manager.stores.mongo.store import MongoStore
from madsci.event_manager.stores.sqlite.store import SqliteStore
from support import mongo_servers


def mongo_store(request) -> MongoStore:
    return MongoStore(
        request.getfixturevalue("mongo_url"), database=request.getfixturevalue("mongo_database")
    )


ENGINES = {
    "memory": lambda _: MemoryStore(),
    "sqlite": lambda request: SqliteStore(request.getfixturevalue("tmp_path") / "events.db"),
    "mongodb": mongo_store,
}
WITH_TRANSACTIONS = ("memory", "sqlite")


@pytest.fixture(params=ENGINES)
def engine(request):
    """The name of each engine."""
    return request.param


@pytest.fixture
def store(request, engine):
    """An empty store of each engine."""
    with contextlib.closing(ENGINES[engine](request)) as opened:
        yield opened


@pytest.fixture(scope="module")
def opened_stores(mongo_url, tmp_path_factory):
    """A store of every engine at once, by name."""
    database = f"test_{uuid.uuid4().hex[:16]}"
    with contextlib.ExitStack() as opened:
        opened.callback(mongo_servers.drop_database, mongo_url, database)
        stores = {
            "memory": MemoryStore(),
            "sqlite": SqliteStore(tmp_path_factory.mktemp("stores") / "events.db"),
            "mongodb": MongoStore(mongo_url, database=database),
        }
        for store in stores.values():
            opened.callback(store.close)
        yield stores


@pytest.fixture
def stores(opened_stores):
    """An empty store of every engine at once, by name; to make one takes longer than to empty it."""
    yield opened_stores
    for store in opened_stores.values():
        ids = [one.event_id for one in store.find(Query(limit=10_000)).events]
        store.archive(ids, 1)
        assert store.delete(ids) == len(ids)
