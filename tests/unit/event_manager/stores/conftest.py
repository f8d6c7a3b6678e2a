"""What several tests of stores need."""

from __future__ import annotations

import pytest

from madsci.event_manager.stores.mongo.store import MongoStore


@pytest.fixture
def open_store(mongo_url, mongo_database):
    """Opens the database as often as a test wants, as so many servers do."""
    opened = []

    def open_again() -> MongoStore:
        opened.append(MongoStore(mongo_url, database=mongo_database))
        return opened[-1]

    yield open_again
    for one in opened:
        one.close()
