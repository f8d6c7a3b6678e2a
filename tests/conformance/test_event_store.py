"""The contract of `stores/base.py`, sentence by sentence, for every engine."""

from __future__ import annotations

import json
import threading
from dataclasses import replace

import msgspec
import pytest

from madsci.common.errors import InvalidSelectorError, StoreError
from madsci.event_manager.model import query as queries
from madsci.event_manager.model.json_reading import MAX_DEPTH
from madsci.event_manager.model.query import Query, decode_cursor, latest
from madsci.event_manager.model.selector_parser import MAX_ALL_SEGMENTS, parse_selector
from madsci.event_manager.model.sorting import parse_sort
from madsci.event_manager.model.stored_event import StoredEvent, encode_event, encode_json
from madsci.event_manager.model.tally import GROUPINGS, Tally
from madsci.event_manager.stores.base import AppendOutcome, Disposition

STORED, DUPLICATE, RAISED = Disposition.STORED, Disposition.DUPLICATE, Disposition.ALERT_RAISED


def event(event_id: str, moment: int = 0, **members) -> StoredEvent:
    plain = {
        "event_type": "log", "log_level": 20, "alert": False, "received_at": 1, "source": {},
        "event_data": "{}",
    }  # fmt: skip
    return StoredEvent(**{**plain, "event_id": event_id, "event_timestamp": moment, **members})


FULL = event(
    "full",
    1_767_225_600_123_456,
    event_type="node_error",
    log_level=40,
    alert=True,
    received_at=1_767_225_600_999_999,
    source={"node_id": "n1", "user_id": "u", "room": {"floor": 2}},
    event_data='{"a":[1,2.5,null,"x"]}',
    trace_id="0af7651916cd43dd8448eb211c80319c",
    span_id="b7ad6b7169203331",
    archived=True,
    archived_at=-1,
    extra={"colour": "red", "deep": {"list": [None]}},
)


def ids(page) -> list[str]:
    return [one.event_id for one in page.events]


def walk(store, selector=None, limit=3, between=lambda: None) -> list[str]:
    """The ids of all pages, one after the other."""
    query = Query(parse_selector(selector or {}), limit)
    found = []
    while True:
        page = store.find(query)
        found += ids(page)
        if page.next_cursor is None:
            return found
        assert len(page.events) == limit
        between()
        query = Query(query.selector, limit, 0, decode_cursor(page.next_cursor))


