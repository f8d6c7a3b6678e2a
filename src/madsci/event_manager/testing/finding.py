"""Finding: orders, pages, cursors, and what a selector may ask for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from madsci.common.errors import InvalidSelectorError
from madsci.event_manager.model import query as queries
from madsci.event_manager.model.query import Query, decode_cursor, latest
from madsci.event_manager.model.selector_parser import MAX_ALL_SEGMENTS, parse_selector
from madsci.event_manager.model.sorting import parse_sort
from madsci.event_manager.model.stored_event import encode_json
from madsci.event_manager.stores.base import EventStore
from madsci.event_manager.testing.samples import FULL, event, ids, walk


class FindContract:
    """What ``EventReader.find`` promises."""

    def test_events_come_newest_first_and_ties_by_id_greatest_first(self, store: EventStore) -> None:
        store.append([event("b", 5), event("z", 1), event("c", 5), event("a", 9), event("B", 5)])
        assert ids(store.find(Query())) == ["a", "c", "b", "B", "z"]

    def test_times_before_1970_and_at_the_ends_of_the_calendar_are_in_order(
        self, store: EventStore
    ) -> None:
        moments = [-62_135_596_800_000_000, -1, 0, 1, 253_402_300_799_999_999]
        store.append([event(str(place), moment) for place, moment in enumerate(moments)])
        assert ids(store.find(Query())) == ["4", "3", "2", "1", "0"]

    def test_a_page_has_at_most_its_limit_and_tells_of_more(self, store: EventStore) -> None:
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
        self, store: EventStore, selector: dict[str, Any], sort: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Whatever its limit; more follow, which the page tells, and one event it always has."""
        monkeypatch.setattr(queries, "PAGE_BYTES", 160_000)
        self.page_by_bytes(store, selector, sort, 10_000)

    def test_a_page_has_sixteen_megabytes(self, store: EventStore) -> None:
        self.page_by_bytes(store, {}, "-event_timestamp", 1_000_000)

    def page_by_bytes(self, store: EventStore, selector: dict[str, Any], sort: str, unit: int) -> None:
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
    def test_an_offset_skips_matching_events(self, store: EventStore, selector: dict[str, Any]) -> None:
        """Also where the engine cannot tell by itself what matches."""
        store.append([event(name) for name in "abcde"] + [event("x", event_data='"no"')])
        tree = parse_selector({"_id": {"$ne": "x"}, **selector})
        assert ids(store.find(Query(tree, limit=2, offset=1))) == ["d", "c"]
        assert ids(store.find(Query(tree, limit=2, offset=4))) == ["a"]
        assert ids(store.find(Query(tree, limit=2, offset=5))) == []
        page = store.find(Query(tree, limit=2, offset=0))
        assert ids(store.find(Query(tree, 2, 1, decode_cursor(page.next_cursor or "")))) == ["b", "a"]

    def test_an_offset_beyond_every_number_of_events_finds_nothing(self, store: EventStore) -> None:
        store.append([event("a")])
        assert ids(store.find(Query(offset=10**30))) == []

    @pytest.mark.parametrize("selector", [{}, {"event_data.n": {"$gte": 0}}, {"event_data.tags": "x"}])
    def test_pages_neither_skip_nor_repeat_while_events_arrive(
        self, store: EventStore, selector: dict[str, Any]
    ) -> None:
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
    def test_pages_follow_each_other_in_an_order_of_times_that_some_events_lack(
        self, store: EventStore, order: str
    ) -> None:
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

    def test_a_cursor_stands_between_events_of_one_time(self, store: EventStore) -> None:
        store.append([event(f"e{number}", 7) for number in range(7)])
        assert walk(store, limit=2) == [f"e{number}" for number in reversed(range(7))]

    def test_archived_events_are_found_unless_left_out(self, store: EventStore) -> None:
        store.append([event("a", archived=True, archived_at=1), event("b")])
        assert ids(store.find(Query())) == ["b", "a"]
        assert ids(store.find(Query(latest()))) == ["b"]

    def test_the_questions_of_the_list_route(self, store: EventStore) -> None:
        store.append([event(f"e{level}", level, log_level=level) for level in (0, 10, 20, 30, 40, 50)])
        assert ids(store.find(Query(latest(level=30)))) == ["e50", "e40", "e30"]
        assert ids(store.find(Query(latest(level=45)))) == ["e50"]
        assert ids(store.find(Query(latest(start_time=10, end_time=30)))) == ["e30", "e20", "e10"]

    def test_all_members_of_an_event_can_be_asked_for(self, store: EventStore) -> None:
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

    def test_absent_members_are_null_or_missing_as_in_the_reply(self, store: EventStore) -> None:
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

    def test_as_many_comparisons_as_a_selector_may_have(self, store: EventStore) -> None:
        store.append([event("a", event_data='{"a":{"b":[{"c":999}]}}')])
        many = {"$or": [{"event_data.a.b.c": number} for number in range(1000)]}
        assert ids(store.find(Query(parse_selector(many)))) == ["a"]
        listed = {"event_data.a.b.c": {"$in": [str(number) for number in range(999)] + [999]}}
        assert ids(store.find(Query(parse_selector(listed)))) == ["a"]

    def test_long_paths_in_as_many_comparisons_as_a_selector_may_have(self, store: EventStore) -> None:
        """Bounded by the language, not by what an engine happens to take."""
        path = "event_data." + ".".join("abcdefgh" * 5)
        names = path.count(".") + 1
        store.append([event("a")])
        most = [{path: number} for number in range(MAX_ALL_SEGMENTS // names)]
        assert ids(store.find(Query(parse_selector({"$or": most})))) == []
        with pytest.raises(InvalidSelectorError, match="names"):
            parse_selector({"$or": [*most, {path: 0}]})

    def test_keys_are_data_whatever_they_hold(self, store: EventStore) -> None:
        keys = ['"', "'", "\\", "$", "$.a", "", " ", "a'b\"c\\d", "é", "😀", "\n", "\0", "\x7f", "[0]",
                "#", "') OR 1=1 --", "?1", ":a", "0", "00", "-1"]  # fmt: skip
        store.append(
            [event(str(place), event_data=encode_json({key: place})) for place, key in enumerate(keys)]
        )
        for place, key in enumerate(keys):
            if "." not in key:
                found = store.find(Query(parse_selector({f"event_data.{key}": place})))
                assert ids(found) == [str(place)], repr(key)
