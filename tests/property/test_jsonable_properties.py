"""Whatever the value: `to_jsonable` ends, fails never, and gives JSON that every reader takes."""

from __future__ import annotations

import json
from types import SimpleNamespace

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from madsci.client.writing.record import make_origin, make_record
from madsci.common.jsonable import to_jsonable

scalars = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.binary() | st.decimals()
    | st.text(st.characters(codec=None)) | st.datetimes() | st.timedeltas() | st.uuids()
    | st.complex_numbers() | st.just(object())
)  # fmt: skip
keys = st.text(st.characters(codec=None)) | st.integers() | st.floats() | st.none() | st.booleans()
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(keys, inner)
        | st.tuples(inner, inner)
        | st.frozensets(st.integers() | st.floats() | st.none())
    ),
    max_leaves=30,
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)  # fmt: skip


@given(values)
def test_the_result_is_json_for_strict_readers_and_stays_as_it_is(value):
    plain = to_jsonable(value)
    text = json.dumps(plain, allow_nan=False)
    text.encode()
    assert json.loads(text) == plain
    assert to_jsonable(plain) == plain


@given(json_values)
def test_what_is_json_already_is_unchanged(value):
    assert to_jsonable(value) == value


@given(st.dictionaries(st.text(), values, max_size=5), st.lists(st.integers(0, 19), max_size=60))
def test_objects_that_refer_to_each_other_in_any_way_end(data, links):
    """Each link is an object that another one refers to, in a list, a member or both."""
    nodes = [SimpleNamespace(number=number, to=[]) for number in range(20)]
    for place, link in enumerate(links):
        nodes[place % 20].to.append(nodes[link])
        nodes[link].back = nodes[place % 20]
    told = to_jsonable({**data, "nodes!": nodes})
    assert len(json.dumps(told["nodes!"])) < 200_000
    alone = to_jsonable(data)
    assert {name: value for name, value in told.items() if name != "nodes!"} == alone


@given(st.text(st.characters(codec=None)), st.dictionaries(st.text(), values, max_size=5))
def test_the_fast_way_and_the_careful_way_encode_the_same(message, fields):
    record = make_record(20, message, (), fields, make_origin({}, "tests"))
    document = json.loads(record.body)
    for name in set(fields) - {"message", "event_type", "alert", "exc_info", "stack_info"}:
        assert document["event_data"][to_jsonable(name)] == to_jsonable(fields[name])
    assert document["event_data"]["message"] == to_jsonable(message)
    assert msgspec.json.decode(record.body)["event_data"] == document["event_data"]
