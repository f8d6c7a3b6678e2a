"""The values of JSON in MongoDB's order, and the types in which MongoDB would keep them."""

from __future__ import annotations

import json
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from madsci.event_manager.model.values import (
    MISSING,
    Kind,
    compare,
    is_same,
    kind_of,
    type_of,
    whole_number,
)
from support.questions import values

ASCENDING = [
    None,
    -(10**40), -(2**63), -1.5, 0, 5e-324, 1, 1.5, 2**53, 2**53 + 1, 2**63 - 1, float(2**63), 2**64,
    1e300,
    "", "10", "9", "A", "a", "a\0", "aa", "é", "\uffff", "😀",
    {}, {"a": None}, {"a": 1}, {"a": 1, "b": 1}, {"b": 0}, {"b": 0, "a": 9}, {"a": ""}, {"": []},
    {"": True},
    [], [None], [1], [1, None], [1, 2], [2], ["a"], [{}], [[]], [True],
    False, True,
]  # fmt: skip


def test_all_values_stand_in_one_order():
    for (place, low), (other, high) in combinations(enumerate(ASCENDING), 2):
        assert compare(low, high) == -1, (place, other, low, high)
        assert compare(high, low) == 1, (place, other, low, high)
        assert not is_same(low, high)


@pytest.mark.parametrize("value", ASCENDING)
def test_every_value_is_the_same_as_itself_after_a_journey(value):
    copy = json.loads(json.dumps(value))
    assert compare(value, copy) == 0
    assert is_same(value, copy)


@pytest.mark.parametrize(
    ("one", "other"), [(1, 1.0), (0, -0.0), (None, MISSING), ([1], [1.0]), ({"a": 0}, {"a": -0.0})]
)
def test_values_that_are_written_differently_may_be_the_same(one, other):
    assert is_same(one, other)
    assert is_same(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, True),
        (0, False),
        ("1", 1),
        ("", None),
        ([], {}),
        ([1], [True]),
        ({"a": 1}, {"a": True}),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        (2**53 + 1, float(2**53)),
        (2**63 - 1, float(2**63)),
        ("é", "e\N{COMBINING ACUTE ACCENT}"),
    ],
)
def test_values_that_look_alike_may_differ(one, other):
    assert not is_same(one, other)


@given(values, values, values)
def test_the_order_has_no_circles(first, second, third):
    assert compare(first, second) == -compare(second, first)
    if compare(first, second) <= 0 and compare(second, third) <= 0:
        assert compare(first, third) <= 0


@given(values)
def test_kinds_come_before_values(value):
    for kind, low in zip(Kind, [None, -1e308, "", {}, [], False], strict=True):
        if kind_of(value) > kind:
            assert compare(value, low) == 1


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (MISSING, "missing"),
        (None, "null"),
        (True, "bool"),
        (0, "int"),
        (2**31 - 1, "int"),
        (-(2**31), "int"),
        (2**31, "long"),
        (-(2**31) - 1, "long"),
        (2**63 - 1, "long"),
        (-(2**63), "long"),
        (2**63, "decimal"),
        (1.0, "double"),
        (1e300, "double"),
        ("", "string"),
        ({}, "object"),
        ([], "array"),
    ],
)
def test_types_are_those_in_which_mongodb_would_keep_a_value(value, name):
    assert type_of(value) == name


@pytest.mark.parametrize(
    ("value", "whole"),
    [
        (5, 5),
        (5.9, 5),
        (-5.9, -5),
        (-0.5, 0),
        (2**63 - 1, 2**63 - 1),
        (-(2**63), -(2**63)),
        (float(-(2**63)), -(2**63)),
        (2**63, None),
        (float(2**63), None),
        (1e300, None),
        (True, None),
        ("5", None),
        (None, None),
        ([5], None),
        (MISSING, None),
    ],
)
def test_numbers_are_cut_to_whole_ones_of_64_bits(value, whole):
    assert whole_number(value) == whole


@given(st.lists(values, max_size=5))
def test_lists_are_compared_from_the_left_and_shorter_ones_come_first(listed):
    assert compare(listed, [*listed, None]) == -1
    assert compare([None, *listed], [1, *listed]) == -1
