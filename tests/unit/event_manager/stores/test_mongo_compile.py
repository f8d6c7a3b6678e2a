"""Selectors as MongoDB's filters."""

from __future__ import annotations

import pytest

from madsci.event_manager.model.selector_parser import parse_selector
from madsci.event_manager.stores.mongo.compile import compile_selector

NEVER = {"$nor": [{}]}


@pytest.mark.parametrize(
    ("selector", "compiled"),
    [
        ({}, {}),
        ({"event_data.a": 1}, {"event_data.a": {"$eq": 1}}),
        ({"event_id": "x"}, {"_id": {"$eq": "x"}}),
        ({"event_data.a": {"$ne": 1}}, {"$nor": [{"event_data.a": {"$eq": 1}}]}),
        ({"event_data.a": {"$all": []}}, NEVER),
        ({"event_data.a": {"$bitsAllSet": 5}}, {"event_data.a": {"$bitsAllSet": [0, 2]}}),
        ({"event_data.a": {"$bitsAnySet": [99]}}, {"event_data.a": {"$bitsAnySet": [63]}}),
        ({"event_data.a": {"$type": "number"}},
         {"event_data.a": {"$type": ["decimal", "double", "int", "long"]}}),
        ({"event_data.a": {"$regex": "x", "$options": "iu"}},
         {"event_data.a": {"$regex": "x", "$options": "i"}}),
        ({"event_data.a": {"$elemMatch": {"$gt": 1, "$ne": 5, "$nin": [6], "$not": {"$mod": [2, 1]}}}},
         {"event_data.a": {"$elemMatch": {"$gt": 1, "$ne": 5, "$nin": [6], "$not": {"$mod": [2, 1]}}}}),
        ({"event_data.a": {"$elemMatch": {"$all": [1, 2], "$exists": False}}},
         {"event_data.a": {"$elemMatch": {"$all": [1, 2], "$exists": False}}}),
        ({"event_data.a": {"$gt": 2**70}}, {"event_data.a": {"$gt": float(2**70)}}),
    ],
)  # fmt: skip
def test_each_node_has_its_operator(selector, compiled):
    assert compile_selector(parse_selector(selector)) == compiled


def test_instants_are_texts_of_fixed_width_at_the_top_only():
    text = "2026-01-01T00:00:00.000000Z"
    compiled = compile_selector(parse_selector({"event_timestamp": {"$gte": "2026-01-01T01:00+01:00"}}))
    assert compiled == {"event_timestamp": {"$gte": text}}
    assert compile_selector(parse_selector({"archived_at": {"$in": [None, text]}})) == {
        "archived_at": {"$in": [None, text]}
    }
    nested = {"event_data": {"$elemMatch": {"event_timestamp": 5}}}
    assert compile_selector(parse_selector(nested)) == {
        "event_data": {"$elemMatch": {"event_timestamp": {"$eq": 5}}}
    }


def test_a_search_says_its_language_and_its_words_again():
    searched = parse_selector({"$text": {"$search": 'Jam "the arm" -dry -"not now"'}})
    assert compile_selector(searched) == {
        "$text": {
            "$search": 'arm jam the "the arm" -dry -"not now"',
            "$language": "none",
            "$caseSensitive": False,
            "$diacriticSensitive": False,
        }
    }
