"""Every store that keeps the contract of `stores/base.py`."""

from __future__ import annotations

import contextlib

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
SLOW_ON_MONGODB = {
    "test_a_backup_is_made_before_much_is_deleted",
    "test_a_few_thousand_changes_of_all_kinds_are_made_at_once",
    "test_a_follower_that_comes_when_all_is_there_concludes_the_same",
    "test_a_large_append_is_kept_whole",
    "test_a_page_ends_before_its_events_have_too_many_bytes",
    "test_a_page_has_sixteen_megabytes",
    "test_a_policy_that_was_switched_off_for_years_is_believed_where_events_came_in",
    "test_a_step_that_another_server_has_overtaken_changes_nothing",
    "test_events_as_they_come_tell_what_they_tell_when_all_are_there",
    "test_facts_are_what_was_given_and_nothing_else_however_many",
    "test_servers_that_take_turns_conclude_the_same",
    "test_what_is_too_large_is_refused_before_anything_is_changed",
    "test_what_was_concluded_can_be_thrown_away_and_made_again",
}
"""What takes seconds on the MongoDB server of the tests: slow drills there, by name."""


def pytest_collection_modifyitems(items):
    slow = [item for item in items if item.originalname in SLOW_ON_MONGODB and "mongodb" in item.name]
    for item in slow:
        item.add_marker(pytest.mark.slow)


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
    with (
        mongo_servers.new_database(mongo_url) as database,
        contextlib.closing(MemoryStore()) as memory,
        contextlib.closing(SqliteStore(tmp_path_factory.mktemp("stores") / "events.db")) as sqlite,
        contextlib.closing(MongoStore(mongo_url, database=database)) as mongodb,
    ):
        yield {"memory": memory, "sqlite": sqlite, "mongodb": mongodb}


@pytest.fixture
def stores(opened_stores):
    """An empty store of every engine at once, by name; to make one takes longer than to empty it."""
    yield opened_stores
    for store in opened_stores.values():
        ids = [one.event_id for one in store.find(Query(limit=10_000)).events]
        store.archive(ids, 1)
        assert store.delete(ids) == len(ids)
