"""Random questions about random documents: montydb, written by others, says the same as our matcher.

montydb was written against MongoDB servers. Where the two differ, a row of ``DIFFERENCES`` says from
the selector and the document alone that they may, and who is right; everything else must be equal.
"""

from __future__ import annotations

import gc
import json
import re
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from montydb.engine.queries import QueryFilter

from madsci.event_manager.model.matcher import matches
from madsci.event_manager.model.selector_parser import parse_selector
from support.questions import document_selectors, plain_documents, under_event_data

pytestmark = pytest.mark.filterwarnings(
    # montydb leaves a generator that yields while it is closed.
    "ignore:Exception ignored in. <generator object LogicBox._call_elemMatch"
    ":pytest.PytestUnraisableExceptionWarning"
)
MANUAL = "https://www.mongodb.com/docs/manual/reference"
REFUSES = "refuses"
DATA = Path(__file__).parents[1] / "data"
CORPUS = [
    case
    for name in ("selectors.json", "selectors_more.json")
    for case in json.loads((DATA / name).read_text("utf-8"))
    if not case.get("expected_error")
]


@pytest.fixture(autouse=True)
def own_garbage():
    """What montydb leaves behind is collected in the test that made it."""
    yield
    gc.collect()


def ours(selector: dict[str, Any], document: dict[str, Any]) -> bool:
    return matches(parse_selector(under_event_data(selector)), {"event_data": document})


def theirs(selector: dict[str, Any], document: dict[str, Any]) -> bool | str:
    try:
        return bool(QueryFilter(deepcopy(selector))(document, dict))
    except Exception:  # noqa: BLE001 - whatever it raises, it has no answer
        return REFUSES


class Use(NamedTuple):
    """An operator in a selector, and the path that it stands behind."""

    operator: str
    operand: Any
    path: str
    of_element: bool
    """Whether it tests an element of an array itself, inside ``{"$elemMatch": {"$gt": 5}}``."""
    negated: bool = False
    """Whether it stands inside ``$not``."""


def uses(selector: dict[str, Any]) -> Iterator[Use]:
    """Yield every operator in a selector; a value alone is ``$eq``."""
    for key, operand in selector.items():
        if key in ("$and", "$or", "$nor"):
            for part in operand:
                yield from uses(part)
        elif key == "$comment":
            yield Use(key, operand, "", of_element=False)
        else:
            yield from _uses_at(key, operand, of_element=False, negated=False)


def _uses_at(path: str, operand: Any, *, of_element: bool, negated: bool) -> Iterator[Use]:
    if not is_of_operators(operand):
        yield Use("$eq", operand, path, of_element, negated)
        return
    for name, value in operand.items():
        yield Use(name, value, path, of_element, negated)
        if name == "$not":
            yield from _uses_at(path, value, of_element=of_element, negated=True)
        for element in elements_tested(name, value):
            if is_test_of_element(element):
                yield from _uses_at(path, element, of_element=True, negated=negated)
            else:
                yield from uses(element)


def elements_tested(name: str, operand: Any) -> list[dict[str, Any]]:
    if name == "$elemMatch":
        return [operand]
    if name == "$all":
        return [one["$elemMatch"] for one in operand if is_of_operators(one)]
    return []


def is_test_of_element(value: dict[str, Any]) -> bool:
    return is_of_operators(value) and next(iter(value)) not in ("$and", "$or", "$nor", "$comment")


def is_of_operators(value: Any) -> bool:
    # Of the names in our random documents only "$.a" looks like an operator.
    return isinstance(value, dict) and any(key.startswith("$") and key != "$.a" for key in value)


def parts_of(value: Any) -> Iterator[Any]:
    """Yield a value and everything in it."""
    yield value
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for one in inner:
        yield from parts_of(one)


def numbers_in(value: Any) -> list[int | float]:
    return [one for one in parts_of(value) if type(one) in (int, float)]


