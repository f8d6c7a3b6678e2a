"""What selectors mean: MongoDB's semantics, one trap a test."""

from __future__ import annotations

import pytest

from madsci.event_manager.model.matcher import matches
from madsci.event_manager.model.selector_parser import parse_selector
from madsci.event_manager.model.values import Kind, kind_of
from support.questions import under_event_data


def found(selector, *documents):
    """The places, from 0, of the documents that match, each of them the data of an event."""
    tree = parse_selector(under_event_data(selector))
    events = [{"event_data": document} for document in documents]
    return [place for place, event in enumerate(events) if matches(tree, event)]


def test_null_means_missing_too():
    documents = [{"a": None}, {}, {"a": 0}, {"a": []}, {"a": [None]}, {"a": [1, None]}, {"a": ""}]
    assert found({"a": None}, *documents) == [0, 1, 4, 5]
    assert found({"a": {"$ne": None}}, *documents) == [2, 3, 6]


def test_dotted_null_matches_scalar_parents_but_not_arrays_without_objects():
    documents = [{"a": 4}, {}, {"a": {}}, {"a": {"b": None}}, {"a": []}, {"a": [1]}, {"a": [{}]}]
    assert found({"a.b": None}, *documents) == [0, 1, 2, 3, 6]


def test_exists_is_about_the_key_not_the_value():
    documents = [{"a": None}, {"a": 0}, {}, {"a": []}, {"b": 1}]
    assert found({"a": {"$exists": True}}, *documents) == [0, 1, 3]
    assert found({"a": {"$exists": False}}, *documents) == [2, 4]


def test_negations_include_missing_and_other_kinds():
    documents = [{"a": 5}, {"a": 6}, {"a": "5"}, {}, {"a": None}, {"a": [5, 6]}]
    assert found({"a": {"$ne": 5}}, *documents) == [1, 2, 3, 4]
    assert found({"a": {"$nin": [5, 6]}}, *documents) == [2, 3, 4]
    assert found({"a": {"$not": {"$gt": 5}}}, *documents) == [0, 2, 3, 4]
    assert found({"$nor": [{"a": {"$gt": 5}}]}, *documents) == [0, 2, 3, 4]


@pytest.mark.parametrize(
    ("operand", "places"),
    [(5, [0]), ("5", [1]), (True, [2]), (None, [3, 6]), ({}, [4]), ([], [5])],
)
@pytest.mark.parametrize("operator", ["$gte", "$lte", "$eq"])
def test_values_are_compared_within_their_kind_only(operator, operand, places):
    documents = [{"a": 5}, {"a": "5"}, {"a": True}, {"a": None}, {"a": {}}, {"a": []}, {}]
    assert found({"a": {operator: operand}}, *documents) == places


@pytest.mark.parametrize("operator", ["$gt", "$lt"])
def test_nothing_is_above_or_below_null(operator):
    assert found({"a": {operator: None}}, {"a": None}, {}, {"a": 0}, {"a": [None]}) == []


def test_truth_is_no_number_but_whole_floats_are_integers():
    documents = [{"a": 1}, {"a": True}, {"a": 1.0}, {"a": 0}, {"a": False}, {"a": -0.0}]
    assert found({"a": 1}, *documents) == [0, 2]
    assert found({"a": True}, *documents) == [1]
    assert found({"a": 0}, *documents) == [3, 5]
    assert found({"a": {"$gte": False}}, *documents) == [1, 4]


def test_large_integers_are_compared_exactly():
    big = 2**53 + 1
    assert found({"a": big}, {"a": big}, {"a": float(big)}, {"a": big - 1}) == [0]
    assert found({"a": {"$gt": float(2**53)}}, {"a": big}, {"a": 2**53}) == [0]
    assert found({"a": 10**30}, {"a": 10**30}, {"a": 10**30 + 1}) == [0]


def test_texts_are_ordered_by_code_point():
    documents = [{"a": "Z"}, {"a": "a"}, {"a": "é"}, {"a": "\U0001f600"}, {"a": "\uffff"}, {"a": ""}]
    assert found({"a": {"$gt": "a"}}, *documents) == [2, 3, 4]
    assert found({"a": {"$gt": "\uffff"}}, *documents) == [3]
    assert found({"a": {"$lt": "a"}}, *documents) == [0, 5]


