"""Selectors of Python: each value is what the server takes for it, or is refused with its place."""

from __future__ import annotations

import json
import re
import time
from collections import deque
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum
from pathlib import PurePosixPath
from uuid import UUID

import numpy as np
import pandas as pd
import polars as pl
import pytest
from bson import ObjectId, Regex
from hypothesis import given
from hypothesis import strategies as st

from madsci.client.reading.selector_json import MAX_DEPTH, id_text, instant_text, selector_json
from madsci.common.clock import iso, now_us, parse_instant
from madsci.common.jsonable import to_jsonable
from madsci.common.types.event_types import EventLogLevel, EventType
from madsci.common.types.ownership import OwnershipInfo
from madsci.event_manager.model.matcher import matches
from madsci.event_manager.model.selector_parser import parse_selector

NOON = datetime(2026, 1, 1, 12, tzinfo=timezone.utc)
FIRST, LAST = "0001-01-01T00:00:00.000000Z", "9999-12-31T23:59:59.999999Z"
P7 = re.compile("^p7", re.IGNORECASE)
REGEX = {"$regex": "^p7", "$options": "i"}
AMONG = {"$regularExpression": {"pattern": "^p7", "options": "i"}}
IDENTITY = UUID("12345678123456781234567812345678")


class Colour(Enum):
    RED = "red"


class Slot(IntEnum):
    LEFT = 3


@dataclass
class Well:
    row: str
    column: int


@pytest.mark.parametrize(
    ("condition", "sent"),
    [
        (P7, REGEX),
        ({"$not": P7}, {"$not": REGEX}),
        ({"$regex": P7}, REGEX),
        ({"$regex": P7, "$options": "i"}, REGEX),
        ({"$options": "s", "$regex": P7}, {"$options": "si", "$regex": "^p7"}),
        ({"$not": {"$regex": P7}}, {"$not": REGEX}),
        ({"$in": [P7, "x"]}, {"$in": [AMONG, "x"]}),
        ({"$nin": {P7}}, {"$nin": [AMONG]}),
        ({"$all": (P7,)}, {"$all": [AMONG]}),
        ({"$elemMatch": {"$in": [P7]}}, {"$elemMatch": {"$in": [AMONG]}}),
        ({"$elemMatch": {"x": P7}}, {"$elemMatch": {"x": REGEX}}),
        ({"$all": [{"$elemMatch": {"x": P7}}]}, {"$all": [{"$elemMatch": {"x": REGEX}}]}),
        (Regex("^p7", "i"), REGEX),
        (re.compile("a"), {"$regex": "a", "$options": ""}),
        (
            re.compile("a.b", re.DOTALL | re.MULTILINE | re.VERBOSE),
            {"$regex": "a.b", "$options": "msx"},
        ),
    ],
)
def test_a_pattern_is_taken_wherever_it_may_stand(condition, sent):
    assert selector_json({"event_data.plate": condition}) == {"event_data.plate": sent}
    assert selector_json({"$or": [{"$and": [{"a": condition}]}]}) == {"$or": [{"$and": [{"a": sent}]}]}
    parse_selector(selector_json({"event_data.plate": condition}))


def test_the_members_of_source_are_conditions_of_their_own():
    assert selector_json({"source": {"node_id": P7}}) == {"source": {"node_id": REGEX}}


@pytest.mark.parametrize(
    ("pattern", "text", "is_found"),
    [
        (r"\w+ß$", "Maß", True),
        (re.compile(r"^\w+$", re.ASCII), "Größe", False),
        (r"^\w+$", "Größe", True),
        (r"\d", "٣", True),
        (re.compile(r"\d", re.ASCII), "٣", False),
        (r"end\Z", "end\n", False),
        (r"end$", "end\n", True),
        (r"\\Z", r"a\Z", True),
        (re.compile("^b", re.MULTILINE), "a\nb", True),
        (re.compile("a.b"), "a\nb", False),
        (re.compile("a.b", re.DOTALL), "a\nb", True),
        (re.compile("a b  # blanks", re.VERBOSE), "ab", True),
        ("(?i)ä", "Ä", True),
        (re.compile("ä", re.IGNORECASE), "Ä", True),
        (r"(?P<x>a)(?P=x)", "aa", True),
        (r"\u00e9|\x41", "A", True),
    ],
)
def test_a_pattern_finds_on_the_server_what_it_finds_in_python(pattern, text, is_found):
    pattern = re.compile(pattern)
    assert (pattern.search(text) is not None) is is_found
    for condition in (pattern, {"$in": [pattern]}, {"$not": {"$not": pattern}}):
        tree = parse_selector(json.loads(json.dumps(selector_json({"event_data": condition}))))
        assert matches(tree, {"event_data": text}) is is_found


