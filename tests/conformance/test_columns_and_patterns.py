"""On every engine: the name of a column of an export is a path, and patterns stand among values."""

from __future__ import annotations

import pytest

from madsci.common.flattening import column_name
from madsci.event_manager.model.query import Query
from madsci.event_manager.model.selector_parser import parse_selector
from madsci.event_manager.model.sorting import parse_sort
from madsci.event_manager.model.stored_event import StoredEvent, encode_json

DOTTED = 'event_data["http.method"]'
NAMES = [
    "http.method",
    "",
    'say "hi"',
    "back\\slash",
    "line\nbreak",
    "$set",
    "[0]",
    "it's",
    "é.",
    "$.a",
]


def event(name, data):
    return StoredEvent(name, "log", 20, False, 0, 0, {}, encode_json(data))


def pattern(text, options=""):
    return {"$regularExpression": {"pattern": text, "options": options}}


def found(store, selector, sort=None):
    query = Query(parse_selector(selector))
    if sort is not None:
        query = Query(parse_selector(selector), sort=parse_sort(sort))
    return [one.event_id for one in store.find(query).events]


def fill(store, *data):
    store.append([event(chr(ord("a") + place), one) for place, one in enumerate(data)])


@pytest.mark.parametrize("name", NAMES)
def test_any_name_can_be_asked_for_as_columns_write_it(store, name):
    fill(store, {name: "GET"}, {name: "PUT"}, {"other": "GET"}, {name: {name: ["GET", 1]}})
    column = column_name(["event_data", name])
    assert found(store, {column: "GET"}) == ["a"]
    assert sorted(found(store, {column: {"$exists": False}})) == ["c"]
    assert found(store, {column_name(["event_data", name, name]): {"$in": [1]}}) == ["d"]


def test_a_name_with_a_dot_is_not_the_path_of_the_same_letters(store):
    fill(store, {"http.method": 1}, {"http": {"method": 1}})
    assert found(store, {DOTTED: 1}) == ["a"]
    assert found(store, {"event_data.http.method": 1}) == ["b"]
    assert found(store, {"event_data": {"http.method": 1}}) == ["a"]


def test_events_are_sorted_by_a_name_with_a_dot(store):
    fill(store, {"http.method": 2}, {"http.method": 3}, {"http": {"method": 9}}, {"http.method": 1})
    assert found(store, {}, {DOTTED: 1}) == ["c", "d", "a", "b"]
    assert found(store, {}, f"-{DOTTED}") == ["b", "a", "d", "c"]


def test_elements_of_lists_are_asked_for_names_with_dots(store):
    fill(store, {"l": [{"a.b": 1}, {"c": 2}]}, {"l": [{"a": {"b": 1}}]})
    assert found(store, {'event_data.l["a.b"]': 1}) == ["a"]
    assert found(store, {"event_data.l": {"$elemMatch": {'["a.b"]': 1}}}) == ["a"]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (pattern("^plate", "i"), "ac"),
        ({"$not": pattern("^plate", "i")}, "bd"),
        ({"$in": [pattern("^plate", "i"), 5]}, "acd"),
        ({"$in": [pattern("^x"), pattern("7$")]}, "a"),
        ({"$nin": [pattern("^plate", "i"), 5]}, "b"),
        ({"$all": [pattern("8"), "tip"]}, "c"),
        ({"$elemMatch": {"$in": [pattern("^Plate"), 7]}}, "c"),
        ({"$elemMatch": {"$nin": [pattern("^Plate")]}}, "c"),
        ({"$elemMatch": {"$not": {"$in": [pattern("^Plate"), "tip"]}}}, ""),
    ],
)
def test_patterns_stand_among_values(store, condition, expected):
    fill(store, {"x": "Plate 7"}, {"x": "tip"}, {"x": ["Plate 8", "tip"]}, {"x": 5})
    assert sorted(found(store, {"event_data.x": condition})) == list(expected)


def test_a_pattern_among_times_is_asked_of_their_texts(store):
    fill(store, 1)
    assert found(store, {"event_timestamp": {"$in": [pattern("^1970-01-01T")]}}) == ["a"]
    assert found(store, {"event_timestamp": {"$nin": [pattern("^1970-01-01T")]}}) == []
