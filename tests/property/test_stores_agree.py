"""Random documents and random questions: the matcher and every store say the same."""

from __future__ import annotations

import json
import tempfile
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from madsci.event_manager.ingest.intake import Intake
from madsci.event_manager.model.matcher import matches
from madsci.event_manager.model.query import Query
from madsci.event_manager.model.selector import parse_selector
from madsci.event_manager.model.stored_event import StoredEvent, encode_event, encode_json
from madsci.event_manager.stores.memory import MemoryStore
from madsci.event_manager.stores.sqlite.store import SqliteStore

# Few keys and values, so that questions often meet what is there.
KEYS = ["a", "b", "0", "1", "", "a b", 'q"', "it's", "\\", "$.a", "é", "\n", "\0", "-1", "[0]"]
names = st.sampled_from(KEYS[:4]) | st.sampled_from(KEYS)
numbers = st.sampled_from(
    [0, 1, -1, 2, 0.0, -0.0, 1.0, 1.5, 2**53, 2**53 + 1, float(2**53), 2**63 - 1, -(2**63), 2**63,
     2**64, float(2**63), 10**30, 1e30, 0.1, 0.30000000000000004, 5e-324, 1e308]
)  # fmt: skip
scalars = (
    numbers
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from([None, True, False, "", "a", "A", "1", "a\0", "é", "\uffff", "😀", "null"])
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=6,
)
documents = st.dictionaries(names, values, max_size=3) | values

data_paths = st.lists(names.filter(lambda name: "." not in name), max_size=3).map(
    lambda path: ".".join(["event_data", *path])
)
paths = data_paths | data_paths | st.sampled_from(
    ["source.node_id", "source.a", "source.a.b", "extra", "extra.a", "trace_id", "log_level", "alert",
     "archived", "event_type", "_id", "event_id", "nothing", "_id.a", "log_level.0", "span_id"]
)  # fmt: skip
plain_values = values.filter(
    lambda value: not isinstance(value, dict) or not any(key.startswith("$") for key in value)
)
operands = st.one_of(
    plain_values.filter(lambda value: not isinstance(value, dict) or value == {}),
    st.builds(
        lambda name, value: {name: value},
        st.sampled_from(["$eq", "$ne", "$gt", "$gte", "$lt", "$lte"]),
        plain_values,
    ),
    st.builds(
        lambda name, value: {name: value},
        st.sampled_from(["$in", "$nin"]),
        st.lists(plain_values, max_size=3),
    ),
    st.builds(lambda value: {"$exists": value}, st.booleans()),
    st.builds(lambda low, high: {"$gt": low, "$lte": high}, plain_values, plain_values),
)
operands |= st.builds(
    lambda operand: {"$not": operand},
    operands.filter(
        lambda value: isinstance(value, dict) and value and all(key.startswith("$") for key in value)
    ),
)
selectors = st.recursive(
    st.dictionaries(paths, operands, max_size=2),
    lambda inner: st.builds(
        lambda name, parts, rest: {name: parts, **rest},
        st.sampled_from(["$and", "$or", "$nor"]),
        st.lists(inner, min_size=1, max_size=3),
        st.dictionaries(paths, operands, max_size=1),
    ),
    max_leaves=4,
)
sources = st.dictionaries(st.sampled_from(["a", "b"]), values, max_size=2) | st.fixed_dictionaries(
    {"node_id": st.sampled_from(["", "a", "n1"])}
)
events = st.builds(
    lambda level, alert, archived, trace, source, data, extra: StoredEvent(
        "", "log", level, alert, 0, 0, source, encode_json(data), trace, None, archived, None, extra
    ),
    st.sampled_from([0, 20, 40, 50]),
    st.booleans(),
    st.booleans(),
    st.sampled_from([None, "", "a", "1"]),
    sources,
    documents,
    st.none() | st.dictionaries(st.sampled_from(["a", "b"]), values, min_size=1, max_size=2),
)
slow_to_open = settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])


def in_order(listed: list[StoredEvent]) -> list[StoredEvent]:
    """The same events with ids, in the order in which a store finds them."""
    made = [
        StoredEvent(f"e{place:02}", *[getattr(one, name) for name in one.__struct_fields__[1:]])
        for place, one in enumerate(listed)
    ]
    return made[::-1]


@slow_to_open
@given(st.lists(events, min_size=1, max_size=8), st.lists(selectors, min_size=1, max_size=12))
def test_matcher_memory_and_sqlite_agree_about_every_question(listed, questions):
    kept = in_order(listed)
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(MemoryStore()) as memory,
        closing(SqliteStore(Path(folder) / "events.db")) as sqlite,
    ):
        memory.append(kept)
        sqlite.append(kept)
        for question in questions:
            tree = parse_selector(question)
            expected = [one.event_id for one in kept if matches(tree, one.document())]
            for store in (memory, sqlite):
                found = [one.event_id for one in store.find(Query(tree)).events]
                assert found == expected, (store.engine, question)


@slow_to_open
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=40))
def test_every_number_is_found_by_itself_and_by_no_other(numbers_kept):
    """SQLite reads numbers from text with code of its own."""
    kept = {f"e{place}": number for place, number in enumerate(numbers_kept)}
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(SqliteStore(Path(folder) / "events.db")) as sqlite,
    ):
        sqlite.append(
            [
                StoredEvent(name, "log", 20, False, 0, 0, {}, encode_json({"n": number}))
                for name, number in kept.items()
            ]
        )
        for number in numbers_kept:
            for operator, expected in (
                ("$eq", {name for name, other in kept.items() if other == number}),
                ("$lt", {name for name, other in kept.items() if other < number}),
            ):
                tree = parse_selector({"event_data.n": {operator: number}})
                assert {one.event_id for one in sqlite.find(Query(tree)).events} == expected


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=15,
)  # fmt: skip


@pytest.mark.parametrize("unknown_member", [False, True], ids=["fast path", "patient path"])
@slow_to_open
@given(listed=st.lists(json_values, min_size=1, max_size=10), ascii_only=st.booleans())
def test_event_data_survives_the_way_in_the_store_and_the_way_out(listed, ascii_only, unknown_member):
    intake = Intake(own_source={"manager_id": "m"})
    kept = []
    for place, value in enumerate(listed):
        wire = {"_id": f"e{place}", "event_data": value}
        if unknown_member:
            wire["colour"] = value
        accepted = intake.read(json.dumps(wire, ensure_ascii=ascii_only).encode())
        assert not accepted.repairs
        kept.append(accepted.event)
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(MemoryStore()) as memory,
        closing(SqliteStore(Path(folder) / "events.db")) as sqlite,
    ):
        for store in (memory, sqlite):
            store.append(kept)
            for place, value in enumerate(listed):
                reply = json.loads(encode_event(store.get(f"e{place}")))
                assert reply["event_data"] == value
                assert json.dumps(reply["event_data"]) == json.dumps(value)
                assert reply.get("extra", {"colour": value}) == {"colour": value}