def test_an_array_is_equal_whole_or_as_an_element():
    documents = [{"a": [1, 2]}, {"a": [[1, 2]]}, {"a": [2, 1]}, {"a": [1, 2, 3]}, {"a": 1}]
    assert found({"a": [1, 2]}, *documents) == [0, 1]
    assert found({"a": 1}, *documents) == [0, 2, 3, 4]
    assert found({"a": {"$in": [[1, 2]]}}, *documents) == [0, 1]


def test_a_range_may_be_met_by_different_elements():
    assert found({"a": {"$gt": 4, "$lt": 2}}, {"a": [1, 5]}, {"a": [3]}, {"a": 3}) == [0]
    assert found({"a.x": 1, "a.y": 1}, {"a": [{"x": 1}, {"y": 1}]}, {"a": {"x": 1, "y": 1}}) == [0, 1]


def test_a_path_walks_objects_in_arrays_but_not_arrays_in_arrays():
    documents = [{"a": [{"b": 1}]}, {"a": [[{"b": 1}]]}, {"a": [{"b": [1]}]}, {"a": [1, {"b": 2}]}]
    assert found({"a.b": 1}, *documents) == [0, 2]
    assert found({"a.b": {"$exists": True}}, *documents) == [0, 2, 3]


def test_a_number_in_a_path_is_an_index_and_a_key():
    documents = [{"a": [5, 6]}, {"a": {"1": 6}}, {"a": [{"1": 6}]}, {"a": [6]}, {"a": [[0], [6]]}]
    assert found({"a.1": 6}, *documents) == [0, 1, 2]
    assert found({"a.1.0": 6}, *documents) == [4]
    assert found({"a.01": 6}, *documents) == []
    assert found({"a.1": [6]}, *documents) == [4]


def test_an_index_beyond_every_array_is_merely_absent():
    assert found({"a." + "9" * 900: None}, {"a": [1]}, {"a": {}}) == [1]


def test_objects_are_equal_with_the_same_members_in_the_same_order():
    documents = [{"a": {"x": 1, "y": 2}}, {"a": {"y": 2, "x": 1}}, {"a": {"x": 1.0, "y": 2}},
                 {"a": {"x": 1, "y": 2, "z": 3}}, {"a": {"x": True, "y": 2}}]  # fmt: skip
    assert found({"a": {"x": 1, "y": 2}}, *documents) == [0, 2]


def test_objects_and_arrays_have_an_order():
    assert found(
        {"a": {"$gt": [1, 2]}}, {"a": [1, 2]}, {"a": [1, 3]}, {"a": [1, 2, 0]}, {"a": [1]}
    ) == [1, 2]
    assert found({"a": {"$gt": [1]}}, {"a": ["1"]}, {"a": [None]}) == [0]
    objects = [{"a": {"x": 1}}, {"a": {"w": 9}}, {"a": {}}, {"a": {"x": "1"}}]
    assert found({"a": {"$lt": {"x": 2}}}, *objects) == [0, 1, 2]


def test_in_needs_one_of_its_values_and_an_empty_list_has_none():
    documents = [{"a": 1}, {"a": [9, "1"]}, {}, {"a": True}]
    assert found({"a": {"$in": [1, "1", None]}}, *documents) == [0, 1, 2]
    assert found({"a": {"$in": []}}, *documents) == []
    assert found({"a": {"$nin": []}}, *documents) == [0, 1, 2, 3]


def test_keys_are_data_whatever_they_hold():
    document = {"a') OR 1=1 --": 1, "": {"": 2}, 'q"\\\x00$': 3}
    for selector in ({"a') OR 1=1 --": 1}, {".": 2}, {'q"\\\x00$': 3}):
        assert found(selector, document) == [0]


def test_logic_combines():
    documents = [{"l": 40, "s": 1}, {"l": 50, "s": 2}, {"l": 10, "s": 1}]
    selector = {"$and": [{"$or": [{"l": 40}, {"l": 50}]}, {"$nor": [{"s": 2}]}]}
    assert found(selector, *documents) == [0]
    assert found({}, *documents) == [0, 1, 2]


def test_the_kinds_stand_in_the_order_of_mongodb():
    values = [None, 1, "a", {}, [], True]
    assert [kind_of(value) for value in values] == sorted(Kind)
