"""Counting: by values, in buckets of time, for several questions at one moment."""

from __future__ import annotations

from madsci.event_manager.model.selector_parser import parse_selector
from madsci.event_manager.model.tally import GROUPINGS, Buckets, Count, Tally
from madsci.event_manager.stores.base import EventStore
from madsci.event_manager.testing.samples import event


class TallyContract:
    """What ``EventReader.tally`` promises."""

    def test_of_nothing_nothing_is_counted(self, store: EventStore) -> None:
        assert store.tally([]) == []
        assert store.tally([Tally(), Tally(grouping=GROUPINGS["type"])]) == [[], []]

    def test_what_a_selector_matches_is_counted(self, store: EventStore) -> None:
        store.append([event(f"e{n}", n, log_level=10 + 10 * (n % 3)) for n in range(10)])
        tally = Tally(parse_selector({"log_level": {"$gte": 20}}))
        assert store.tally([tally, Tally()]) == [[Count(6)], [Count(10)]]

    def test_the_greatest_counts_come_first_equal_ones_by_value_and_none_last(
        self, store: EventStore
    ) -> None:
        nodes = ["b", "a", "c", "c", None, None, None]
        store.append(
            [
                event(f"e{n}", source={} if node is None else {"node_id": node})
                for n, node in enumerate(nodes)
            ]
        )
        (counts,) = store.tally([Tally(grouping=GROUPINGS["node"])])
        assert counts == [Count(2, "c"), Count(1, "a"), Count(1, "b"), Count(3, None)]

    def test_buckets_hold_what_happened_in_them(self, store: EventStore) -> None:
        store.append([event(f"e{n}", n) for n in (-1, 0, 9, 10, 25, 29, 30)])
        (counts,) = store.tally([Tally(buckets=Buckets(0, 29, 10))])
        assert {one.bucket: one.count for one in counts} == {0: 2, 10: 1, 20: 2}