def values_compared(use: Use) -> list[Any]:
    """Return the values that a use compares with, one by one."""
    if use.operator in ("$eq", "$ne", "$gt", "$gte", "$lt", "$lte"):
        return [use.operand]
    if use.operator in ("$in", "$nin"):
        return list(use.operand)
    if use.operator == "$all":
        return [one for one in use.operand if not is_of_operators(one)]
    return []


class Difference(NamedTuple):
    """Where montydb may differ, why, and a fixed example in which it does."""

    reason: str
    source: str
    applies: Callable[[Use, dict[str, Any]], bool]
    selector: dict[str, Any]
    document: dict[str, Any]


BITS = ("$bitsAllSet", "$bitsAllClear", "$bitsAnySet", "$bitsAnyClear")
SYNTAX_OF_PCRE = ("\\", "(?", "(*", "[[")
INT32 = range(-(2**31), 2**31)


def has_small_counts_only(value: Any) -> bool:
    return all(number >= 0 and number == int(number) <= 2**53 for number in numbers_in(value))


def is_about_sized_types(use: Use, document: dict[str, Any]) -> bool:
    listed = use.operand if isinstance(use.operand, list) else [use.operand]
    if any(one in ("number", "long", "decimal", 18, 19) for one in listed):
        return True
    wide = any(type(one) is int and one not in INT32 for one in parts_of(document))
    return wide and any(one in ("int", 16) for one in listed)


def is_about_kinds_inside(use: Use, document: dict[str, Any]) -> bool:
    """Whether truths may be taken for numbers, or members be in another order, inside containers."""
    wanted = values_compared(use)
    if use.operator != "$all":  # there, not even what stands alone keeps its kind
        wanted = [one for one in wanted if isinstance(one, (dict, list))]
    parts = [one for value in wanted for one in parts_of(value)]
    kept = list(parts_of(document))
    has_orders = any(map(has_order, parts)) and any(map(has_order, kept))
    return has_orders or mixes(parts, kept) or mixes(kept, parts)


def has_order(value: Any) -> bool:
    return isinstance(value, dict) and len(value) > 1


def mixes(some: list[Any], others: list[Any]) -> bool:
    truths = {int(one) for one in some if isinstance(one, bool)}
    return any(type(one) in (int, float) and one in truths for one in others)


def has_array_in_array(document: dict[str, Any]) -> bool:
    return any(
        isinstance(one, list) and any(isinstance(element, list) for element in one)
        for one in parts_of(document)
    )


def has_array_of_other_than_objects(document: dict[str, Any]) -> bool:
    return any(
        isinstance(one, list) and not all(isinstance(element, dict) for element in one)
        for one in parts_of(document)
    )


def is_about_members_of_elements(use: Use) -> bool:
    return any(not is_test_of_element(one) for one in elements_tested(use.operator, use.operand))


