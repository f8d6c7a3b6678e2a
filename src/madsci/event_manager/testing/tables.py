"""Small tables, steps of followers, and leases."""

from __future__ import annotations

import json
import threading
import time
from itertools import pairwise

import pytest

from madsci.common.errors import InvalidInputError
from madsci.event_manager.model.feed import START, Position
from madsci.event_manager.model.tables import (
    FOLLOWERS,
    MAX_CHANGES,
    MAX_VALUE,
    Step,
    delete,
    position_of,
    put,
    put_if_absent,
)
from madsci.event_manager.stores.base import EventStore
from madsci.event_manager.testing.samples import event


class TablesContract:
    """What ``Tables`` promises."""

    def test_a_document_is_read_as_it_was_put(self, store: EventStore) -> None:
        value = '{"text":"plate \\u0000 ü","n":[1,2.5,null]}'
        assert store.apply([put("alerts", "a", value)])
        assert store.read("alerts", "a") == value
        assert store.read("alerts", "b") is None
        assert store.read("others", "a") is None

    def test_changes_are_made_in_their_order(self, store: EventStore) -> None:
        store.apply([put("t", "a", "1"), put("t", "a", "2"), put_if_absent("t", "a", "3")])
        store.apply(
            [put_if_absent("t", "b", "4"), put("t", "c", "5"), delete("t", "c"), delete("t", "d")]
        )
        assert store.scan("t") == [("a", "2"), ("b", "4")]

    def test_a_few_thousand_changes_of_all_kinds_are_made_at_once(self, store: EventStore) -> None:
        keys = [f"k{number:05d}" for number in range(1_500)]
        store.apply([put("t", key, '"old"') for key in keys[::2]])
        store.apply(
            [
                *[put_if_absent("t", key, '"new"') for key in keys],
                *[delete("t", key) for key in keys[::3]],
                put("t", keys[0], '"last"'),
            ]
        )
        expected = [
            (key, '"last"' if number == 0 else '"new"' if number % 2 else '"old"')
            for number, key in enumerate(keys)
            if number == 0 or number % 3
        ]
        assert store.scan("t", limit=5_000) == expected

    def test_documents_come_in_the_order_of_their_keys_page_by_page(self, store: EventStore) -> None:
        keys = ["", "a", "a/1", "a/10", "a/2", "a0", "b", "ä", "\U0001f600", "\uffee"]
        store.apply([put("t", key, "0") for key in reversed(keys)])
        store.apply([put("u", "a", "1")])
        found, after = [], None
        while page := store.scan("t", after=after, limit=3):
            found += [key for key, _ in page]
            after = page[-1][0]
        assert found == sorted(keys)
        assert [key for key, _ in store.scan("t", "a/")] == ["a/1", "a/10", "a/2"]
        assert [key for key, _ in store.scan("t", "a/", after="a/1", limit=1)] == ["a/10"]
        assert store.scan("t", "nothing") == []

    def test_a_step_is_made_where_the_follower_is_and_nowhere_else(self, store: EventStore) -> None:
        store.append([event("a"), event("b")])
        middle, end = store.since(START, 1).next, store.head()
        assert not store.apply([put("t", "k", "1")], Step("counter", middle, end))
        assert store.read("t", "k") is None
        assert store.apply([put("t", "k", "1")], Step("counter", START, middle))
        assert not store.apply([put("t", "k", "2")], Step("counter", START, middle))
        assert store.apply([put("t", "k", "3")], Step("counter", middle, end))
        assert store.read("t", "k") == "3"
        assert position_of(store.read(FOLLOWERS, "counter") or "") == end
        assert store.apply([], Step("another", START, end))

    def test_of_two_that_make_the_same_step_at_once_one_does(self, store: EventStore) -> None:
        made: list[bool] = []
        begun = threading.Barrier(4)

        def step(number: int) -> None:
            begun.wait(10)
            made.append(
                store.apply([put("t", "by", str(number))], Step("f", START, Position.of([("lane", 1)])))
            )

        threads = [threading.Thread(target=step, args=[number]) for number in range(4)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        assert sorted(made) == [False, False, False, True]

    def test_documents_are_not_in_the_feed_and_no_events(self, store: EventStore) -> None:
        head = store.head()
        store.apply([put("t", "k", "1")])
        assert store.head() == head
        assert store.count() == 0

    def test_the_changes_of_a_step_are_made_in_their_order(self, store: EventStore) -> None:
        store.apply([put("t", "old", "1"), put("t", "gone", "1")])
        changes = [put("t", "a", "1"), put("t", "a", "2"), put_if_absent("t", "a", "3")]
        changes += [put_if_absent("t", "b", "4"), put("t", "c", "5"), delete("t", "c")]
        changes += [delete("t", "gone"), delete("t", "never"), put("t", "old", "2")]
        assert store.apply(changes, Step("f", START, Position.of([("lane", 1)])))
        assert store.scan("t") == [("a", "2"), ("b", "4"), ("old", "2")]

    def test_steps_and_others_may_change_the_same_documents_in_turns(self, store: EventStore) -> None:
        places = [START, *(Position.of([("lane", number)]) for number in range(1, 6))]
        steps = [Step("f", before, after) for before, after in pairwise(places)]
        assert store.apply([put("t", "a", "1"), put_if_absent("t", "b", "1")], steps[0])
        assert store.apply([put("t", "a", "2"), delete("t", "b")])
        assert store.apply([put_if_absent("t", "a", "3"), put_if_absent("t", "b", "3")], steps[1])
        assert store.scan("t") == [("a", "2"), ("b", "3")]
        assert store.apply([put("t", "a", "4")], Step("g", START, places[1]))
        assert store.apply([put("t", "a", "5"), delete("t", "b")], steps[2])
        assert store.scan("t") == [("a", "5")]

    def test_a_follower_whose_place_is_taken_away_begins_anew(self, store: EventStore) -> None:
        first, second = Position.of([("lane", 1)]), Position.of([("lane", 2)])
        assert store.apply([put("t", "a", "1")], Step("f", START, first))
        assert store.apply([put("t", "a", "2")], Step("f", first, second))
        store.apply([delete(FOLLOWERS, "f")])
        assert store.apply([put("t", "a", "3")], Step("f", START, first))
        assert store.read("t", "a") == "3"

    def test_what_is_too_large_is_refused_before_anything_is_changed(self, store: EventStore) -> None:
        with pytest.raises(InvalidInputError, match="is larger than 1,000,000 bytes"):
            store.apply(
                [
                    put("t", "a", "1"),
                    put("t", "b", json.dumps("ü" * (MAX_VALUE // 2), ensure_ascii=False)),
                ]
            )
        largest = json.dumps("x" * (MAX_VALUE - 2))
        many = [put("t", str(number), largest) for number in range(MAX_CHANGES // MAX_VALUE + 1)]
        with pytest.raises(InvalidInputError, match="more than 8,000,000 bytes at once"):
            store.apply(many, Step("f", START, Position.of([("lane", 1)])))
        assert store.scan("t") == []
        assert store.apply(many[1:-1], Step("f", START, Position.of([("lane", 1)])))
        assert [key for key, _ in store.scan("t")] == [str(number) for number in range(1, 8)]


class LeasesContract:
    """What ``Leases`` promises."""

    def test_a_lease_is_one_holders_who_may_keep_it(self, store: EventStore) -> None:
        assert store.hold("task/backup", "one", 60)
        assert store.hold("task/backup", "one", 60)
        assert not store.hold("task/backup", "other", 60)
        assert store.hold("task/retention", "other", 60)

    def test_a_lease_that_was_let_go_is_anybodys_and_another_ones_stays(
        self, store: EventStore
    ) -> None:
        assert store.hold("a", "one", 60)
        store.let_go("a", "other")
        store.let_go("b", "other")
        assert not store.hold("a", "other", 60)
        store.let_go("a", "one")
        assert store.hold("a", "other", 60)
        store.let_go("a", "one")  # who lost it comes late
        assert not store.hold("a", "one", 60)

    def test_the_lease_of_who_does_not_keep_it_ends_by_itself(self, store: EventStore) -> None:
        assert store.hold("a", "dead", 0.05)
        deadline = time.monotonic() + 30
        while not store.hold("a", "other", 60):
            assert time.monotonic() < deadline
        assert not store.hold("a", "dead", 0.05)

    @pytest.mark.parametrize("name", ["", "a/b", "ü\0", "servers/x", "' OR 1=1 --", "$a.b", "x" * 300])
    def test_names_are_any_text(self, store: EventStore, name: str) -> None:
        assert store.hold(name, name, 60)
        assert not store.hold(name, f"{name}2", 60)
        assert store.hold(f"{name}2", "other", 60)

    def test_of_many_that_ask_at_once_one_gets_it(self, store: EventStore) -> None:
        for turn in range(5):
            got: list[str] = []
            begun = threading.Barrier(4)

            def ask(holder: str, begun: threading.Barrier = begun, got: list[str] = got) -> None:
                begun.wait(10)
                if store.hold("a", holder, 60):
                    got.append(holder)

            threads = [threading.Thread(target=ask, args=[f"{turn}-{one}"]) for one in range(4)]
            for one in threads:
                one.start()
            for one in threads:
                one.join(30)
            (holder,) = got
            store.let_go("a", holder)
