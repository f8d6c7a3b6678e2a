"""Random documents and random questions: the matcher and every store say the same."""

from __future__ import annotations

import json
import tempfile
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import apsw
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from madsci.common.ids import new_ulid
from madsci.event_manager.ingest.intake import Intake
from madsci.event_manager.model.matcher import matches
from madsci.event_manager.model.query import Query, decode_cursor
from madsci.event_manager.model.selector_parser import parse_selector
from madsci.event_manager.model.sorting import parse_sort
from madsci.event_manager.model.stored_event import StoredEvent, encode_event, encode_json
from madsci.event_manager.model.tally import GROUPINGS, Buckets, Tally
from madsci.event_manager.stores.memory import MemoryStore
from madsci.event_manager.stores.mongo.connection import connect
from madsci.event_manager.stores.mongo.store import MongoStore
from madsci.event_manager.stores.sqlite.store import SqliteStore
from support.questions import events, orders, selectors

slow_to_open = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])


def in_order(listed: list[StoredEvent]) -> list[StoredEvent]:
    """The same events with ids, in the order in which a store finds them."""
    made = [
        StoredEvent(f"e{place:02}", *[getattr(one, name) for name in one.__struct_fields__[1:]])
        for place, one in enumerate(listed)
    ]
    return sorted(made, key=lambda one: one.order, reverse=True)


@pytest.fixture(scope="module")
def mongo(mongo_url):
    """A store on a MongoDB server, emptied for every example."""
    name = f"agreement_{new_ulid().lower()}"
    with closing(MongoStore(mongo_url, database=name)) as store:
        yield store
    with closing(connect(mongo_url)) as client:
        client.drop_database(name)


@contextmanager
def every_store(mongo: MongoStore, kept: list[StoredEvent]):
    """A store of each engine that holds the events."""
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(MemoryStore()) as memory,
        closing(SqliteStore(Path(folder) / "events.db")) as sqlite,
    ):
        ids = [event.event_id for event in kept]
        stores = [memory, sqlite, mongo]
        for store in stores:
            store.append(kept)
        try:
            yield stores
        finally:
            mongo.archive(ids, 0)
            mongo.delete(ids)


@slow_to_open
@given(st.lists(events, min_size=1, max_size=8), st.lists(selectors, min_size=1, max_size=12))
def test_matcher_and_stores_agree_about_every_question(mongo, listed, questions):
    kept = in_order(listed)
    with every_store(mongo, kept) as stores:
        for question in questions:
            tree = parse_selector(question)
            expected = [one.event_id for one in kept if matches(tree, one.document())]
            for store in stores:
                found = [one.event_id for one in store.find(Query(tree)).events]
                assert found == expected, (store.engine, question)


@pytest.mark.slow
@slow_to_open
@given(st.lists(events, min_size=1, max_size=8), st.lists(selectors, min_size=1, max_size=5), orders)
def test_stores_agree_about_every_order_page_and_count(mongo, listed, questions, order):
    kept = in_order(listed)
    sort = parse_sort(order)
    with every_store(mongo, kept) as stores:
        for question in questions:
            tree = parse_selector(question)
            whole = [one.event_id for one in stores[0].find(Query(tree, sort=sort)).events]
            for store in stores:
                assert list(pages(store, Query(tree, 2, sort=sort))) == whole, (store.engine, question)
            for grouping in (None, *GROUPINGS.values()):
                for buckets in (None, Buckets(-2, 3, 2)):
                    tally = Tally(tree, grouping, buckets)
                    counts = [store.tally([tally])[0] for store in stores]
                    if buckets is not None:
                        counts = [sorted(map(str, one)) for one in counts]
                    assert all(one == counts[0] for one in counts), (question, grouping, buckets)


@pytest.mark.slow
@slow_to_open
@given(st.lists(events, min_size=1, max_size=8), orders)
def test_the_json_of_events_is_the_same_from_every_store(mongo, listed, order):
    """Also from an event file, which has the texts; with checksums, and of earlier versions without."""
    kept = in_order(listed)
    query = Query(limit=3, sort=parse_sort(order))
    with every_store(mongo, kept) as stores:
        memory, sqlite, _ = stores
        expected = memory.find(query).as_json()
        for store in stores:
            assert store.find_json(query) == expected, store.engine
        with closing(apsw.Connection(sqlite.location)) as connection:
            connection.execute("UPDATE events SET checksum = NULL WHERE sender IS NULL")
        assert sqlite.find_json(query) == expected


_MOST_PAGES = 20


def pages(store, query: Query):
    """The ids of all pages, each asked for with the cursor of the one before."""
    for _ in range(_MOST_PAGES):
        page = store.find(query)
        yield from (one.event_id for one in page.events)
        if page.next_cursor is None:
            return
        query = replace(query, after=decode_cursor(page.next_cursor, query.sort))
    pytest.fail("the pages do not end")


@slow_to_open
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=40))
def test_every_number_is_found_by_itself_and_by_no_other(numbers_kept):
    """SQLite reads numbers from text with code of its own."""
    kept = {f"e{place}": number for place, number in enumerate(numbers_kept)}
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(SqliteStore(Path(folder) / "events.db")) as sqlite,
    ):
        sqlite.append(
            [
                StoredEvent(name, "log", 20, False, 0, 0, {}, encode_json({"n": number}))
                for name, number in kept.items()
            ]
        )
        for number in numbers_kept:
            for operator, expected in (
                ("$eq", {name for name, other in kept.items() if other == number}),
                ("$lt", {name for name, other in kept.items() if other < number}),
            ):
                tree = parse_selector({"event_data.n": {operator: number}})
                assert {one.event_id for one in sqlite.find(Query(tree)).events} == expected


# A NUL in a name is kept as a visible escape, and said.
names = st.text(st.characters(codec="utf-8", exclude_characters="\0"))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(names, inner),
    max_leaves=15,
)  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("unknown_member", [False, True], ids=["fast path", "patient path"])
@slow_to_open
@given(listed=st.lists(json_values, min_size=1, max_size=10), ascii_only=st.booleans())
def test_event_data_survives_the_way_in_the_store_and_the_way_out(listed, ascii_only, unknown_member):
    intake = Intake(own_source={"manager_id": "m"})
    kept = []
    for place, value in enumerate(listed):
        wire = {"_id": f"e{place}", "event_data": value}
        if unknown_member:
            wire["colour"] = value
        accepted = intake.read(json.dumps(wire, ensure_ascii=ascii_only).encode())
        assert not accepted.repairs
        kept.append(accepted.event)
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(MemoryStore()) as memory,
        closing(SqliteStore(Path(folder) / "events.db")) as sqlite,
    ):
        for store in (memory, sqlite):
            store.append(kept)
            for place, value in enumerate(listed):
                reply = json.loads(encode_event(store.get(f"e{place}")))
                assert reply["event_data"] == value
                assert json.dumps(reply["event_data"]) == json.dumps(value)
                assert reply.get("extra", {"colour": value}) == {"colour": value}