DIFFERENCES = [
    Difference(
        "montydb does not have the operators of bits; MongoDB does.",
        f"{MANUAL}/operator/query-bitwise/",
        lambda use, _: use.operator in BITS,
        {"a": {"$bitsAllSet": 1}},
        {"a": 3},
    ),
    Difference(
        "montydb cannot read an empty object as a value; MongoDB compares with it.",
        f"{MANUAL}/operator/query/eq/",
        lambda use, _: {} in values_compared(use) or use.operand == {},
        {"a": {}},
        {"a": {}},
    ),
    Difference(
        "montydb fails for an empty $all; MongoDB finds nothing.",
        f"{MANUAL}/operator/query/all/",
        lambda use, _: use.operator == "$all" and use.operand == [],
        {"a": {"$all": []}},
        {"a": []},
    ),
    Difference(
        "montydb reads $elemMatch in $all as members only; MongoDB takes operators there, too.",
        f"{MANUAL}/operator/query/all/",
        lambda use, _: (
            use.operator == "$all" and any(map(is_of_operators, elements_tested("$all", use.operand)))
        ),
        {"a": {"$all": [{"$elemMatch": {"$gt": 1}}]}},
        {"a": [2]},
    ),
    Difference(
        "montydb refuses $regex inside $not, as MongoDB did before 4.0.7.",
        f"{MANUAL}/operator/query/not/",
        lambda use, _: use.operator == "$regex" and use.negated,
        {"a": {"$not": {"$regex": "a"}}},
        {"a": "b"},
    ),
    Difference(
        "montydb takes Python's remainder; in MongoDB it has the sign of the dividend, fractions are"
        " cut off first, and numbers beyond 64 bits have none.",
        f"{MANUAL}/operator/query/mod/",
        lambda use, document: (
            use.operator == "$mod"
            and bool(numbers_in(document))
            and not (has_small_counts_only(use.operand) and has_small_counts_only(document))
        ),
        {"a": {"$mod": [4, -3]}},
        {"a": -7},
    ),
    Difference(
        "montydb does not know the alias number and takes every whole number for an int; in MongoDB it"
        " is a long beyond 32 bits.",
        f"{MANUAL}/operator/query/type/",
        lambda use, document: use.operator == "$type" and is_about_sized_types(use, document),
        {"a": {"$type": "long"}},
        {"a": 2**40},
    ),
    Difference(
        "montydb finds no missing member with $gte or $lte null; MongoDB compares it as null.",
        "https://github.com/mongodb/mongo/blob/master/jstests/core/query/null/null_query_semantics.js",
        lambda use, _: use.operator in ("$gte", "$lte") and use.operand is None,
        {"a": {"$gte": None}},
        {},
    ),
    Difference(
        "montydb compares what is inside arrays and objects as Python does: true is 1, and the order of"
        " members does not count. MongoDB keeps kinds and orders apart.",
        f"{MANUAL}/bson-type-comparison-order/",
        is_about_kinds_inside,
        {"a": [1]},
        {"a": [True]},
    ),
    Difference(
        "montydb lets a test of an element look into arrays among the elements; in MongoDB it is about"
        " the element itself.",
        f"{MANUAL}/operator/query/elemMatch/",
        lambda use, document: use.of_element and has_array_in_array(document),
        {"a": {"$elemMatch": {"$gt": 5}}},
        {"a": [[6]]},
    ),
    Difference(
        "montydb asks null, existence and the length in a test of an element of the whole array;"
        " MongoDB asks them of the element.",
        f"{MANUAL}/operator/query/elemMatch/",
        lambda use, document: (
            use.of_element
            and (use.operator in ("$exists", "$size", "$elemMatch") or None in values_compared(use))
            and any(isinstance(one, list) and one for one in parts_of(document))
        ),
        {"a": {"$elemMatch": {"$size": 2}}},
        {"a": [1, 2]},
    ),
    Difference(
        "montydb reads any element as an object without members; MongoDB leaves scalars out, and reads"
        " an array as an object of its indexes.",
        f"{MANUAL}/operator/query/elemMatch/",
        lambda use, document: (
            is_about_members_of_elements(use) and has_array_of_other_than_objects(document)
        ),
        {"a": {"$elemMatch": {"b": None}}},
        {"a": [1]},
    ),
    Difference(
        "montydb takes $all of null for an element null; MongoDB takes it for a condition on the path,"
        " which a missing member meets.",
        f"{MANUAL}/operator/query/all/",
        lambda use, _: use.operator == "$all" and None in values_compared(use),
        {"a": {"$all": [None]}},
        {},
    ),
    Difference(
        "montydb uses Python's regular expressions; MongoDB uses PCRE2, whose classes are ASCII and"
        " whose syntax has more.",
        f"{MANUAL}/operator/query/regex/",
        lambda use, _: use.operator == "$regex" and any(sign in use.operand for sign in SYNTAX_OF_PCRE),
        {"a": {"$regex": "^\\w"}},
        {"a": "é"},
    ),
    Difference(
        "montydb refuses whole numbers written as doubles for lengths and codes; MongoDB takes them.",
        f"{MANUAL}/operator/query/size/",
        lambda use, _: use.operator in ("$size", "$type") and isinstance(use.operand, float),
        {"a": {"$size": 2.0}},
        {"a": [1, 2]},
    ),
    Difference(
        "montydb reads the flag of $exists as Python does; in MongoDB everything is true but false,"
        " null and zero.",
        "https://github.com/mongodb/mongo/blob/master/jstests/core/query/exists/exists.js",
        lambda use, _: use.operator == "$exists" and use.operand in ("", [], {}),
        {"a": {"$exists": []}},
        {"a": 1},
    ),
    Difference(
        "montydb reads 00 as an index; in MongoDB an index is written without zeros before it.",
        "https://github.com/mongodb/mongo/blob/master/src/mongo/db/matcher/path.cpp",
        lambda use, _: any(re.fullmatch("0[0-9]+", name) for name in use.path.split(".")),
        {"a.00": 5},
        {"a": [5]},
    ),
    Difference(
        "montydb does not have $comment; MongoDB takes it anywhere and does nothing with it.",
        f"{MANUAL}/operator/query/comment/",
        lambda use, _: use.operator == "$comment",
        {"$comment": "why", "a": 1},
        {"a": 1},
    ),
]


