"""Every store that keeps the contract of `stores/base.py`."""

from __future__ import annotations

import contextlib

import pytest

from madsci.event_manager.stores.memory import MemoryStore
from madsci.event_manager.stores.mongo.store import MongoStore
from madsci.event_manager.stores.sqlite.store import SqliteStore


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


@pytest.fixture
def stores(request):
    """An empty store of every engine at once, by name."""
    with contextlib.ExitStack() as opened:
        yield {
            name: opened.enter_context(contextlib.closing(make(request)))
            for name, make in ENGINES.items()
        }