class TestAppend:
    def test_every_member_comes_back_as_it_was(self, store):
        (outcome,) = store.append([FULL])
        assert outcome == AppendOutcome(STORED, FULL)
        assert not outcome.is_duplicate
        assert store.get("full") == FULL
        assert store.find(Query()).events == [FULL]

    def test_outcomes_stand_in_the_order_of_the_events(self, store):
        store.append([event("b")])
        outcomes = store.append([event("c"), event("b"), event("a")])
        assert [one.event.event_id for one in outcomes] == ["c", "b", "a"]
        assert [one.disposition for one in outcomes] == [STORED, DUPLICATE, STORED]

    def test_nothing_may_be_appended(self, store):
        assert store.append([]) == []
        assert store.count() == 0

    def test_a_duplicate_changes_nothing_and_shows_what_is_stored(self, store):
        first = event("a", 1, event_data='"first"')
        store.append([first])
        (outcome,) = store.append([event("a", 2, event_data='"second"', log_level=50)])
        assert outcome == AppendOutcome(DUPLICATE, first)
        assert outcome.is_duplicate
        assert store.get("a") == first
        assert store.count() == 1

    def test_an_id_twice_in_one_call_is_a_duplicate_too(self, store):
        first = event("a", 1)
        outcomes = store.append([first, event("b"), event("a", 2), event("a", 3)])
        assert [one.disposition for one in outcomes] == [STORED, STORED, DUPLICATE, DUPLICATE]
        assert outcomes[2].event == first
        assert store.count() == 2

    def test_a_duplicate_raises_the_alert_once(self, store):
        first = event("a", 1)
        store.append([first])
        raised = msgspec.structs.replace(first, alert=True)
        (outcome,) = store.append([event("a", 2, alert=True, event_data='"other"')])
        assert outcome == AppendOutcome(RAISED, raised)
        assert outcome.is_duplicate
        assert store.append([event("a", alert=True)]) == [AppendOutcome(DUPLICATE, raised)]
        assert store.append([event("a")]) == [AppendOutcome(DUPLICATE, raised)]
        assert store.get("a") == raised

    def test_a_duplicate_in_the_same_call_raises_the_alert_too(self, store):
        outcomes = store.append([event("a"), event("a", alert=True), event("a", alert=True)])
        assert [one.disposition for one in outcomes] == [STORED, RAISED, DUPLICATE]
        assert [one.event.alert for one in outcomes[1:]] == [True, True]
        assert store.get("a").alert

    def test_an_event_stored_with_an_alert_is_not_raised_again(self, store):
        store.append([event("a", alert=True)])
        assert store.append([event("a", alert=True)])[0].disposition is DUPLICATE

    def test_a_duplicate_does_not_disturb_what_comes_later(self, store):
        for number in range(5):
            store.append([event("same"), event(f"e{number}"), event("same")])
        assert store.count() == 6
        assert sorted(walk(store)) == ["e0", "e1", "e2", "e3", "e4", "same"]

    def test_ids_are_compared_exactly(self, store):
        names = ["a", "A", "a ", "ä", "a\u0308", "a\0", "a\0b", "", "1", "01", "' OR 1=1 --", "%", "😀"]
        outcomes = store.append([event(name) for name in names])
        assert all(one.disposition is STORED for one in outcomes)
        assert [store.get(name).event_id for name in names] == names
        assert store.get("AA") is None

    def test_a_large_append_is_kept_whole(self, store):
        store.append([event(f"e{number:05}", number) for number in range(7_000)])
        assert store.count() == 7_000
        assert ids(store.find(Query(limit=2))) == ["e06999", "e06998"]

    def test_readers_see_whole_appends_or_nothing_of_them(self, transactional_store):
        store = transactional_store
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


