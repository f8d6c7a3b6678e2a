"""The corpus of selectors, through the matcher and through every store.

The expectations follow MongoDB's documented semantics. A case in an operator that this version does
not have is refused by name; none is left out.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from madsci.common.errors import InvalidSelectorError
from madsci.event_manager.model.matcher import matches
from madsci.event_manager.model.query import Query
from madsci.event_manager.model.selector import parse_selector
from madsci.event_manager.model.stored_event import StoredEvent, encode_json

CORPUS = json.loads((Path(__file__).parents[1] / "data" / "selectors.json").read_text("utf-8"))
SUPPORTED = {
    "$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$in", "$nin", "$exists", "$and", "$or", "$nor", "$not",
    "$comment",
}  # fmt: skip
NOT_YET = {"$all", "$elemMatch", "$mod", "$options", "$regex", "$size", "$type"}
NEVER = {"$foo"}
LOGICAL = {"$and", "$or", "$nor"}


def operators(selector: object) -> set[str]:
    if isinstance(selector, dict):
        own = {key for key in selector if key.startswith("$")}
        return own.union(*(operators(value) for value in selector.values()))
    if isinstance(selector, list):
        return set().union(*(operators(value) for value in selector))
    return set()


def name_of(case: dict) -> str:
    return case["name"]


REFUSED = [case for case in CORPUS if not operators(case["selector"]) <= SUPPORTED]
WRONG = [case for case in CORPUS if case not in REFUSED and case.get("expected_error")]
RUN = [case for case in CORPUS if case not in REFUSED and case not in WRONG]


def under_event_data(selector: dict) -> dict:
    """The same question about a document that lies in `event_data`."""
    wrapped = {}
    for key, value in selector.items():
        if key in LOGICAL:
            wrapped[key] = [under_event_data(part) for part in value]
        else:
            wrapped[key if key == "$comment" else f"event_data.{key}"] = value
    return wrapped


def test_every_case_is_run_or_refused_by_a_listed_operator():
    assert (len(CORPUS), len(RUN), len(WRONG), len(REFUSED)) == (66, 42, 3, 21)
    unsupported = set().union(*(operators(case["selector"]) for case in REFUSED)) - SUPPORTED
    assert unsupported == NOT_YET | NEVER
    assert len({case["name"] for case in CORPUS}) == len(CORPUS)


def test_every_case_that_is_run_can_be_wrapped_as_event_data():
    """So no case goes through the matcher only."""
    assert [case for case in RUN if not all(isinstance(one, dict) for one in case["docs"])] == []


@pytest.mark.parametrize("case", RUN, ids=name_of)
def test_the_matcher_finds_the_expected_documents(case):
    tree = parse_selector(case["selector"])
    assert [one["_id"] for one in case["docs"] if matches(tree, one)] == case["expected_ids"]


@pytest.mark.parametrize("case", RUN, ids=name_of)
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
    with pytest.raises(InvalidSelectorError):
        parse_selector(case["selector"])


@pytest.mark.parametrize("case", REFUSED, ids=name_of)
def test_an_operator_that_this_version_lacks_is_refused_by_name(case):
    with pytest.raises(InvalidSelectorError, match="is not supported") as caught:
        parse_selector(case["selector"])
    lacking = operators(case["selector"]) - SUPPORTED
    assert any(repr(operator) in caught.value.message for operator in lacking)