@pytest.mark.parametrize(
    ("condition", "error", "says"),
    [
        (re.compile(b"x"), TypeError, "a: the pattern b'x' is of bytes"),
        (Regex("x", "l"), ValueError, "has no .*LOCALE"),
        (re.compile("é", re.ASCII | re.IGNORECASE), ValueError, "Leave re.ASCII out"),
        ({"$eq": P7}, TypeError, r"a \$eq: no event holds a Pattern.*\$in"),
        ({"$ne": P7}, TypeError, r"a \$ne"),
        ({"$gt": P7}, TypeError, r"a \$gt"),
        ([P7], TypeError, "a: no event holds a Pattern"),
        ({"x": P7}, TypeError, "a x: no event holds"),
        ({"$in": [[P7]]}, TypeError, r"a \$in"),
        (lambda: 1, TypeError, "a: no event holds a function"),
        ((n for n in "ab"), TypeError, "a: no event holds a generator"),
        ({"$in": (n for n in "ab")}, TypeError, r"a \$in: no event holds a generator"),
        ({"$in": map(str, [1])}, TypeError, r"a \$in: no event holds a map"),
        (object(), TypeError, "a: no event holds a object"),
        ({"$in": pd.DataFrame({"x": [1]})}, TypeError, r"a \$in: no event holds a DataFrame"),
        ({"$in": pl.DataFrame({"x": [1]})}, TypeError, r"a \$in: no event holds a DataFrame"),
        (Decimal("1.5"), TypeError, "Decimal"),
        (int, TypeError, "a: no event holds a type"),
        (1j, TypeError, "complex"),
        ({1: 2}, TypeError, "a: names are texts, not 1"),
        ({"$gt": float("nan")}, ValueError, r"a \$gt: nan is no bound"),
        ({"$lt": float("inf")}, ValueError, r"a \$lt: inf is no bound"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_place(condition, error, says):
    with pytest.raises(error, match=says):
        selector_json({"a": condition})
    with pytest.raises(error, match=says):
        selector_json({"$nor": [{"b": 1}, {"a": condition}]})


@pytest.mark.parametrize("selector", ["{}", [("a", 1)], 5, None, P7])
def test_a_selector_is_a_dict(selector):
    with pytest.raises(TypeError, match="A selector is a dict such as"):
        selector_json(selector)


def test_a_selector_that_is_inside_itself_is_refused():
    selector: dict = {}
    selector["$or"] = [selector]
    inside: list = []
    inside.append(inside)
    for cyclic in (selector, {"a": inside}, {"a": {"$not": selector}}):
        with pytest.raises(ValueError, match=f"more than {MAX_DEPTH} levels"):
            selector_json(cyclic)


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        (EventType.LOG_ERROR, "log_error"),
        (EventLogLevel.WARNING, 30),
        (Colour.RED, "red"),
        (Slot.LEFT, 3),
        (IDENTITY, str(IDENTITY)),
        (ObjectId("65a0" * 6), "65a0" * 6),
        (PurePosixPath("a/b"), "a/b"),
        (timedelta(minutes=1), 60.0),
        (float("nan"), "NaN"),
        (2**70, 2**70),
        (True, True),
        (None, None),
        ("\ud800", "\\ud800"),
        (b"text", "text"),
        ((1, 2), [1, 2]),
        ({5}, [5]),
        (deque([1]), [1]),
        (range(3), [0, 1, 2]),
        ({"k": 1}.values(), [1]),
        (np.int64(3), 3),
        (np.float32(0.5), 0.5),
        (np.array(["a", "b"]), ["a", "b"]),
        (pd.Series([1, 2]), [1, 2]),
        (pl.Series([1, 2]), [1, 2]),
        (pd.Index(["a"]), ["a"]),
        (np.array(5), 5),
        (Well("A", 1), {"row": "A", "column": 1}),
        (OwnershipInfo(node_id="arm"), {"node_id": "arm"}),
        ({Colour.RED: 1}, {"red": 1}),
        (datetime(2026, 1, 1), "2026-01-01T00:00:00"),  # noqa: DTZ001
        (date(2026, 1, 1), "2026-01-01"),
        ({"$date": "2026-01-01"}, {"$date": "2026-01-01"}),
    ],
)
def test_a_value_is_what_a_log_call_makes_of_it(value, sent):
    assert selector_json({"a": value}) == {"a": sent}
    if not isinstance(value, dict):
        assert selector_json({"a": {"$ne": value}}) == {"a": {"$ne": sent}}
        assert selector_json({"a": {"$in": [value]}}) == {"a": {"$in": [sent]}}


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text() | st.datetimes() | st.dates()
        | st.floats(allow_nan=False) | st.uuids().map(str) | st.timedeltas(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text("ab"), inner) | st.tuples(inner),
    )
)  # fmt: skip
def test_asking_for_what_was_logged_asks_for_what_is_kept(value):
    assert selector_json({"event_data.x": value}) == {"event_data.x": to_jsonable(value)}


