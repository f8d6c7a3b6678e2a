"""The contract of `Tables`, for every engine that has them."""

from __future__ import annotations

import threading

import pytest
from test_event_store import event

from madsci.event_manager.model.feed import START, Position
from madsci.event_manager.model.tables import FOLLOWERS, Step, delete, position_of, put, put_if_absent


@pytest.fixture
def tables(store):
    return store


def test_a_document_is_read_as_it_was_put(tables):
    value = '{"text":"plate \\u0000 ü","n":[1,2.5,null]}'
    assert tables.apply([put("alerts", "a", value)])
    assert tables.read("alerts", "a") == value
    assert tables.read("alerts", "b") is None
    assert tables.read("others", "a") is None


def test_changes_are_made_in_their_order(tables):
    tables.apply([put("t", "a", "1"), put("t", "a", "2"), put_if_absent("t", "a", "3")])
    tables.apply([put_if_absent("t", "b", "4"), put("t", "c", "5"), delete("t", "c"), delete("t", "d")])
    assert tables.scan("t") == [("a", "2"), ("b", "4")]


def test_documents_come_in_the_order_of_their_keys_page_by_page(tables):
    keys = ["", "a", "a/1", "a/10", "a/2", "a0", "b", "ä", "\U0001f600", "\uffee"]
    tables.apply([put("t", key, "0") for key in reversed(keys)])
    tables.apply([put("u", "a", "1")])
    found, after = [], None
    while page := tables.scan("t", after=after, limit=3):
        found += [key for key, _ in page]
        after = page[-1][0]
    assert found == sorted(keys)
    assert [key for key, _ in tables.scan("t", "a/")] == ["a/1", "a/10", "a/2"]
    assert [key for key, _ in tables.scan("t", "a/", after="a/1", limit=1)] == ["a/10"]
    assert tables.scan("t", "nothing") == []


def test_a_step_is_made_where_the_follower_is_and_nowhere_else(tables):
    tables.append([event("a"), event("b")])
    middle, end = tables.since(START, 1).next, tables.head()
    assert not tables.apply([put("t", "k", "1")], Step("counter", middle, end))
    assert tables.read("t", "k") is None
    assert tables.apply([put("t", "k", "1")], Step("counter", START, middle))
    assert not tables.apply([put("t", "k", "2")], Step("counter", START, middle))
    assert tables.apply([put("t", "k", "3")], Step("counter", middle, end))
    assert tables.read("t", "k") == "3"
    assert position_of(tables.read(FOLLOWERS, "counter")) == end
    assert tables.apply([], Step("another", START, end))


def test_of_two_that_make_the_same_step_at_once_one_does(tables):
    made: list[bool] = []
    begun = threading.Barrier(4)

    def step(number: int) -> None:
        begun.wait(10)
        made.append(
            tables.apply([put("t", "by", str(number))], Step("f", START, Position.of([("lane", 1)])))
        )

    threads = [threading.Thread(target=step, args=[number]) for number in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sorted(made) == [False, False, False, True]


def test_documents_are_not_in_the_feed_and_no_events(tables):
    head = tables.head()
    tables.apply([put("t", "k", "1")])
    assert tables.head() == head
    assert tables.count() == 0
