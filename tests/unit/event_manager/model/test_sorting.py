"""Orders: how they are written, and the place of a document in them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from madsci.common.errors import InvalidInputError
from madsci.event_manager.model.sorting import (
    MAX_KEYS,
    NEWEST_FIRST,
    OLDEST_FIRST,
    SortKey,
    directions,
    general_place,
    parse_sort,
    place,
)
from madsci.event_manager.model.values import compare
from support.questions import scalars

TIME, ID = ("event_timestamp",), ("_id",)


@pytest.mark.parametrize(
    "written",
    [
        "-event_timestamp",
        ["-event_timestamp"],
        {"event_timestamp": -1},
        {"event_timestamp": -1.0},
        [{"event_timestamp": -1}],
        ["event_timestamp", -1],
        [["event_timestamp", -1]],
        [["event_timestamp", -1], ["_id", -1]],
        ["-event_timestamp", "-event_id"],
    ],
)
def test_an_order_may_be_written_in_any_usual_way(written):
    assert parse_sort(written) == NEWEST_FIRST


def test_an_order_ascends_unless_a_minus_says_otherwise():
    assert parse_sort("event_timestamp") == parse_sort("+event_timestamp") == OLDEST_FIRST


def test_the_id_ends_every_order_in_the_direction_of_the_last_key():
    assert parse_sort("log_level") == (SortKey(("log_level",)), SortKey(ID))
    assert parse_sort(["log_level", "-event_data.a"])[-1] == SortKey(ID, descending=True)
    assert parse_sort("_id") == (SortKey(ID),)
    assert parse_sort(["-event_id", "log_level"]) == (SortKey(ID, True), SortKey(("log_level",)))


def test_a_path_that_is_named_again_orders_nothing_more():
    assert parse_sort(["-log_level", "log_level"]) == parse_sort("-log_level")
    assert parse_sort(["_id", "alert", "-event_id"]) == parse_sort(["_id", "alert"])


@pytest.mark.parametrize(
    "written",
    [
        "",
        "-",
        [],
        {},
        None,
        5,
        True,
        [None],
        [1, 1],
        ["log_level", 2],
        {"log_level": 0},
        {"log_level": True},
        {"log_level": "desc"},
        {"log_level": None},
        "nothing",
        "$natural",
        "log_level.a",
        "event_type.0",
        "_id.a",
        "a.event_data",
        'event_data."',
        "event_data.\\",
        "event_data.\n",
        "event_data.\0",
        "event_data." + "a" * 1_000,
        ["log_level", "alert", "event_type", "archived", "trace_id"],
        [["log_level", 1, 2]],
        [[["log_level"], 1]],
    ],
)
def test_what_is_no_order_is_refused_with_an_example(written):
    with pytest.raises(InvalidInputError, match="sort: ") as error:
        parse_sort(written)
    assert "Write for example" in error.value.message


def test_an_order_has_at_most_four_paths():
    paths = ["log_level", "alert", "event_type", "archived"]
    assert len(paths) == MAX_KEYS
    assert len(parse_sort(paths)) == MAX_KEYS + 1


def test_a_place_has_a_value_for_a_plain_member_and_three_for_any_other():
    sort = parse_sort(["log_level", "-event_data.step"])
    document = {"_id": "e1", "log_level": 20, "event_data": {"step": "wash"}}
    assert place(document, sort) == [20, 2, 0, "wash", "e1"]
    assert directions(sort) == [False, True, True, True, True]
    assert place({"_id": "e1", "log_level": 20, "event_data": 5}, sort) == [20, 0, 0, "", "e1"]


def test_orders_do_not_look_into_arrays():
    sort = parse_sort("event_data.a.b")
    assert place({"_id": "e", "event_data": {"a": [{"b": 1}]}}, sort) == [0, 0, "", "e"]
    assert place({"_id": "e", "event_data": {"a": {"b": [1]}}}, sort) == [4, 0, "", "e"]


def rank(value):
    return tuple(general_place(value))


@given(scalars, scalars)
def test_places_of_scalars_stand_as_their_values_do(one, other):
    """But for whole numbers beyond 64 bits, which are as near as doubles come."""
    sign = compare(one, other)
    if sign < 0:
        assert rank(one) <= rank(other)
    elif sign == 0:
        assert rank(one) == rank(other)
    if rank(one) < rank(other):
        assert sign < 0


@given(st.lists(scalars | st.just([]) | st.just({}), max_size=8))
def test_kinds_stand_in_the_order_of_mongodb(listed):
    kinds = [rank(value)[0] for value in sorted(listed, key=rank)]
    assert kinds == sorted(kinds)
    assert [rank(value)[0] for value in (None, 1, "a", {}, [], True)] == [0, 1, 2, 3, 4, 5]
