"""Reading JSON that may be damaged: what can be saved is saved, and said."""

from __future__ import annotations

import contextlib
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from madsci.common.errors import InvalidInputError, MalformedJsonError
from madsci.event_manager.model.json_reading import (
    MAX_DEPTH,
    as_utf8,
    check_depth,
    read_json,
    visible_names,
)
from madsci.event_manager.model.stored_event import encode_json

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)  # fmt: skip
damaged = st.recursive(
    st.floats() | st.text(st.characters(codec=None)) | st.none(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec=None)), inner),
    max_leaves=12,
)


def nested(levels: int) -> bytes:
    return b"[" * levels + b"]" * levels


@given(json_values, st.booleans())
def test_json_is_read_as_it_is(value, ascii_only):
    text = json.dumps(value, ensure_ascii=ascii_only).encode()
    assert read_json(text) == (value, [])


@given(damaged)
def test_whatever_python_calls_json_becomes_json_that_everybody_reads(value):
    read, repairs = read_json(json.dumps(value).encode())
    assert json.loads(encode_json(read), parse_constant=pytest.fail) == read
    assert len(set(repairs)) == len(repairs)


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(data):
    try:
        value, _ = read_json(data)
    except InvalidInputError:
        return
    encode_json(value)


def test_numbers_that_json_lacks_become_text_and_are_told_once():
    value, repairs = read_json(b'{"a": NaN, "b": [Infinity, -Infinity, NaN], "c": 1e999}')
    assert value == {"a": "NaN", "b": ["Infinity", "-Infinity", "NaN"], "c": "Infinity"}
    assert len(repairs) == 3
    assert "NaN" in repairs[0]


def test_halves_of_surrogate_pairs_become_visible():
    value, repairs = read_json(rb'{"\ud800": "a\udfffb", "whole": "\ud83d\ude00"}')
    assert value == {"\\ud800": "a\\udfffb", "whole": "\U0001f600"}
    assert len(repairs) == 1


def test_bytes_that_are_not_utf8_are_read_as_latin1_and_placed():
    value, repairs = read_json('{"unit": "µL"}'.encode("latin-1"))
    assert value == {"unit": "µL"}
    assert repairs == ["Byte 10 (0xb5) is not UTF-8; the text was read as Latin-1. Send UTF-8."]


def test_a_byte_order_mark_and_raw_line_breaks_in_texts_are_no_damage():
    assert read_json(b'\xef\xbb\xbf{"a": 1}') == ({"a": 1}, [])
    assert read_json(b'{"a": "x\ny\tz"}') == ({"a": "x\ny\tz"}, [])


def test_the_last_of_equal_members_counts_on_both_ways():
    assert read_json(b'{"a": 1, "a": 2}')[0] == {"a": 2}
    assert read_json(b'{"a": 1, "a": 2, "b": NaN}')[0] == {"a": 2, "b": "NaN"}


@pytest.mark.parametrize("digits", [19, 20, 100, 4000])
def test_integers_of_any_sensible_size_are_exact(digits):
    assert read_json(b"-" + b"9" * digits)[0] == -(10**digits - 1)


def test_an_integer_too_long_to_read_is_kept_as_its_digits():
    assert read_json(b"9" * 5000)[0] == "9" * 5000


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "line 1, column 1"),
        (b'{"a": 1', "line 1, column 8"),
        (b'{"a": 1,\n "b": }', "line 2, column 7"),
        (b"{'a': 1}", "line 1, column 2"),
        (b"{} {}", "Extra data"),
        (b"hello", "'hello'"),
    ],
)
def test_what_is_not_json_is_refused_with_its_place(data, words):
    with pytest.raises(MalformedJsonError, match="This is not JSON") as caught:
        read_json(data)
    assert words in caught.value.message
    assert caught.value.errors[0]["loc"]


@pytest.mark.parametrize("levels", [400, 900, 5_000, 200_000])
@pytest.mark.parametrize("tail", [b"", b"x"])
def test_deep_nesting_is_refused_and_breaks_nothing(levels, tail):
    with pytest.raises(InvalidInputError):
        read_json(nested(levels) + tail)


def test_nesting_up_to_the_limit_is_read():
    value, repairs = read_json(nested(MAX_DEPTH))
    assert encode_json(value).encode() == nested(MAX_DEPTH)
    assert repairs == []
    check_depth(value)


def test_depth_is_counted_through_objects_and_arrays_alike():
    value: object = math.pi
    for level in range(12):
        value = [value] if level % 2 else {"a": value, "b": 1}
    check_depth(value, 12)
    with pytest.raises(InvalidInputError, match="nested"):
        check_depth(value, 10)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ({"a\0b": 1}, {"a\\u0000b": 1}),
        ([{"x": {"\0": [{"\0\0": 2}]}}], [{"x": {"\\u0000": [{"\\u0000\\u0000": 2}]}}]),
        ({"a\0": 1, "a\\u0000": 2}, {"a\\u0000'": 1, "a\\u0000": 2}),
    ],
)
def test_a_nul_in_a_name_becomes_visible_and_no_member_is_lost(value, shown):
    repairs = []
    assert visible_names(value, repairs) == shown
    assert len(repairs) == 1
    assert "NUL" in repairs[0]


def test_a_nul_in_a_text_stays():
    repairs = []
    assert visible_names({"a": ["\0"]}, repairs) == {"a": ["\0"]}
    assert repairs == []


@pytest.mark.parametrize(
    ("codec", "name"),
    [("utf-16", "UTF-16-LE"), ("utf-16-le", "UTF-16-LE"), ("utf-16-be", "UTF-16-BE"),
     ("utf-32", "UTF-32-LE"), ("utf-32-le", "UTF-32-LE"), ("utf-32-be", "UTF-32-BE")],
)  # fmt: skip
@pytest.mark.parametrize("value", [{"a": "ä😀"}, [1, 2], {}])
def test_utf_16_and_32_are_read_as_such_with_or_without_their_mark_and_told(codec, name, value):
    read, repairs = read_json(json.dumps(value, ensure_ascii=False).encode(codec))
    assert read == value
    assert repairs == [f"The text is {name} and was read as that. Send UTF-8."]


def test_broken_utf_16_is_refused_by_its_name_and_place():
    with pytest.raises(MalformedJsonError, match="UTF-16-LE, and broken at byte 10") as caught:
        read_json('{"a":'.encode("utf-16")[2:] + b"\x00")
    assert caught.value.errors[0]["loc"] == [10]


@given(st.binary(max_size=12))
def test_text_that_is_not_marked_so_is_left_as_it_is(data):
    with contextlib.suppress(MalformedJsonError):
        text, told = as_utf8(data)
        assert bool(told) or text is data
