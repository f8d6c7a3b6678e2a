"""What MongoDB itself is asked: every selector of the corpora as a filter, on the server that is there.

A server that only speaks MongoDB's protocol differs from it, which is why the store asks such a server
for little and looks at the events itself. Each difference of FerretDB stands here by name, so that the
filters are known to be right where it is.
"""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from pathlib import Path

import pytest
from pymongo.errors import OperationFailure

from madsci.event_manager.model.query import Query
from madsci.event_manager.model.selector_parser import parse_selector
from madsci.event_manager.model.stored_event import StoredEvent, encode_json
from madsci.event_manager.stores.mongo.connection import is_mongodb
from madsci.event_manager.stores.mongo.finding import Events
from madsci.event_manager.stores.mongo.passing_over import PassedOver
from madsci.event_manager.stores.mongo.store import MongoStore
from support import mongo_servers
from support.questions import under_event_data

DATA = Path(__file__).parents[1] / "data"
CASES = [
    case
    for name in ("selectors.json", "selectors_more.json")
    for case in json.loads((DATA / name).read_text("utf-8"))
    if not case.get("expected_error")
]

DIFFERENCES_OF_FERRETDB = {
    "arrays inside arrays are refused, so the document holds a message only": [
        "eq exact array or array as element; order and length matter",
        "$in with array operand member matches whole array or nested element",
        "$all with nested array",
        "dotted null: empty or scalar-only array parent does not match",
        "a null element makes the array equal to null, a nested one does not",
        "an index into a scalar element is no missing member",
        "$type array finds arrays, empty ones too",
        "$elemMatch on nested arrays looks one level deep",
        "$elemMatch with $size on nested arrays",
        "$elemMatch reads an array among the elements as a document of indexes",
        "$elemMatch of nothing needs an element that is an object or an array",
        "$elemMatch with $type array",
        "$elemMatch at an index of an array of arrays",
        "$size does not look into nested arrays",
        "$size of an element by its index",
        "$all with an empty array",
        "$in with an empty object and an empty array",
        "$in with an array finds the whole array or an element",
        "$gte an array compares element by element",
        "$lt an array: kinds before values, shorter before longer",
        "$gt the empty array",
        "$ne of an array",
        "an element by its index may be an array as a whole",
        "two indexes",
        "an index between an array and objects in nested arrays",
    ],
    "null is not looked for through arrays": [
        "dotted null through array of documents",
        "$eq null through two arrays",
        "$ne null through an array needs every element to have a value",
        "$in with null through an array of documents",
        "an index beyond the array is neither null nor there",
    ],
    "an object in an array is not equal to an object": [
        "$in with subdocument member is exact",
        "$all with an object is exact",
        "$in with an object",
        "$ne of an object",
    ],
    "regular expressions are those of Go, and option x is not known": [
        "$regex $options x ignores blanks and comments",
        "(*UCP) makes classes Unicode",
        "lookahead and lookbehind",
        "positive lookbehind",
        "backreference",
        "named backreference",
        "atomic groups and possessive repeats do not give back",
        "$ also stands before a last newline",
        "$options together",
        "$options x keeps a blank that is escaped or in a class",
        "recursion into a group",
        "a conditional group",
    ],
    "$elemMatch knows few operators, and means others differently": [
        "$elemMatch on documents: one element satisfies all",
        "$elemMatch with $or inside",
        "$elemMatch with $exists false",
        "$elemMatch with members and $or beside them",
        "$elemMatch with $and",
        "$elemMatch with $nor",
        "$elemMatch with a $comment before members",
        "$elemMatch with $not inside",
        "$elemMatch with $ne needs one element that differs",
        "$all with two $elemMatch",
        "$elemMatch on a missing member of an element",
        "$elemMatch with conditions that no single element meets",
        "nested $elemMatch on documents",
        "$elemMatch with a dotted path inside",
        "$not $elemMatch of documents",
        "$elemMatch with $nin",
        "$elemMatch with $exists true finds any element",
        "$nor with $elemMatch",
    ],
    "$mod and bits of what is no integer, names that begin with a zero, unknown types": [
        "$mod finds numbers only",
        "bits of texts, truths and nulls are none",
        "an index with a leading zero is a name",
        "$type that JSON cannot hold finds nothing",
    ],
    "a newline in a name": ["names in Unicode, with a backslash, with a newline"],
}
DIFFERENT = {name for names in DIFFERENCES_OF_FERRETDB.values() for name in names}


@pytest.fixture(scope="module")
def store(mongo_url):
    """A store on the server, emptied by each test."""
    with (
        mongo_servers.new_database(mongo_url) as name,
        contextlib.closing(MongoStore(mongo_url, database=name)) as store,
    ):
        yield store


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_the_server_finds_what_the_filter_means(case, store):
    tree = parse_selector(under_event_data(case["selector"]))
    ids = [str(one["_id"]) for one in case["docs"]]
    store.append(
        [
            StoredEvent(name, "log", 20, False, 0, 0, {}, encode_json(one))
            for name, one in zip(ids, case["docs"], strict=True)
        ]
    )
    trusting = Events(store.collection, is_mongodb=True, passed_over=PassedOver("here"))
    try:
        found = Counter(one.event_id for one in trusting.find(Query(tree)).events)
    except OperationFailure as error:
        found = Counter([f"refused: {error}"])
    finally:
        store.archive(ids, 0)
        store.delete(ids)
    is_right = found == Counter(str(one) for one in case["expected_ids"])
    assert is_right == (
        is_mongodb(store.collection.database.client) or case["name"] not in DIFFERENT
    ), found