def differing(selector: dict[str, Any], document: dict[str, Any]) -> list[Difference]:
    """Return the known differences that apply."""
    listed = list(uses(selector))
    return [row for row in DIFFERENCES if any(row.applies(use, document) for use in listed)]


def assert_same(selector: dict[str, Any], document: dict[str, Any]) -> None:
    answers = ours(selector, document), theirs(selector, document)
    assert answers[0] == answers[1], (
        selector,
        document,
        dict(zip(("ours", "theirs"), answers, strict=True)),
    )


without_looking_for_less = settings(
    deadline=None,
    max_examples=500,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)


questions = document_selectors.filter(lambda selector: "$regularExpression" not in str(selector))
"""montydb has no extended JSON."""


@pytest.mark.slow
@without_looking_for_less
@given(questions, st.lists(plain_documents, min_size=1, max_size=4))
def test_it_agrees_about_every_question_but_for_the_known_differences(selector, documents):
    for document in documents:
        if not differing(selector, document):
            assert_same(selector, document)


def test_it_confirms_what_our_corpora_expect_but_for_the_known_differences():
    confirmed = 0
    for case in CORPUS:
        for document in case["docs"]:
            if not differing(case["selector"], document):
                assert_same(case["selector"], document)
                confirmed += 1
    assert confirmed > 0.7 * sum(len(case["docs"]) for case in CORPUS)


@pytest.mark.slow
def test_most_random_questions_lie_outside_the_known_differences():
    """So that the table cannot grow until nothing is compared any more."""
    compared: list[bool] = []

    @settings(without_looking_for_less, derandomize=True, database=None)
    @given(questions, plain_documents)
    def count(selector, document):
        if not differing(selector, document):
            compared.append(ours(selector, document))
        else:
            compared.append(None)

    count()
    assert sum(one is not None for one in compared) > 0.4 * len(compared)
    assert sum(one is True for one in compared) > 0.08 * len(compared)


@pytest.mark.slow
@pytest.mark.parametrize("row", DIFFERENCES, ids=lambda row: row.source.rsplit("/", 2)[-2])
def test_each_known_difference_is_still_there(row):
    assert differing(row.selector, row.document) == [row]
    assert ours(row.selector, row.document) != theirs(row.selector, row.document), row.reason


def test_each_known_difference_names_its_source():
    for row in DIFFERENCES:
        assert row.source.startswith("https://")
        assert {"montydb", "MongoDB"} <= set(re.findall(r"\w+", row.reason)), row.reason
