"""What is seen of JSON text without making values of it."""

from __future__ import annotations

import json
import re
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from madsci.common.errors import MalformedJsonError, TooLargeError
from madsci.event_manager.ingest.scanning import MAX_VALUES, check_values, items_of

JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text() | st.just('\\"[{,]}\\\\'),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(st.lists(JSON), st.sampled_from([None, 1]), st.booleans())
def test_the_items_of_a_list_are_its_items(items, indent, ascii_only):
    text = json.dumps(items, indent=indent, ensure_ascii=ascii_only)
    found = [json.loads(item) for item in items_of(text.encode("utf-8", "surrogatepass"))]
    assert json.dumps(found) == json.dumps(items)


@pytest.mark.parametrize(
    ("text", "items"),
    [
        (b" [ ] ", []),
        (b"[,]", [b"", b""]),
        (b"[1,]", [b"1", b""]),
        (b"[a b, {x}]", [b"a b", b" {x}"]),
        (b'["\\\\", "\\\\\\"]"]', [b'"\\\\"', b' "\\\\\\"]"']),
    ],
)
def test_items_need_not_be_sound(text, items):
    assert list(items_of(text)) == items


@pytest.mark.parametrize("text", [b"[", b"[1", b"[[]", b'["]', b"[] x", b"[1]]", b'["\\"]'])
def test_a_list_without_end_or_with_something_behind_it_is_none(text):
    with pytest.raises(MalformedJsonError, match="not JSON"):
        list(items_of(text))


def test_items_are_cut_out_one_by_one():
    text = b"[" + b"{}," * 1_000_000 + b"{}]"
    tracemalloc.start()
    try:
        assert next(items_of(text)) == b"{}"
        assert tracemalloc.get_traced_memory()[1] < 10_000
    finally:
        tracemalloc.stop()


def test_an_item_of_endless_parts_is_refused():
    with pytest.raises(TooLargeError, match="Item 2 of the list"):
        list(items_of(b"[1,[" + b"[]" * 2 * MAX_VALUES + b"]]"))


@pytest.mark.parametrize("value", [b"{},", b"[],", b"1,", b"[[", b'"",'])
def test_an_event_of_too_many_values_is_refused(value):
    with pytest.raises(TooLargeError, match="1,000,000 values"):
        check_values(b'{"event_data":[' + value * (MAX_VALUES + 2))


@pytest.mark.parametrize(
    "data",
    [
        b"[" + b"1," * (MAX_VALUES - 2) + b"1]",
        b'{"a":"' + b",[{" * MAX_VALUES + b'"}',
        b'{"a":"' + b'\\"' * MAX_VALUES + b",," * MAX_VALUES + b'"}',
        b'"' + b"x" * 3 * MAX_VALUES,
        b"[" + b'",,,",' * 400_000 + b"1]",
    ],
    ids=["numbers", "in a text", "escaped quotes", "no end", "texts"],
)
def test_commas_and_brackets_within_texts_are_no_values(data):
    check_values(data)


@given(st.text())
def test_a_text_ends_where_it_ends(text):
    encoded = json.dumps([text, [1]]).encode()
    assert [re.sub(rb"\s", b"", item) for item in items_of(encoded)][1] == b"[1]"
