"""What is told of a store as a whole; archiving and deleting; fences; the end."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from madsci.common.errors import StoreError
from madsci.event_manager.model.feed import START
from madsci.event_manager.model.query import Query, latest
from madsci.event_manager.model.selector_parser import parse_selector
from madsci.event_manager.model.sorting import parse_sort
from madsci.event_manager.model.tables import put
from madsci.event_manager.model.tally import GROUPINGS, Tally
from madsci.event_manager.stores.base import Disposition, EventStore
from madsci.event_manager.testing.samples import Engine, event, ids, stored


class WholeContract:
    """What ``EventStore`` promises about itself, and about its end."""

    def test_get_knows_archived_events_and_tells_what_is_not_there(self, store: EventStore) -> None:
        assert store.get("a") is None
        store.append([event("a", archived=True, archived_at=1)])
        assert stored(store, "a").archived

    def test_count_is_the_number_of_events(self, store: EventStore) -> None:
        assert store.count() == 0
        store.append([event("a"), event("b"), event("a")])
        store.append([event("b")])
        assert store.count() == 2

    def test_a_store_says_what_and_where_it_is(self, store: EventStore) -> None:
        assert store.engine
        assert store.location
        store.check()

    def test_a_probe_changes_nothing(self, store: EventStore) -> None:
        store.append([event("a")])
        store.apply([put("t", "k", "1")])
        before = store.count(), store.scan("t"), store.head(), ids(store.find(Query()))
        store.probe()
        store.probe()
        assert (store.count(), store.scan("t"), store.head(), ids(store.find(Query()))) == before

    def test_the_room_is_told_where_it_is_known(self, store: EventStore) -> None:
        space = store.space()
        assert space is None or 0 <= space.free <= space.total
        assert space is None or space.used >= 0

    def test_closing_twice_does_nothing(self, store: EventStore) -> None:
        store.close()
        store.close()

    @pytest.mark.parametrize(
        "call",
        [
            lambda store: store.append([event("a")]),
            lambda store: store.append([]),
            lambda store: store.get("a"),
            lambda store: store.find(Query()),
            lambda store: store.count(),
            lambda store: store.since(START, 1),
            lambda store: store.read("t", "k"),
            lambda store: store.scan("t"),
            lambda store: store.apply([put("t", "k", "1")]),
            lambda store: store.hold("name", "me", 60),
            lambda store: store.let_go("name", "me"),
            lambda store: store.check(),
            lambda store: store.probe(),
        ],
        ids=[
            "append", "append nothing", "get", "find", "count", "since", "read", "scan", "apply",
            "hold", "let go", "check", "probe",
        ],
    )  # fmt: skip
    def test_calls_after_closing_say_so(
        self, store: EventStore, call: Callable[[EventStore], object]
    ) -> None:
        store.append([event("a")])
        store.close()
        with pytest.raises(StoreError, match="is closed"):
            call(store)


class ArchiveContract:
    """What ``EventStore.archive`` and ``EventStore.delete`` promise."""

    def test_archived_events_are_marked_once(self, store: EventStore) -> None:
        store.append([event("a"), event("b"), event("c")])
        assert store.archive(["a", "b", "a", "nobody"], 5) == 2
        assert store.archive(["b", "c"], 9) == 1
        marks = {one: (stored(store, one).archived, stored(store, one).archived_at) for one in "abc"}
        assert marks == {"a": (True, 5), "b": (True, 5), "c": (True, 9)}
        assert store.count() == 3

    def test_archived_events_are_left_out_by_selectors_that_say_so(self, store: EventStore) -> None:
        store.append([event("a", 1), event("b", 2)])
        store.archive(["b"], 5)
        assert ids(store.find(Query(latest()))) == ["a"]
        assert ids(store.find(Query(latest(include_archived=True)))) == ["b", "a"]

    def test_only_archived_events_are_deleted(self, store: EventStore) -> None:
        store.append([event("a"), event("b", source={"node_id": "n"}), event("c")])
        store.archive(["b", "c"], 5)
        assert store.delete(["a", "b", "b", "nobody"]) == 1
        assert (store.get("b"), store.count()) == (None, 2)
        assert sorted(ids(store.find(Query()))) == ["a", "c"]
        assert store.find(Query(parse_selector({"source.node_id": "n"}))).events == []

    def test_words_of_deleted_events_find_nothing(self, store: EventStore) -> None:
        store.append([event("a", event_data='{"message":"pump failed"}', archived=True), event("b")])
        store.delete(["a"])
        assert store.find(Query(parse_selector({"$text": {"$search": "pump"}}))).events == []

    def test_what_was_deleted_may_come_again(self, store: EventStore) -> None:
        store.append([event("a", archived=True)])
        store.delete(["a"])
        (outcome,) = store.append([event("a", 7)])
        assert outcome.disposition is Disposition.STORED
        assert stored(store, "a").event_timestamp == 7

    def test_nothing_may_be_archived_or_deleted(self, store: EventStore) -> None:
        assert (store.archive([], 1), store.delete([])) == (0, 0)


class FenceContract(Engine):
    """What ``EventStore.fence`` promises."""

    def test_what_is_appended_after_the_fence_lies_behind_it(self, store: EventStore) -> None:
        ahead = 4_000_000_000_000_000  # a clock that is decades ahead
        store.append([event("a", received_at=ahead), event("b", ahead), event("gone", archived=True)])
        store.delete(["gone"])
        fence = store.fence()
        store.append([event("late"), event("a", alert=True), event("gone")])
        assert set(ids(store.find(Query(fence=fence)))) == {"a", "b"}
        assert set(ids(store.find(Query(sort=parse_sort("log_level"), fence=fence)))) == {"a", "b"}
        assert store.find(Query(parse_selector({"_id": "late"}), fence=fence)).events == []
        by_type = Tally(grouping=GROUPINGS["type"], fence=fence)
        assert [
            [one.count for one in counts] for counts in store.tally([Tally(fence=fence), by_type])
        ] == [
            [2],
            [2],
        ]
        assert store.tally([Tally()])[0][0].count == 4

    def test_what_was_received_before_a_fence_is_found(self, store: EventStore) -> None:
        assert store.find(Query(fence=store.fence())).events == []
        store.append([event("a", 4_000_000_000_000_000)])
        assert ids(store.find(Query(fence=store.fence()))) == ["a"]
        assert store.tally([Tally(fence=store.fence())])[0][0].count == 1
