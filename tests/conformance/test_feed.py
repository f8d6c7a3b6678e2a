"""The contract of `EventLog`, for every engine that has a feed."""

from __future__ import annotations

import threading

import pytest
from test_event_store import event

from madsci.common.errors import InvalidInputError
from madsci.event_manager.model.feed import START, Position


@pytest.fixture
def log(store):
    return store


def read(log, position=START, limit=3):
    """All that follows a position: ids, raised alerts with a sign, how many are missed, and the end."""
    found, missed = [], 0
    while True:
        part = log.since(position, limit)
        assert len(part.entries) <= limit
        found += [f"{one.event.event_id}{'!' * one.is_raised_alert}" for one in part.entries]
        missed += part.missed
        assert part.next != position or not part.entries
        position = part.next
        if not part.has_more:
            return found, missed, position


def names(first, last):
    return [f"e{number}" for number in range(first, last)]


def append(log, *ids, **members):
    return log.append([event(one, **members) for one in ids])


def test_an_empty_store_has_an_empty_feed(log):
    assert read(log) == ([], 0, log.head())


def test_events_come_in_the_order_of_their_commits_whatever_their_times(log):
    log.append([event("new", 9), event("old", 1)])
    log.append([event("older", 0)])
    assert read(log) == (["new", "old", "older"], 0, log.head())


def test_an_entry_is_the_event_as_it_is_stored_now(log):
    append(log, "one", source={"node_id": "n"}, event_data='{"a":[1,2.5]}')
    (entry,) = log.since(START, 10).entries
    assert entry.event == log.get("one")
    log.archive(["one"], 7)
    (entry,) = log.since(START, 10).entries
    assert entry.event.archived_at == 7


def test_reading_goes_on_where_it_left_off_and_again_gives_the_same(log):
    append(log, *names(0, 10))
    _, _, end = read(log)
    append(log, *names(10, 15))
    assert read(log, end)[:2] == (names(10, 15), 0)
    assert read(log, end)[:2] == (names(10, 15), 0)
    assert read(log)[:2] == (names(0, 15), 0)


def test_behind_any_entry_the_rest_follows(log):
    append(log, *names(0, 7))
    position = START
    for number, entry in enumerate(log.since(START, 10).entries, 1):
        position = position.behind(entry)
        assert read(log, Position.parse(str(position)))[:2] == (names(number, 7), 0)


def test_a_raised_alert_is_a_new_entry_of_the_same_event(log):
    append(log, "one", "two")
    _, _, end = read(log)
    append(log, "two", alert=True)
    append(log, "two", alert=True)
    found = log.since(end, 10).entries
    assert [(one.event.event_id, one.is_raised_alert, one.event.alert) for one in found] == [
        ("two", True, True)
    ]
    assert read(log)[:2] == (["one", "two", "two!"], 0)


def test_duplicates_are_no_entries_and_leave_no_gap(log):
    append(log, "one", "two", "one")
    append(log, "two", "three", "three", "one", "four")
    assert read(log) == (["one", "two", "three", "four"], 0, log.head())


def test_alerts_that_an_append_raises_are_entries_beside_its_new_events(log):
    append(log, "one", "two")
    _, _, end = read(log)
    log.append([event("one", alert=True), event("three"), event("two", alert=True), event("one")])
    found, missed, end = read(log, end)
    assert sorted(found) == ["one!", "three", "two!"]
    assert (missed, end) == (0, log.head())
    assert found.index("one!") < found.index("two!")


def test_what_else_is_changed_is_no_entry_and_nothing_missed(log):
    append(log, *names(0, 5))
    log.archive(["e0", "e1"], 5)
    log.remember("manager", "m")
    log.give_back_turn("retention", "me", "2026")
    append(log, "e5")
    assert read(log) == (names(0, 6), 0, log.head())


def test_what_was_deleted_is_gone_and_who_had_not_read_it_is_told_how_much(log):
    append(log, *names(0, 6))
    early = log.since(START, 2).next
    append(log, "e2", alert=True)
    log.archive(["e1", "e2", "e4"], 5)
    log.delete(["e1", "e2", "e4"])
    append(log, "e6")
    assert read(log)[:2] == (["e0", "e3", "e5", "e6"], 4)
    assert read(log, early)[:2] == (["e3", "e5", "e6"], 3)  # e2, its alert, and e4
    _, _, end = read(log)
    log.delete(["e0"])
    assert read(log, end)[:2] == ([], 0)


def test_the_head_is_behind_all_that_was_acknowledged(log):
    before = log.head()
    append(log, "one")
    after = log.head()
    assert read(log, before)[:2] == (["one"], 0)
    assert read(log, after)[:2] == ([], 0)


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
def test_a_text_that_is_no_position_is_refused(text):
    with pytest.raises(InvalidInputError, match="no position in the feed"):
        Position.parse(text)


@pytest.mark.parametrize("text", ["nobody-5", "aaa-1.bbb-2"])
def test_a_position_of_another_store_is_refused(log, text):
    append(log, "one")
    with pytest.raises(InvalidInputError, match="not one of this event store"):
        log.since(Position.parse(text), 10)


def test_who_reads_while_others_write_misses_nothing(log):
    """Several threads append one event each time; a reader follows, and has all of them in order."""

    def write(name: str) -> None:
        for number in range(50):
            append(log, f"{name}{number}")

    writers = [threading.Thread(target=write, args=[name]) for name in "abc"]
    for one in writers:
        one.start()
    found, position = [], START
    while any(one.is_alive() for one in writers) or position != log.head():
        part = log.since(position, 7)
        assert part.missed == 0
        found += [one.event.event_id for one in part.entries]
        position = part.next
    assert sorted(found) == sorted(f"{name}{number}" for name in "abc" for number in range(50))
    for name in "abc":
        assert [one for one in found if one.startswith(name)] == [f"{name}{n}" for n in range(50)]
