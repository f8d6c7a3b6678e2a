"""Steps of followers in MongoDB: each entry takes effect once, whoever dies or stands still."""

from __future__ import annotations

import json
from contextlib import closing

import pytest
from pymongo.collection import Collection
from pymongo.errors import AutoReconnect

from madsci.common.errors import StoreError
from madsci.event_manager.feed.course import Course
from madsci.event_manager.feed.follower import Conclusion
from madsci.event_manager.model.feed import START, Position
from madsci.event_manager.model.stored_event import StoredEvent
from madsci.event_manager.model.tables import FOLLOWERS, Step, delete, put, put_if_absent
from madsci.event_manager.stores.mongo import steps
from madsci.event_manager.stores.mongo.connection import connect


def place(number: int) -> Position:
    return Position.of([("lane", number)]) if number else START


def step(number: int, follower: str = "f") -> Step:
    return Step(follower, place(number - 1), place(number))


@pytest.fixture
def documents(mongo_url, mongo_database):
    with closing(connect(mongo_url)) as client:
        yield client[mongo_database]["documents"]


class Dying:
    """Lets a server die after so many changes of a step."""

    def __init__(self, monkeypatch) -> None:
        self.left: int | None = None
        real = Collection.bulk_write

        def write(documents, changes):
            if self.left is None:
                return real(documents, changes)
            if self.left:
                real(documents, changes[: self.left])
            raise AutoReconnect("the server is gone")

        monkeypatch.setattr(Collection, "bulk_write", write)


@pytest.fixture
def dying(monkeypatch):
    return Dying(monkeypatch)


CHANGES = [put("t", "a", "1"), delete("t", "old"), put_if_absent("t", "b", "1"), put("t", "a", "2")]


@pytest.mark.parametrize("after", range(len(CHANGES)))
def test_a_step_whose_server_died_is_made_by_who_reads_the_place_next(open_store, dying, after):
    one, other = open_store(), open_store()
    one.apply([put("t", "old", "1")])
    dying.left = after
    with pytest.raises(StoreError):
        one.apply(CHANGES, step(1))
    dying.left = None
    assert str(place(1)) in other.read(FOLLOWERS, "f")
    assert other.scan("t") == [("a", "2"), ("b", "1")]
    assert not one.apply(CHANGES, step(1))
    assert other.apply([put("t", "a", "3")], step(2))
    assert one.scan("t") == [("a", "3"), ("b", "1")]


def test_a_step_that_was_not_begun_changes_nothing(open_store):
    one, other = open_store(), open_store()
    assert one.apply([put("t", "a", "1")], step(1))
    assert not other.apply([put("t", "a", "2"), delete("t", "a")], step(1))
    assert not other.apply([put("t", "a", "2"), delete("t", "a")], step(3))
    assert one.scan("t") == [("a", "1")]


def test_who_stood_still_amid_a_step_overwrites_nothing_that_came_later(open_store, documents, dying):
    one, other = open_store(), open_store()
    dying.left = 0
    with pytest.raises(StoreError):
        one.apply([put("t", "a", "1"), put("t", "b", "1"), delete("t", "c")], step(1))
    dying.left = None
    stood_still = documents.find_one({"_id": "followers/f"})  # what it still has in its memory
    other.read(FOLLOWERS, "f")
    assert other.apply([put("t", "a", "2"), put("t", "c", "2")], step(2))
    steps.finish_step(documents, stood_still)
    assert other.scan("t") == [("a", "2"), ("b", "1"), ("c", "2")]
    assert str(place(2)) in other.read(FOLLOWERS, "f")


def test_changes_of_others_after_a_step_stay_though_it_is_made_again(open_store, documents, dying):
    one, other = open_store(), open_store()
    dying.left = 1
    with pytest.raises(StoreError):
        one.apply([put("outbox", "a", "waiting"), put("outbox", "b", "waiting")], step(1))
    dying.left = None
    other.apply([put("outbox", "a", "sent")])
    other.read(FOLLOWERS, "f")
    assert other.scan("outbox") == [("a", "sent"), ("b", "waiting")]


@pytest.mark.parametrize("way", [put, put_if_absent])
def test_what_somebody_puts_while_a_step_is_made_is_changed_as_if_it_had_been_there(
    open_store, documents, monkeypatch, way
):
    store, real = open_store(), Collection.bulk_write

    def write(collection, changes):
        documents.insert_one({"_id": "t/b", "value": "of another"})
        return real(collection, changes)

    monkeypatch.setattr(Collection, "bulk_write", write)
    assert store.apply([put("t", "a", "1"), way("t", "b", "1"), put("t", "c", "1")], step(1))
    kept = "1" if way is put else "of another"
    assert store.scan("t") == [("a", "1"), ("b", kept), ("c", "1")]


def test_a_document_that_a_step_makes_and_removes_and_makes_again_is_as_it_was_left(open_store):
    store = open_store()
    changes = [put("t", "a", "1"), delete("t", "a"), put_if_absent("t", "a", "2"), put("t", "a", "3")]
    assert store.apply([*changes, put("t", "b", "1"), delete("t", "b")], step(1))
    assert store.scan("t") == [("a", "3")]


def test_followers_do_not_hold_up_each_other(open_store):
    store = open_store()
    assert store.apply([put("t", "a", "1")], step(1, "f"))
    assert store.apply([put("t", "a", "2")], step(1, "g"))
    assert store.apply([put("t", "a", "3")], step(2, "f"))
    assert store.scan("t") == [("a", "3")]


class Counter:
    """Keeps how many events there were, and which."""

    name = "counter"

    def conclude(self, entries, kept, now):
        seen = json.loads(kept.read("count", "seen") or "[]")
        seen += [one.event.event_id for one in entries]
        number = int(kept.read("count", "number") or 0) + len(entries)
        changes = [put("count", "seen", json.dumps(seen)), put("count", "number", str(number))]
        return Conclusion(changes)


@pytest.mark.parametrize("after", [0, 1])
def test_a_course_that_was_cut_off_amid_a_step_and_one_on_another_server_count_each_event_once(
    open_store, dying, after
):
    one, other = open_store(), open_store()
    seconds = [0.0]
    first = Course(Counter(), one, elapsed=lambda: seconds[0])
    second = Course(Counter(), other)
    one.append([StoredEvent(f"e{n}", "log", 20, False, n, n, {}, "{}") for n in range(5)])
    dying.left = after
    first.advance()
    assert first.failure is not None
    dying.left = None
    seconds[0] += 60
    one.append([StoredEvent("e5", "log", 20, False, 5, 5, {}, "{}")])
    for _ in range(4):
        second.advance()
        first.advance()
        seconds[0] += 60
    assert json.loads(one.read("count", "seen")) == [f"e{n}" for n in range(6)]
    assert one.read("count", "number") == "6"
    assert first.failure is None


def test_in_a_restored_database_what_is_concluded_is_later_than_all_that_is_there(
    open_store, documents
):
    store = open_store()
    for number in range(1, 5):
        assert store.apply([put("t", "a", str(number))], step(number))
    documents.update_one(
        {"_id": "followers/f"}, {"$set": {"value": f'{{"position":"{place(1)}"}}', "number": 1}}
    )
    steps.begin_series(documents)
    assert store.apply([put("t", "a", "5")], step(2))
    assert store.scan("t") == [("a", "5")]
