"""Appending: what is kept, what is a duplicate, and what readers see meanwhile."""

from __future__ import annotations

import threading

import msgspec
import pytest

from madsci.common.errors import StoreError
from madsci.event_manager.model.query import Query
from madsci.event_manager.stores.base import AppendOutcome, Disposition, EventStore
from madsci.event_manager.testing.samples import FULL, Engine, event, ids, stored, walk

STORED, DUPLICATE, RAISED = Disposition.STORED, Disposition.DUPLICATE, Disposition.ALERT_RAISED


class AppendContract(Engine):
    """What ``EventStore.append`` promises."""

    def test_every_member_comes_back_as_it_was(self, store: EventStore) -> None:
        (outcome,) = store.append([FULL])
        assert outcome == AppendOutcome(STORED, FULL)
        assert not outcome.is_duplicate
        assert store.get("full") == FULL
        assert store.find(Query()).events == [FULL]

    def test_outcomes_stand_in_the_order_of_the_events(self, store: EventStore) -> None:
        store.append([event("b")])
        outcomes = store.append([event("c"), event("b"), event("a")])
        assert [one.event.event_id for one in outcomes] == ["c", "b", "a"]
        assert [one.disposition for one in outcomes] == [STORED, DUPLICATE, STORED]

    def test_nothing_may_be_appended(self, store: EventStore) -> None:
        assert store.append([]) == []
        assert store.count() == 0

    def test_a_duplicate_changes_nothing_and_shows_what_is_stored(self, store: EventStore) -> None:
        first = event("a", 1, event_data='"first"')
        store.append([first])
        (outcome,) = store.append([event("a", 2, event_data='"second"', log_level=50)])
        assert outcome == AppendOutcome(DUPLICATE, first)
        assert outcome.is_duplicate
        assert store.get("a") == first
        assert store.count() == 1

    def test_an_id_twice_in_one_call_is_a_duplicate_too(self, store: EventStore) -> None:
        first = event("a", 1)
        outcomes = store.append([first, event("b"), event("a", 2), event("a", 3)])
        assert [one.disposition for one in outcomes] == [STORED, STORED, DUPLICATE, DUPLICATE]
        assert outcomes[2].event == first
        assert store.count() == 2

    def test_a_duplicate_raises_the_alert_once(self, store: EventStore) -> None:
        first = event("a", 1)
        store.append([first])
        raised = msgspec.structs.replace(first, alert=True)
        (outcome,) = store.append([event("a", 2, alert=True, event_data='"other"')])
        assert outcome == AppendOutcome(RAISED, raised)
        assert outcome.is_duplicate
        assert store.append([event("a", alert=True)]) == [AppendOutcome(DUPLICATE, raised)]
        assert store.append([event("a")]) == [AppendOutcome(DUPLICATE, raised)]
        assert store.get("a") == raised

    def test_a_duplicate_in_the_same_call_raises_the_alert_too(self, store: EventStore) -> None:
        outcomes = store.append([event("a"), event("a", alert=True), event("a", alert=True)])
        assert [one.disposition for one in outcomes] == [STORED, RAISED, DUPLICATE]
        assert [one.event.alert for one in outcomes[1:]] == [True, True]
        assert stored(store, "a").alert

    def test_an_event_stored_with_an_alert_is_not_raised_again(self, store: EventStore) -> None:
        store.append([event("a", alert=True)])
        assert store.append([event("a", alert=True)])[0].disposition is DUPLICATE

    def test_a_duplicate_does_not_disturb_what_comes_later(self, store: EventStore) -> None:
        for number in range(5):
            store.append([event("same"), event(f"e{number}"), event("same")])
        assert store.count() == 6
        assert sorted(walk(store)) == ["e0", "e1", "e2", "e3", "e4", "same"]

    def test_a_large_append_is_kept_whole(self, store: EventStore) -> None:
        store.append([event(f"e{number:05}", number) for number in range(7_000)])
        assert store.count() == 7_000
        assert ids(store.find(Query(limit=2))) == ["e06999", "e06998"]

    def test_readers_see_whole_appends_or_nothing_of_them(
        self, store: EventStore, has_transactions: bool
    ) -> None:
        if not has_transactions:
            pytest.skip("appends of this store are not kept whole")
        size, rounds = 20, 40
        done = threading.Event()
        odd: list[object] = []

        def look() -> None:
            while not done.is_set():
                try:
                    number = len(store.find(Query(limit=10_000)).events)
                except StoreError as error:
                    odd.append(error)
                    return
                if number % size:
                    odd.append(number)

        readers = [threading.Thread(target=look) for _ in range(3)]
        for reader in readers:
            reader.start()
        for number in range(rounds):
            store.append([event(f"{number}-{one}", number) for one in range(size)])
            assert store.get(f"{number}-{size - 1}") is not None
        done.set()
        for reader in readers:
            reader.join(30)
        assert odd == []
        assert store.count() == size * rounds
