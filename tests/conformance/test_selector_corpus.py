"""Two corpora of selectors, through the matcher and through every store.

The expectations follow MongoDB's documented semantics and, where the manual is silent, the tests that
its server is published with; none is left out.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from madsci.common.errors import InvalidSelectorError
from madsci.event_manager.model.matcher import matches
from madsci.event_manager.model.query import Query
from madsci.event_manager.model.selector_parser import parse_selector
from madsci.event_manager.model.stored_event import StoredEvent, encode_json
from support.questions import under_event_data

DATA = Path(__file__).parents[1] / "data"
CORPORA = [
    json.loads((DATA / name).read_text("utf-8")) for name in ("selectors.json", "selectors_more.json")
]
CORPUS = [case for corpus in CORPORA for case in corpus]


def name_of(case: dict) -> str:
    return case["name"]


WRONG = [case for case in CORPUS if case.get("expected_error")]
RIGHT = [case for case in CORPUS if case not in WRONG]


def test_no_case_is_left_out():
    assert [len(corpus) for corpus in CORPORA] == [66, 286]
    assert (len(RIGHT), len(WRONG)) == (262, 90)
    assert len({case["name"] for case in CORPUS}) == len(CORPUS)
    assert all(isinstance(one, dict) for case in CORPUS for one in case["docs"])


@pytest.mark.parametrize("case", RIGHT, ids=name_of)
def test_the_matcher_finds_the_expected_documents(case):
    tree = parse_selector(under_event_data(case["selector"]))
    found = [one["_id"] for one in case["docs"] if matches(tree, {"event_data": one})]
    assert found == case["expected_ids"]


@pytest.mark.parametrize("case", RIGHT, ids=name_of)
def test_every_store_finds_the_expected_documents(case, stores):
    tree = parse_selector(under_event_data(case["selector"]))
    events = [
        StoredEvent(str(one["_id"]), "log", 20, False, 0, 0, {}, encode_json(one))
        for one in case["docs"]
    ]
    expected = Counter(str(one) for one in case["expected_ids"])
    for engine, store in stores.items():
        store.append(events)
        page = store.find(Query(tree))
        assert Counter(one.event_id for one in page.events) == expected, engine


@pytest.mark.parametrize("case", WRONG, ids=name_of)
def test_a_selector_that_is_wrong_is_refused(case):
    with pytest.raises(InvalidSelectorError) as caught:
        parse_selector(under_event_data(case["selector"]))
    assert "no event has a member" not in caught.value.message
