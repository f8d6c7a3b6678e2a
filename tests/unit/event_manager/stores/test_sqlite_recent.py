"""The newest entries come from memory, and are never other than those of the file."""

from __future__ import annotations

from contextlib import closing

import pytest

from madsci.common.errors import StoreError
from madsci.event_manager.model.feed import Position
from madsci.event_manager.model.stored_event import StoredEvent
from madsci.event_manager.stores.facts import remember
from madsci.event_manager.stores.sqlite import recent
from madsci.event_manager.stores.sqlite.recent import RecentEntries
from madsci.event_manager.stores.sqlite.store import SqliteStore

LANE = "lane"


class Time:
    seconds = 1_000.0

    def elapsed(self) -> float:
        return self.seconds


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def entries(time) -> RecentEntries:
    """Somebody has asked for them a moment ago."""
    made = RecentEntries(LANE, time.elapsed)
    assert made.since(behind(0), 10, 0) is None
    return made


@pytest.fixture
def store(tmp_path):
    with closing(SqliteStore(tmp_path / "events.db")) as store:
        yield store


def behind(number: int, lane: str = LANE) -> Position:
    return Position.of([(lane, number)])


def events(first: int, last: int, data: str = "{}", **members) -> list[StoredEvent]:
    return [
        StoredEvent(f"e{number}", "log", 20, False, 1, 1, {}, data, **members)
        for number in range(first, last + 1)
    ]


def numbers(entries: RecentEntries, number: int, limit: int = 100_000) -> list[int] | None:
    part = entries.since(behind(number), limit, 0)
    return None if part is None else [one.number for one in part.entries]


def test_what_was_added_follows_each_place_in_it(entries):
    entries.add(3, events(4, 6))
    entries.add(6, events(7, 8))
    assert numbers(entries, 3) == [4, 5, 6, 7, 8]
    assert numbers(entries, 6) == [7, 8]
    part = entries.since(behind(4), 2, 8)
    assert [one.event.event_id for one in part.entries] == ["e5", "e6"]
    assert (part.start, part.next, part.has_more) == (behind(4), behind(6), True)
    assert not entries.since(behind(4), 4, 8).has_more


def test_what_lies_before_and_behind_is_to_be_read(entries):
    entries.add(3, events(4, 6))
    assert numbers(entries, 2) is None
    assert numbers(entries, 6) is None
    assert numbers(entries, 7) is None
    assert entries.since(behind(4, "other"), 5, 6) is None
    assert entries.since(Position(), 5, 6) is None


def test_a_number_that_was_given_to_something_else_parts_old_from_new(entries):
    entries.add(3, events(4, 6))
    entries.add(7, events(8, 9))
    assert numbers(entries, 5) is None
    assert numbers(entries, 7) == [8, 9]


def test_nothing_is_kept_while_nobody_asks(entries, time):
    entries.add(0, events(1, 2))
    time.seconds += 11
    entries.add(2, events(3, 4))
    assert numbers(entries, 0) is None
    entries.add(4, events(5, 6))
    assert numbers(entries, 4) == [5, 6]


@pytest.mark.parametrize(
    "members", [{"data": '"' + "x" * 900_000 + '"'}, {"extra": {"x": "x" * 900_000}}]
)
def test_large_events_are_kept_up_to_a_bound(entries, members):
    for number in range(1, 21):
        entries.add(number - 1, events(number, number, **members))
    assert numbers(entries, 11) is None
    assert numbers(entries, 12) == list(range(13, 21))


def test_small_events_are_kept_up_to_a_number_and_what_alone_is_too_large_is_not(entries):
    last = 3 * recent.MOST_ENTRIES
    first = last - recent.MOST_ENTRIES
    for number in range(0, last, recent.MOST_ENTRIES // 8):
        entries.add(number, events(number + 1, number + recent.MOST_ENTRIES // 8))
    assert numbers(entries, first - 1) is None
    assert numbers(entries, first, 2) == [first + 1, first + 2]
    entries.add(last, events(1, 1, '"' + "x" * recent.MOST_BYTES + '"'))
    assert numbers(entries, last) is None
    entries.add(last + 1, events(1, recent.MOST_ENTRIES + 1))
    assert numbers(entries, last + 2) is None


def from_memory(store: SqliteStore) -> bool:
    """Tell whether the file is not needed for the last entry."""
    head = store.head()
    ((lane, number),) = head.lanes
    return store._recent.since(behind(number - 1, lane), 1, number) is not None


def seen(store: SqliteStore) -> list[StoredEvent]:
    ((lane, _),) = store.head().lanes
    return [one.event for one in store.since(behind(0, lane), 100).entries]


def test_an_alert_an_archived_and_a_deleted_event_are_seen_as_they_are_stored(store):
    seen(store)
    store.append(events(1, 3))
    assert from_memory(store)
    store.append([StoredEvent("e2", "log", 20, True, 1, 1, {}, "{}")])
    assert [one.alert for one in seen(store)] == [False, True, False, True]
    store.append(events(4, 5))
    assert from_memory(store)
    store.archive(["e4"], 7)
    assert seen(store)[-2].archived_at == 7
    store.append(events(6, 6))
    assert from_memory(store)
    store.archive(["e6"], 8)
    store.delete(["e6"])
    assert [one.event_id for one in seen(store)][-2:] == ["e4", "e5"]


def test_an_event_from_memory_is_that_of_the_file(store):
    wanted = [
        StoredEvent(
            "e1", "log", 30, False, 5, 6, {"node_id": "n"}, '{"a":[1,2.5,null]}', "0" * 32, "1" * 16,
            extra={"operator": "ann"}, sender='{"name":"plate_handler"}',
        )
    ]  # fmt: skip
    seen(store)
    store.append(wanted)
    assert from_memory(store)
    assert seen(store) == wanted
    store._recent.forget()
    assert seen(store) == wanted


def test_small_documents_part_nothing_and_a_closed_store_tells_nothing(store):
    seen(store)
    store.append(events(1, 2))
    remember(store, "key", "value")
    store.append(events(3, 4))
    assert len(seen(store)) == 4
    position = store.head()
    assert store.since(position, 5).entries == []
    store.close()
    with pytest.raises(StoreError, match="closed"):
        store.since(position, 5)
