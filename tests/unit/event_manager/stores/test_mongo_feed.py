"""The lanes of several servers: all of each is read once, whoever dies and whatever fails."""

from __future__ import annotations

from contextlib import ExitStack, closing

import pytest
from pymongo.errors import AutoReconnect

from madsci.common.errors import InvalidInputError, StoreError
from madsci.event_manager.model.feed import START, Position
from madsci.event_manager.model.stored_event import StoredEvent
from madsci.event_manager.stores.mongo import lane_keeper, lanes
from madsci.event_manager.stores.mongo.lanes import LANES
from madsci.event_manager.stores.mongo.store import MongoStore
from support.server import wait_until


@pytest.fixture
def servers(mongo_url, mongo_database, monkeypatch):
    """Makes servers that share a database, and look after its lanes all the time."""
    monkeypatch.setattr(lane_keeper, "_LOOK", 0.02)
    monkeypatch.setattr(lane_keeper, "_ENDING", 0.0)
    monkeypatch.setattr(lane_keeper, "_TURN", 0.01)
    with ExitStack() as stack:
        yield lambda: stack.enter_context(closing(MongoStore(mongo_url, database=mongo_database)))


def event(event_id: str, *, alert: bool = False) -> StoredEvent:
    return StoredEvent(event_id, "log", 20, alert, 1, 1, {}, "{}")


def append(store: MongoStore, *ids: str) -> None:
    store.append([event(one) for one in ids])


def read(store: MongoStore, position: Position = START, limit: int = 3):
    found, missed = [], 0
    while True:
        part = store.since(Position.parse(str(position)), limit)
        found += [one.event.event_id + "!" * one.is_raised_alert for one in part.entries]
        missed += part.missed
        position = part.next
        if not part.has_more:
            return found, missed, position


def test_what_several_servers_take_is_read_by_each_of_them_once(servers):
    one, other = servers(), servers()
    append(one, "a1", "a2")
    append(other, "b1")
    append(one, "a3")
    other.append([event("a1", alert=True)])
    for store in (one, other):
        wait_until(lambda store=store: len(read(store)[0]) == 5, "what the other one took")
        found, missed, _ = read(store)
        assert sorted(found) == ["a1", "a1!", "a2", "a3", "b1"]
        assert missed == 0
        assert [name for name in found if name.startswith("a") and name != "a1!"] == ["a1", "a2", "a3"]


def test_what_fails_amid_a_batch_is_read_when_it_must_be_over(servers, monkeypatch):
    """Some of it is on disk, and nobody was told so; sent again, it is stored once."""
    store, other = servers(), servers()
    append(store, "before")
    real = store._appender._insert_many

    def half(documents, *, final=False):
        real(documents[::2], final=final)
        raise AutoReconnect("the connection is gone")

    monkeypatch.setattr(store._appender, "_insert_many", half)
    with pytest.raises(StoreError):
        append(store, "a", "b", "c", "d")
    monkeypatch.setattr(store._appender, "_insert_many", real)
    append(store, "a", "b", "c", "d")
    found, missed, position = read(store)
    assert (sorted(found), missed) == (["b", "before", "d"], 0)
    monkeypatch.setattr(lanes, "LONGEST_WRITE", 0.0)
    wait_until(lambda: len(read(store)[0]) == 5, "the end of the lane that was left")
    assert read(store, position)[:2] == (["a", "c"], 0)
    assert sorted(read(other)[0]) == ["a", "b", "before", "c", "d"]


def test_what_a_server_that_died_had_not_said_to_be_there_is_read(servers, monkeypatch):
    store, other = servers(), servers()
    append(store, "a")
    wait_until(lambda: read(other)[0] == ["a"], "the first event")
    store._keeper._stopping = True
    store._keeper.wake()
    store._keeper._thread.join()
    append(store, "b", "c")
    assert read(other)[:2] == (["a"], 0)
    _, _, position = read(other)
    store._presence.close()
    monkeypatch.setattr(lanes, "LONGEST_WRITE", 0.0)
    wait_until(lambda: read(other, position)[:2] == (["b", "c"], 0), "the end of its lane")


def test_of_lanes_that_have_ended_a_position_has_one_number(servers, monkeypatch):
    monkeypatch.setattr(lanes, "LONGEST_WRITE", 0.0)
    reader, position = servers(), START
    for number in range(5):
        with closing(servers()) as store:
            append(store, f"e{number}")
    wait_until(lambda: str(read(reader)[2]) == "ended-5", "the end of all lanes")
    found, missed, position = read(reader)
    assert (sorted(found), missed) == ([f"e{number}" for number in range(5)], 0)
    append(reader, "new")
    assert read(reader, position)[:2] == (["new"], 0)


def test_a_position_in_a_lane_that_nobody_knows_is_refused(servers):
    store = servers()
    append(store, "a")
    with pytest.raises(InvalidInputError, match="not one of this event store"):
        store.since(Position.parse("abcdefabcdef-3"), 10)


def test_a_server_that_was_away_writes_in_another_lane(servers):
    store = servers()
    append(store, "a")
    store._return()
    append(store, "b")
    assert store._database[LANES].count_documents({}) == 2
    assert sorted(read(store)[0]) == ["a", "b"]
