"""Every store that keeps the contract of `stores/base.py`."""

from __future__ import annotations

import pytest

from madsci.event_manager.stores.memory import MemoryStore
from madsci.event_manager.stores.sqlite.store import SqliteStore

ENGINES = {
    "memory": lambda _: MemoryStore(),
    "sqlite": lambda directory: SqliteStore(directory / "events.db"),
}


@pytest.fixture(params=ENGINES)
def store(request, tmp_path):
    """An empty store of each engine."""
    opened = ENGINES[request.param](tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def stores(tmp_path):
    """An empty store of every engine at once, by name."""
    opened = {name: make(tmp_path) for name, make in ENGINES.items()}
    yield opened
    for one in opened.values():
        one.close()
