"""The feed: all that was committed, in order, behind positions that last."""

from __future__ import annotations

import threading

import pytest

from madsci.common.errors import InvalidInputError
from madsci.event_manager.model.feed import START, Position
from madsci.event_manager.model.tables import put
from madsci.event_manager.stores.base import EventStore
from madsci.event_manager.testing.samples import append, event, followed, names


class FeedContract:
    """What ``EventLog`` promises."""

    def test_an_empty_store_has_an_empty_feed(self, store: EventStore) -> None:
        assert followed(store) == ([], 0, store.head())

    def test_events_come_in_the_order_of_their_commits_whatever_their_times(
        self, store: EventStore
    ) -> None:
        store.append([event("new", 9), event("old", 1)])
        store.append([event("older", 0)])
        assert followed(store) == (["new", "old", "older"], 0, store.head())

    def test_an_entry_is_the_event_as_it_is_stored_now(self, store: EventStore) -> None:
        append(store, "one", source={"node_id": "n"}, event_data='{"a":[1,2.5]}')
        (entry,) = store.since(START, 10).entries
        assert entry.event == store.get("one")
        store.archive(["one"], 7)
        (entry,) = store.since(START, 10).entries
        assert entry.event.archived_at == 7

    def test_reading_goes_on_where_it_left_off_and_again_gives_the_same(
        self, store: EventStore
    ) -> None:
        append(store, *names(0, 10))
        _, _, end = followed(store)
        append(store, *names(10, 15))
        assert followed(store, end)[:2] == (names(10, 15), 0)
        assert followed(store, end)[:2] == (names(10, 15), 0)
        assert followed(store)[:2] == (names(0, 15), 0)

    def test_behind_any_entry_the_rest_follows(self, store: EventStore) -> None:
        append(store, *names(0, 7))
        position = START
        for number, entry in enumerate(store.since(START, 10).entries, 1):
            position = position.behind(entry)
            assert followed(store, Position.parse(str(position)))[:2] == (names(number, 7), 0)

    def test_a_raised_alert_is_a_new_entry_of_the_same_event(self, store: EventStore) -> None:
        append(store, "one", "two")
        _, _, end = followed(store)
        append(store, "two", alert=True)
        append(store, "two", alert=True)
        found = store.since(end, 10).entries
        assert [(one.event.event_id, one.is_raised_alert, one.event.alert) for one in found] == [
            ("two", True, True)
        ]
        assert followed(store)[:2] == (["one", "two", "two!"], 0)

    def test_duplicates_are_no_entries_and_leave_no_gap(self, store: EventStore) -> None:
        append(store, "one", "two", "one")
        append(store, "two", "three", "three", "one", "four")
        assert followed(store) == (["one", "two", "three", "four"], 0, store.head())

    def test_alerts_that_an_append_raises_are_entries_beside_its_new_events(
        self, store: EventStore
    ) -> None:
        append(store, "one", "two")
        _, _, end = followed(store)
        store.append([event("one", alert=True), event("three"), event("two", alert=True), event("one")])
        found, missed, end = followed(store, end)
        assert sorted(found) == ["one!", "three", "two!"]
        assert (missed, end) == (0, store.head())
        assert found.index("one!") < found.index("two!")

    def test_what_else_is_changed_is_no_entry_and_nothing_missed(self, store: EventStore) -> None:
        append(store, *names(0, 5))
        store.archive(["e0", "e1"], 5)
        store.apply([put("facts", "manager", "1")])
        store.hold("task", "me", 60)
        append(store, "e5")
        assert followed(store) == (names(0, 6), 0, store.head())

    def test_what_was_deleted_is_gone_and_who_had_not_read_it_is_told_how_much(
        self, store: EventStore
    ) -> None:
        append(store, *names(0, 6))
        early = store.since(START, 2).next
        append(store, "e2", alert=True)
        store.archive(["e1", "e2", "e4"], 5)
        store.delete(["e1", "e2", "e4"])
        append(store, "e6")
        assert followed(store)[:2] == (["e0", "e3", "e5", "e6"], 4)
        assert followed(store, early)[:2] == (["e3", "e5", "e6"], 3)  # e2, its alert, and e4
        _, _, end = followed(store)
        store.delete(["e0"])
        assert followed(store, end)[:2] == ([], 0)

    def test_the_head_is_behind_all_that_was_acknowledged(self, store: EventStore) -> None:
        before = store.head()
        append(store, "one")
        after = store.head()
        assert followed(store, before)[:2] == (["one"], 0)
        assert followed(store, after)[:2] == ([], 0)

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "start-",
            "a",
            "a-",
            "a-b",
            "a--1",
            "a-1.a-2",
            "b-1.a-1",
            "a-01",
            "A-1",
            "a-1 ",
            "a-" + "9" * 19,
        ],
    )
    def test_a_text_that_is_no_position_is_refused(self, text: str) -> None:
        with pytest.raises(InvalidInputError, match="no position in the feed"):
            Position.parse(text)

    @pytest.mark.parametrize("text", ["nobody-5", "aaa-1.bbb-2"])
    def test_a_position_of_another_store_is_refused(self, store: EventStore, text: str) -> None:
        append(store, "one")
        with pytest.raises(InvalidInputError, match="not one of this event store"):
            store.since(Position.parse(text), 10)

    def test_who_reads_while_others_write_misses_nothing(self, store: EventStore) -> None:
        """Several threads append one event each time; a reader has all of them in order."""

        def write(name: str) -> None:
            for number in range(50):
                append(store, f"{name}{number}")

        writers = [threading.Thread(target=write, args=[name]) for name in "abc"]
        for one in writers:
            one.start()
        found, position = [], START
        while any(one.is_alive() for one in writers) or position != store.head():
            part = store.since(position, 7)
            assert part.missed == 0
            found += [one.event.event_id for one in part.entries]
            position = part.next
        assert sorted(found) == sorted(f"{name}{number}" for name in "abc" for number in range(50))
        for name in "abc":
            assert [one for one in found if one.startswith(name)] == [f"{name}{n}" for n in range(50)]