class TestFind:
    def test_events_come_newest_first_and_ties_by_id_greatest_first(self, store):
        store.append([event("b", 5), event("z", 1), event("c", 5), event("a", 9), event("B", 5)])
        assert ids(store.find(Query())) == ["a", "c", "b", "B", "z"]

    def test_times_before_1970_and_at_the_ends_of_the_calendar_are_in_order(self, store):
        moments = [-62_135_596_800_000_000, -1, 0, 1, 253_402_300_799_999_999]
        store.append([event(str(place), moment) for place, moment in enumerate(moments)])
        assert ids(store.find(Query())) == ["4", "3", "2", "1", "0"]

    def test_a_page_has_at_most_its_limit_and_tells_of_more(self, store):
        store.append([event(name) for name in "abc"])
        assert store.find(Query(limit=2)).next_cursor is not None
        assert store.find(Query(limit=3)).next_cursor is None
        assert ids(store.find(Query(limit=1))) == ["c"]
        empty = store.find(Query(parse_selector({"_id": "none"})))
        assert (empty.events, empty.next_cursor) == ([], None)

    @pytest.mark.parametrize("sort", ["-event_timestamp", "event_timestamp", "_id", "event_data.n"])
    @pytest.mark.parametrize(
        "selector", [{}, {"event_data.tags": "x"}, {"$text": {"$search": "large"}}]
    )
    def test_a_page_ends_before_its_events_have_too_many_bytes(
        self, store, selector, sort, monkeypatch
    ):
        """Whatever its limit; more follow, which the page tells, and one event it always has."""
        monkeypatch.setattr(queries, "PAGE_BYTES", 160_000)
        self.page_by_bytes(store, selector, sort, 10_000)

    def test_a_page_has_sixteen_megabytes(self, store):
        self.page_by_bytes(store, {}, "-event_timestamp", 1_000_000)

    def page_by_bytes(self, store, selector, sort, unit):
        sizes = [7, 7, 7, 15, 2, 1, 1]
        for number, units in enumerate(sizes):
            text = encode_json(
                {"tags": ["x"], "message": "large", "n": number, "z": "z" * units * unit}
            )
            store.append([event(f"e{number}", number, event_data=text)])
        query = Query(parse_selector(selector), 1_000, sort=parse_sort(sort))
        pages = []
        while True:
            page = store.find(query)
            pages.append([sizes[int(one.event_id[1:])] for one in page.events])
            if page.next_place is None:
                break
            query = replace(query, after=page.next_place)
        expected = [[7, 7], [7], [15], [2, 1, 1]]
        if sort.startswith("-"):
            expected = [[1, 1, 2], [15], [7, 7], [7]]
        assert pages == expected
        offset = store.find(Query(query.selector, 1_000, 2, sort=query.sort))
        assert len(offset.events) == 1
        assert offset.next_cursor is not None

    @pytest.mark.parametrize("selector", [{}, {"event_data": {"$gte": {}}}])
    def test_an_offset_skips_matching_events(self, store, selector):
        """Also where the engine cannot tell by itself what matches."""
        store.append([event(name) for name in "abcde"] + [event("x", event_data='"no"')])
        tree = parse_selector({"_id": {"$ne": "x"}, **selector})
        assert ids(store.find(Query(tree, limit=2, offset=1))) == ["d", "c"]
        assert ids(store.find(Query(tree, limit=2, offset=4))) == ["a"]
        assert ids(store.find(Query(tree, limit=2, offset=5))) == []
        page = store.find(Query(tree, limit=2, offset=0))
        assert ids(store.find(Query(tree, 2, 1, decode_cursor(page.next_cursor)))) == ["b", "a"]

    def test_an_offset_beyond_every_number_of_events_finds_nothing(self, store):
        store.append([event("a")])
        assert ids(store.find(Query(offset=10**30))) == []

    @pytest.mark.parametrize("selector", [{}, {"event_data.n": {"$gte": 0}}, {"event_data.tags": "x"}])
    def test_pages_neither_skip_nor_repeat_while_events_arrive(self, store, selector):
        data = '{"n":1,"tags":["x","y"]}'
        before = [event(f"b{number:02}", number // 3, event_data=data) for number in range(20)]
        store.append(before)
        arrived = iter(range(1000))

        def arrive() -> None:
            number = next(arrived)
            store.append(
                [
                    event(f"new{number:03}", 100 + number, event_data=data),
                    event(f"old{number:03}", -1, event_data=data),
                    event(f"b05x{number:03}", 3, event_data=data),
                ]
            )

        found = walk(store, selector, 3, arrive)
        assert len(found) == len(set(found))
        expected = [one.event_id for one in sorted(before, key=lambda one: one.order, reverse=True)]
        assert [name for name in found if name in set(expected)] == expected

    @pytest.mark.parametrize("order", ["archived_at", "-archived_at"])
    def test_pages_follow_each_other_in_an_order_of_times_that_some_events_lack(self, store, order):
        times = [None, 1, None, 1, 2, None]
        store.append(
            [event(f"e{n}", archived=at is not None, archived_at=at) for n, at in enumerate(times)]
        )
        sort = parse_sort([order])
        whole = ids(store.find(Query(sort=sort)))
        found, after = [], None
        for _ in whole:
            page = store.find(Query(limit=1, sort=sort, after=after))
            found += ids(page)
            if page.next_cursor is not None:
                after = decode_cursor(page.next_cursor, sort)
        assert found == whole

    def test_a_cursor_stands_between_events_of_one_time(self, store):
        store.append([event(f"e{number}", 7) for number in range(7)])
        assert walk(store, limit=2) == [f"e{number}" for number in reversed(range(7))]

    def test_archived_events_are_found_unless_left_out(self, store):
        store.append([event("a", archived=True, archived_at=1), event("b")])
        assert ids(store.find(Query())) == ["b", "a"]
        assert ids(store.find(Query(latest()))) == ["b"]

    def test_the_questions_of_the_list_route(self, store):
        store.append([event(f"e{level}", level, log_level=level) for level in (0, 10, 20, 30, 40, 50)])
        assert ids(store.find(Query(latest(level=30)))) == ["e50", "e40", "e30"]
        assert ids(store.find(Query(latest(level=45)))) == ["e50"]
        assert ids(store.find(Query(latest(start_time=10, end_time=30)))) == ["e30", "e20", "e10"]

    def test_all_members_of_an_event_can_be_asked_for(self, store):
        store.append([FULL, event("plain")])
        for selector in (
            {"_id": "full"},
            {"event_id": "full"},
            {"event_type": "NODE_ERROR"},
            {"log_level": {"$gte": "error"}},
            {"alert": True},
            {"event_timestamp": {"$gt": "2026-01-01T00:00:00Z"}},
            {"received_at": {"$gt": "2026-01-01T00:00:00Z"}},
            {"source": {"node_id": "n1"}},
            {"source.room.floor": 2},
            {"event_data.a": 2.5},
            {"trace_id": {"$ne": None}},
            {"span_id": {"$gt": "a"}},
            {"archived": True},
            {"archived_at": {"$lt": 0}},
            {"extra.colour": "red"},
            {"extra": {"$exists": True}},
        ):
            assert ids(store.find(Query(parse_selector(selector)))) == ["full"], selector
            others = Query(parse_selector({"$nor": [selector]}))
            assert ids(store.find(others)) == ["plain"], selector

    def test_absent_members_are_null_or_missing_as_in_the_reply(self, store):
        store.append([event("a")])
        for selector, expected in (
            ({"trace_id": None}, True),
            ({"trace_id": {"$exists": True}}, True),
            ({"source.node_id": None}, True),
            ({"source.node_id": {"$exists": True}}, False),
            ({"extra": {"$exists": True}}, False),
            ({"extra.x": None}, True),
            ({"event_data.no_such_member": None}, True),
            ({"event_data.no_such_member": {"$exists": True}}, False),
            ({"_id.below": {"$exists": True}}, False),
            ({"alert": {"$ne": None}}, True),
            ({"log_level": "20"}, True),
            ({"log_level": {"$in": [20.0, None]}}, True),
            ({"archived": {"$in": [True, False]}}, True),
            ({"alert": {"$gt": False}}, False),
        ):
            found = store.find(Query(parse_selector(selector)))
            assert bool(found.events) is expected, selector

    def test_as_many_comparisons_as_a_selector_may_have(self, store):
        store.append([event("a", event_data='{"a":{"b":[{"c":999}]}}')])
        many = {"$or": [{"event_data.a.b.c": number} for number in range(1000)]}
        assert ids(store.find(Query(parse_selector(many)))) == ["a"]
        listed = {"event_data.a.b.c": {"$in": [str(number) for number in range(999)] + [999]}}
        assert ids(store.find(Query(parse_selector(listed)))) == ["a"]

    def test_long_paths_in_as_many_comparisons_as_a_selector_may_have(self, store):
        """Bounded by the language, not by what an engine happens to take."""
        path = "event_data." + ".".join("abcdefgh" * 5)
        names = path.count(".") + 1
        store.append([event("a")])
        most = [{path: number} for number in range(MAX_ALL_SEGMENTS // names)]
        assert ids(store.find(Query(parse_selector({"$or": most})))) == []
        with pytest.raises(InvalidSelectorError, match="names"):
            parse_selector({"$or": [*most, {path: 0}]})

    def test_keys_are_data_whatever_they_hold(self, store):
        keys = ['"', "'", "\\", "$", "$.a", "", " ", "a'b\"c\\d", "é", "😀", "\n", "\0", "\x7f", "[0]",
                "#", "') OR 1=1 --", "?1", ":a", "0", "00", "-1"]  # fmt: skip
        store.append(
            [event(str(place), event_data=encode_json({key: place})) for place, key in enumerate(keys)]
        )
        for place, key in enumerate(keys):
            if "." not in key:
                found = store.find(Query(parse_selector({f"event_data.{key}": place})))
                assert ids(found) == [str(place)], repr(key)


class TestOtherCalls:
    def test_get_knows_archived_events_and_tells_what_is_not_there(self, store):
        assert store.get("a") is None
        store.append([event("a", archived=True, archived_at=1)])
        assert store.get("a").archived

    def test_count_is_the_number_of_events(self, store):
        assert store.count() == 0
        store.append([event("a"), event("b"), event("a")])
        store.append([event("b")])
        assert store.count() == 2

    def test_a_fact_is_kept_the_first_time(self, store):
        assert store.remember("id", "1") == "1"
        assert store.remember("id", "2") == "1"
        assert store.remember("other", "2") == "2"

    def test_facts_are_what_was_given_and_not_what_the_store_keeps_for_itself(self, store):
        assert store.facts() == {}
        store.append([event("a")])
        store.archive(["a"], 1)
        store.delete(["a"])
        store.take_turn("task", "1", "me", 60, "~")
        store.give_back_turn("task", "me", "1")
        store.remember("id", "1")
        assert store.facts() == {"id": "1"}

    def test_a_store_says_what_and_where_it_is(self, store):
        assert store.engine in {"memory", "sqlite", "mongodb"}
        assert store.location
        store.check()

    def test_a_probe_changes_nothing(self, store):
        store.append([event("a")])
        before = store.count(), store.facts(), ids(store.find(Query()))
        store.probe()
        store.probe()
        assert (store.count(), store.facts(), ids(store.find(Query()))) == before

    def test_the_room_is_told_where_it_is_known(self, store):
        space = store.space()
        assert space is None or 0 <= space.free <= space.total
        assert space is None or space.used >= 0

    def test_closing_twice_does_nothing(self, store):
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
            lambda store: store.remember("a", "b"),
            lambda store: store.facts(),
            lambda store: store.check(),
            lambda store: store.probe(),
        ],
        ids=["append", "append nothing", "get", "find", "count", "remember", "facts", "check", "probe"],
    )
    def test_calls_after_closing_say_so(self, store, call):
        store.append([event("a")])
        store.close()
        with pytest.raises(StoreError, match="is closed"):
            call(store)


def nested(levels: int) -> object:
    value: object = "deep"
    for level in range(levels):
        value = {"k": value} if level % 2 else [value]
    return value


@pytest.mark.parametrize(
    "value",
    [
        None, True, False, 0, -1, "", "text", [], {}, [None], 0.1, -0.0, 1e308, 5e-324, 1.0, 1e16,
        2**53 + 1, 2**63 - 1, -(2**63), 2**63, 2**64, 10**300, -(10**300), "\0", "a\0b", "\x7f\x01\n\t",
        "é", "😀", "\u2028\ufeff\uffff", "\\u0000", '"quoted"', "\\", "a" * 100_000,
        {"": 1}, {"a.b": 1, "$gt": 2, "": {"": 3}}, {'"': 1, "'": 2, "\\": 3, "\0": 4, "\n": 5},
        {"b": 1, "a": 2, "_id": 3}, [[[[]]]], [1, [2, {"x": [3]}]], {"😀": "😀"}, nested(MAX_DEPTH),
        {"NaN": "NaN"}, {str(number): number for number in range(2_000)}, list(range(5_000)),
    ],
    ids=lambda value: repr(value)[:24],
)  # fmt: skip
def test_event_data_of_every_json_kind_comes_back_as_it_was(store, value):
    text = encode_json(value)
    store.append([event("a", event_data=text, source={"odd": value}, extra={"odd": value})])
    kept = store.get("a")
    assert kept.event_data == text
    assert store.find(Query()).events == [kept]
    assert encode_json([kept.source, kept.extra]) == encode_json([{"odd": value}] * 2)
    assert json.loads(encode_event(kept))["event_data"] == json.loads(text)


class TestArchiveAndDelete:
    def test_archived_events_are_marked_once(self, store):
        store.append([event("a"), event("b"), event("c")])
        assert store.archive(["a", "b", "a", "nobody"], 5) == 2
        assert store.archive(["b", "c"], 9) == 1
        marks = {one: (store.get(one).archived, store.get(one).archived_at) for one in "abc"}
        assert marks == {"a": (True, 5), "b": (True, 5), "c": (True, 9)}
        assert store.count() == 3

    def test_archived_events_are_left_out_by_selectors_that_say_so(self, store):
        store.append([event("a", 1), event("b", 2)])
        store.archive(["b"], 5)
        assert ids(store.find(Query(latest()))) == ["a"]
        assert ids(store.find(Query(latest(include_archived=True)))) == ["b", "a"]

    def test_only_archived_events_are_deleted(self, store):
        store.append([event("a"), event("b", source={"node_id": "n"}), event("c")])
        store.archive(["b", "c"], 5)
        assert store.delete(["a", "b", "b", "nobody"]) == 1
        assert (store.get("b"), store.count()) == (None, 2)
        assert sorted(ids(store.find(Query()))) == ["a", "c"]
        assert store.find(Query(parse_selector({"source.node_id": "n"}))).events == []

    def test_words_of_deleted_events_find_nothing(self, store):
        store.append([event("a", event_data='{"message":"pump failed"}', archived=True), event("b")])
        store.delete(["a"])
        assert store.find(Query(parse_selector({"$text": {"$search": "pump"}}))).events == []

    def test_what_was_deleted_may_come_again(self, store):
        store.append([event("a", archived=True)])
        store.delete(["a"])
        (outcome,) = store.append([event("a", 7)])
        assert outcome.disposition is STORED
        assert store.get("a").event_timestamp == 7

    def test_nothing_may_be_archived_or_deleted(self, store):
        assert (store.archive([], 1), store.delete([])) == (0, 0)


class TestTurns:
    def test_a_slot_is_done_once(self, store):
        assert store.take_turn("backup", "2026-01-01", "me", 60, "~")
        assert store.take_turn("backup", "2026-01-01", "me", 60, "~")
        store.give_back_turn("backup", "me", "2026-01-01")
        assert not store.take_turn("backup", "2026-01-01", "me", 60, "~")
        assert not store.take_turn("backup", "2025-12-31", "me", 60, "~")
        assert store.take_turn("backup", "2026-01-02", "me", 60, "~")

    def test_what_was_given_back_undone_is_given_again(self, store):
        assert store.take_turn("backup", "1", "me", 60, "~")
        store.give_back_turn("backup", "me", None)
        assert store.take_turn("backup", "1", "other", 60, "~")

    def test_tasks_have_turns_of_their_own(self, store):
        store.take_turn("backup", "1", "me", 60, "~")
        store.give_back_turn("backup", "me", "1")
        assert store.take_turn("retention", "1", "me", 60, "~")

    def test_what_was_done_last_is_told(self, store):
        assert store.last_done("backup") is None
        store.take_turn("backup", "1", "me", 60, "~")
        assert store.last_done("backup") is None
        store.give_back_turn("backup", "me", "1")
        assert store.take_turn("backup", "2", "me", 60, "~")
        assert store.last_done("backup") == "1"
        store.give_back_turn("backup", "me", None)
        assert store.last_done("backup") == "1"
        assert store.last_done("retention") is None

    def test_what_a_clock_that_was_ahead_has_done_does_not_count(self, store):
        assert store.take_turn("backup", "2036-01-01", "ahead", 60, "2036-01-02")
        store.give_back_turn("backup", "ahead", "2036-01-01")
        assert store.last_done("backup") == "2036-01-01"
        assert not store.take_turn("backup", "2035-12-31", "ahead", 60, "2036-01-01")
        assert store.take_turn("backup", "2026-01-01", "right", 60, "2026-01-02")
        store.give_back_turn("backup", "right", "2026-01-01")
        assert store.last_done("backup") == "2026-01-01"
        assert not store.take_turn("backup", "2026-01-01", "right", 60, "2026-01-02")
        assert store.take_turn("backup", "2026-01-02", "right", 60, "2026-01-03")

    def test_a_later_slot_up_to_the_horizon_was_done_by_a_clock_that_is_a_little_ahead(self, store):
        assert store.take_turn("backup", "2026-01-02", "quick", 60, "2026-01-03")
        store.give_back_turn("backup", "quick", "2026-01-02")
        assert not store.take_turn("backup", "2026-01-01", "slow", 60, "2026-01-02")
        assert store.last_done("backup") == "2026-01-02"


class TestFence:
    def test_what_is_appended_after_the_fence_lies_behind_it(self, transactional_store):
        store, ahead = transactional_store, 4_000_000_000_000_000  # a clock that is decades ahead
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

    def test_what_was_received_before_a_fence_is_found(self, store):
        """On every engine; what a fast clock received, on those with an order of commits."""
        assert store.find(Query(fence=store.fence())).events == []
        store.append([event("a", 4_000_000_000_000_000)])
        assert ids(store.find(Query(fence=store.fence()))) == ["a"]
        assert store.tally([Tally(fence=store.fence())])[0][0].count == 1
