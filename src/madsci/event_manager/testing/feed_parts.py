"""Parts of the feed: up to a position, from a time or an event on, and only certain entries."""

from __future__ import annotations

from madsci.event_manager.model.feed import START
from madsci.event_manager.model.query import Query, decode_cursor
from madsci.event_manager.model.selector import Selector
from madsci.event_manager.model.selector_parser import parse_selector
from madsci.event_manager.model.sorting import AS_COMMITTED, LAST_COMMITTED_FIRST
from madsci.event_manager.model.tables import put
from madsci.event_manager.stores.base import EventStore
from madsci.event_manager.testing.samples import append, event, followed, names


class FeedPartsContract:
    """What ``FeedReader`` promises besides, and lists in the order of the feed."""

    def test_nothing_behind_the_end_that_was_given_is_followed(self, store: EventStore) -> None:
        append(store, *names(0, 4))
        until = store.head()
        append(store, *names(4, 9))
        part = store.since(START, 3, until)
        assert ([one.event.event_id for one in part.entries], part.has_more) == (
            ["e0", "e1", "e2"],
            True,
        )
        part = store.since(part.next, 3, until)
        assert ([one.event.event_id for one in part.entries], part.has_more) == (["e3"], False)
        assert store.since(part.next, 3, until).entries == []
        assert followed(store, part.next)[0] == names(4, 9)

    def test_what_is_read_after_a_part_is_of_then(self, store: EventStore) -> None:
        """A part that was not read to its end keeps nobody in the past."""
        append(store, *names(0, 9))
        append(store, "e0", alert=True)
        for count, limit in enumerate((1, 4, 9), 1):
            before = [one.event.event_id for one in store.since(START, limit).entries]
            assert before == names(0, limit)
            append(store, f"after{count}")
            store.apply([put("counts", "lines", str(count))])
            assert store.read("counts", "lines") == str(count)
            assert store.get(f"after{count}") is not None
            assert len(store.find(Query(limit=100)).events) == 9 + count

    def test_certain_entries_are_sought_in_the_order_of_the_feed(self, store: EventStore) -> None:
        append(store, "a", "b", "c", alert=False, event_data='{"message":"plate moved"}')
        append(store, "d", "e", event_data='{"message":"door"}')
        append(store, "f", "g", alert=True, event_data='{"message":"plate lost"}')
        append(store, "b", alert=True)
        word = parse_selector({"$text": {"$search": "plate"}})
        assert sought(store, word) == ["a", "b", "c", "f", "g", "b!"]
        message = parse_selector({"event_data.message": {"$regex": "^plate"}})
        assert sought(store, message) == ["a", "b", "c", "f", "g", "b!"]
        assert sought(store, parse_selector({"alert": True})) == ["b", "f", "g", "b!"]
        assert sought(store, parse_selector({"event_data.message": "window"})) == []

    def test_before_events_the_feed_goes_on_with_the_first_of_them(self, store: EventStore) -> None:
        append(store, *names(0, 6))
        assert followed(store, store.before(["e4", "e2", "nobody"]))[0] == ["e2", "e3", "e4", "e5"]
        assert followed(store, store.before(["e0"]))[0] == names(0, 6)
        assert store.before(["nobody"]) == store.before([]) == store.head()

    def test_before_a_time_the_feed_goes_on_with_the_first_that_happened_then(
        self, store: EventStore
    ) -> None:
        store.append([event("one", 10), event("late", 5), event("two", 20), event("later", 7)])
        assert followed(store, store.before_time(15))[0] == ["two", "later"]
        assert followed(store, store.before_time(10))[0] == ["one", "late", "two", "later"]
        assert store.before_time(21) == store.head()

    def test_lists_can_be_in_the_order_of_commits(self, store: EventStore) -> None:
        for at, ids in enumerate((("new", "old"), ("older",), ("newer", "other")), 1):
            times = dict(zip(("new", "old", "older", "newer", "other"), (9, 5, 1, 12, 3), strict=True))
            store.append([event(one, times[one], received_at=at) for one in ids])
        order = [one.event.event_id for one in store.since(START, 10).entries]
        for sort, expected in ((AS_COMMITTED, order), (LAST_COMMITTED_FIRST, order[::-1])):
            found: list[str] = []
            after = None
            while True:
                page = store.find(Query(limit=2, sort=sort, after=after))
                found += [one.event_id for one in page.events]
                if page.next_cursor is None:
                    break
                after = decode_cursor(page.next_cursor, sort)
            assert found == expected
        page = store.find(Query(parse_selector({"log_level": 20}), sort=AS_COMMITTED))
        assert [one.event_id for one in page.events] == order

    def test_a_position_beyond_the_end_that_was_given_says_so(self, store: EventStore) -> None:
        append(store, *names(0, 3))
        middle = store.head()
        append(store, *names(3, 5))
        assert store.since(store.head(), 5, middle).is_ahead
        assert not store.since(middle, 5, middle).is_ahead
        assert not store.since(START, 5, middle).is_ahead


def sought(store: EventStore, selector: Selector) -> list[str]:
    """Return what is found of the whole feed, two at a time."""
    found: list[str] = []
    position, has_more = START, True
    while has_more:
        part = store.since(position, 2, selector=selector)
        found += [f"{one.event.event_id}{'!' * one.is_raised_alert}" for one in part.entries]
        position, has_more = part.next, part.has_more
    assert store.since(position, 2).entries == []
    return found