TIMES = ["event_timestamp", "received_at", "archived_at"]


@pytest.mark.parametrize("name", TIMES)
@pytest.mark.parametrize(
    ("moment", "sent"),
    [
        (datetime.min, FIRST),  # noqa: DTZ901
        (datetime.max, LAST),  # noqa: DTZ901
        (datetime.min.replace(tzinfo=timezone.utc), FIRST),
        (datetime.max.replace(tzinfo=timezone(timedelta(hours=-9))), LAST),
        (datetime.min.replace(tzinfo=timezone(timedelta(hours=9))), FIRST),
        (date.min, FIRST),
        (date.max, LAST),
        (NOON, "2026-01-01T12:00:00.000000Z"),
        (NOON.astimezone(timezone(timedelta(hours=5))), "2026-01-01T12:00:00.000000Z"),
        (np.datetime64("2026-01-01T12:00"), iso(parse_instant("2026-01-01T12:00"))),
        (pd.Timestamp("2026-01-01T12:00Z"), "2026-01-01T12:00:00.000000Z"),
        (datetime(2026, 7, 1), iso(parse_instant("2026-07-01T00:00:00"))),  # noqa: DTZ001
        (date(2026, 7, 1), iso(parse_instant("2026-07-01T00:00:00"))),
        ("2026-01-01", "2026-01-01"),
        (1767225600.5, 1767225600.5),
    ],
)
def test_times_of_events_are_compared_with_instants(name, moment, sent):
    assert selector_json({name: {"$gte": moment}}) == {name: {"$gte": sent}}
    assert selector_json({"$or": [{name: {"$not": {"$lt": moment}}}]}) == {
        "$or": [{name: {"$not": {"$lt": sent}}}]
    }
    parse_selector(selector_json({name: {"$gte": moment}}))


@pytest.mark.parametrize("zone", ["UTC", "America/Los_Angeles", "Asia/Tokyo"])
def test_the_least_and_the_greatest_time_are_no_bound_in_any_zone(zone, monkeypatch):
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        assert instant_text(datetime.min, "start_time") == FIRST  # noqa: DTZ901
        assert instant_text(datetime.max, "end_time") == LAST  # noqa: DTZ901
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    "condition", [date(2026, 1, 1), {"$in": [date(2026, 1, 1)]}, {"$ne": date.max}]
)
def test_a_day_is_no_time_that_an_event_has(condition):
    with pytest.raises(ValueError, match=r"event_timestamp.*Ask for \{'\$gte'"):
        selector_json({"event_timestamp": condition})


@pytest.mark.parametrize(
    "moment", ["soon", object(), True, float("nan"), pd.NaT, 10**400, [], "9999-99-99"]
)
def test_what_is_no_time_is_refused_with_its_place(moment):
    with pytest.raises((TypeError, ValueError), match=r"^start_time: "):
        instant_text(moment, "start_time")


def test_ids_of_other_libraries_are_their_text():
    assert id_text("a", "id") == "a"
    assert id_text(IDENTITY, "id") == str(IDENTITY)
    assert id_text(ObjectId("65a0" * 6), "id") == "65a0" * 6
    for wrong in ("", 5, None, b"a", ["a"]):
        with pytest.raises((TypeError, ValueError), match=r"^id: "):
            id_text(wrong, "id")


def test_a_day_includes_itself_where_it_is_an_end():
    day = date(2026, 7, 1)
    first = iso(parse_instant("2026-07-01T00:00:00"))
    last = iso(parse_instant("2026-07-02T00:00:00") - 1)
    for one in (day, "2026-07-01"):
        assert [instant_text(one, name) for name in ("start_time", "end_time", "before_date")] == [
            first, last, first,
        ]  # fmt: skip
    for operator, bound in {"$gte": first, "$lt": first, "$lte": last, "$gt": last}.items():
        assert selector_json({"received_at": {operator: day}}) == {"received_at": {operator: bound}}


def test_relative_times_are_read_where_a_time_is_an_argument_and_sent_where_it_is_in_a_selector():
    assert abs(parse_instant(instant_text("-1h", "start_time")) + 3_600_000_000 - now_us()) < 60_000_000
    selector = {"event_timestamp": {"$gte": "-1h"}}
    assert selector_json(selector) == selector


def test_a_length_of_time_is_no_time():
    with pytest.raises(ValueError, match=r"event_timestamp \$gte: 1:00:00 is a length.*'-1h'"):
        selector_json({"event_timestamp": {"$gte": timedelta(hours=1)}})
    assert selector_json({"event_data.a": timedelta(hours=1)}) == {"event_data.a": 3600.0}
