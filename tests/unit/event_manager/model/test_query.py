"""Questions, pages and cursors."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from madsci.common.errors import InvalidCursorError
from madsci.event_manager.model.query import (
    DEFAULT_PAGE,
    Page,
    Query,
    decode_cursor,
    encode_cursor,
    latest,
)
from madsci.event_manager.model.selector import EVERYTHING, And, Compare, Equals
from madsci.event_manager.model.sorting import parse_sort
from madsci.event_manager.model.stored_event import StoredEvent

VISIBLE = Equals(("archived",), value=False)


def event(name: str) -> StoredEvent:
    return StoredEvent(name, "log", 20, False, 7, 7, {}, "{}")


@given(st.integers(-(2**63), 2**63 - 1), st.text())
def test_a_cursor_holds_any_place_as_text_for_a_url(moment, event_id):
    cursor = encode_cursor((moment, event_id))
    assert decode_cursor(cursor) == (moment, event_id)
    assert set(cursor) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


def forged(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor",
    [
        "", "x", "abc", "=", "====", "é", "a b", "\x00", forged("{}"), forged("[1]"),
        forged('["a","b"]'), forged('[1,"a",2]'), forged("[1,2]"), forged('[1.5,"a"]'), forged("null"),
        forged('[1,"a"'), forged(f'[{2**63},"a"]'), forged(f'[-{10**30},"a"]'),
    ],
)  # fmt: skip
def test_what_is_no_cursor_is_refused(cursor):
    with pytest.raises(InvalidCursorError, match="not a cursor of this question"):
        decode_cursor(cursor)


@given(st.text())
def test_any_text_is_a_cursor_or_refused(text):
    try:
        moment, event_id = decode_cursor(text)
    except InvalidCursorError:
        return
    assert isinstance(moment, int)
    assert isinstance(event_id, str)


def test_a_page_tells_of_more_and_where_to_go_on():
    assert decode_cursor(Page([event("c"), event("b")], (7, "b")).next_cursor) == (7, "b")


def test_the_last_page_has_no_cursor():
    assert Page([event("a")]).next_cursor is None


@pytest.mark.parametrize(
    ("sort", "place"),
    [
        ("received_at", (5, "a")),
        ("_id", ("a",)),
        ("-event_data.step", (2, 0, "x", "a")),
        ([["log_level", -1], ["event_type", 1]], (40, "log", "a")),
    ],
)
def test_a_cursor_belongs_to_its_order(sort, place):
    order = parse_sort(sort)
    assert decode_cursor(encode_cursor(place, order), order) == place
    for other in ((*place, 1), [[]] * len(place), place[1:]):
        with pytest.raises(InvalidCursorError, match="with the same sort"):
            decode_cursor(encode_cursor(other, order), order)
    for foreign in (encode_cursor(place), encode_cursor(place, parse_sort("alert"))):
        with pytest.raises(InvalidCursorError):
            decode_cursor(foreign, order)
    with pytest.raises(InvalidCursorError):
        decode_cursor(encode_cursor(place, order))


def test_a_question_is_bounded_by_default():
    assert Query() == Query(EVERYTHING, DEFAULT_PAGE, 0, None)


def test_the_latest_events_leave_out_archived_ones_unless_asked():
    assert latest() == And((VISIBLE,))
    assert latest(include_archived=True) == EVERYTHING
    assert latest(level=-5, include_archived=True) == EVERYTHING


def test_the_latest_events_are_bounded_by_level_and_times_inclusively():
    assert latest(level=30, start_time=1, end_time=2) == And(
        (
            Compare(("log_level",), "$gte", 30),
            Compare(("event_timestamp",), "$gte", 1),
            Compare(("event_timestamp",), "$lte", 2),
            VISIBLE,
        )
    )
    assert latest(start_time=0, end_time=0).parts[0] == Compare(("event_timestamp",), "$gte", 0)
