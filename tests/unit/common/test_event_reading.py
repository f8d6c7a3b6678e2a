"""Reading an event however badly it was written: nothing is lost, and every repair is told."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from madsci.common.clock import parse_instant
from madsci.common.errors import InvalidEventError
from madsci.common.ids import is_ulid
from madsci.common.types.event_reading import MAX_ID_LENGTH, checked_event_id, read_event

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
MEMBERS = [
    "event_type", "log_level", "alert", "event_timestamp", "source", "event_data", "trace_id",
    "span_id", "archived", "archived_at", "received_at",
]  # fmt: skip


@given(st.dictionaries(st.sampled_from(["_id", "event_id", "extra", "colour", *MEMBERS]), anything))
def test_any_object_is_read_and_everything_odd_is_told(document):
    reading = read_event(document)
    assert 0 < len(reading.event_id) <= MAX_ID_LENGTH
    assert all(name in " ".join(reading.repairs) for name in reading.extra if name in MEMBERS[:5])
    assert all(sentence.endswith(".") or "extra." in sentence for sentence in reading.repairs)
    if "colour" in document:
        assert reading.extra["colour"] == document["colour"]


def test_an_empty_object_is_an_event_with_a_new_id():
    reading = read_event({})
    assert is_ulid(reading.event_id)
    assert (reading.event_type, reading.log_level, reading.alert) == ("unknown", 20, False)
    assert (reading.event_timestamp, reading.source, reading.event_data) == (None, None, {})
    assert (reading.extra, reading.repairs) == ({}, [])


@pytest.mark.parametrize("value", [None, [], "text", 5, 5.5, True, b"x"])
def test_what_is_no_object_is_refused_by_its_kind(value):
    with pytest.raises(InvalidEventError, match="An event is a JSON object, this is"):
        read_event(value)


@pytest.mark.parametrize(
    ("document", "event_id"),
    [
        ({"_id": "a"}, "a"),
        ({"event_id": "a"}, "a"),
        ({"_id": "a", "event_id": "b"}, "a"),
        ({"_id": None, "event_id": "b"}, "b"),
        ({"_id": "", "event_id": "b"}, "b"),
        ({"_id": 5}, "5"),
        ({"_id": True}, "true"),
        ({"_id": {"$oid": "65f0c0ffee65f0c0ffee65f0"}}, "65f0c0ffee65f0c0ffee65f0"),
        ({"_id": {"a": 1}}, '{"a": 1}'),
    ],
)
def test_the_id_becomes_text(document, event_id):
    assert read_event(document).event_id == event_id


@pytest.mark.parametrize("document", [{"_id": ""}, {"_id": None}, {"event_id": ""}])
def test_no_id_becomes_a_new_one(document):
    assert is_ulid(read_event(document).event_id)


def test_an_id_that_cannot_be_a_key_is_refused_with_its_place():
    assert checked_event_id("x" * MAX_ID_LENGTH)
    with pytest.raises(InvalidEventError, match="256 characters") as caught:
        read_event({"event_id": "x" * 256})
    assert caught.value.errors[0]["loc"] == ["event_id"]


@pytest.mark.parametrize(
    ("level", "kept", "told"),
    [("warning", 30, False), ("20", 20, False), (25, 20, True), (-3, 0, True), (99, 50, True),
     ("loud", 20, True), (None, 20, False), ([], 20, True)],
)  # fmt: skip
def test_a_level_between_levels_falls_to_the_one_below(level, kept, told):
    reading = read_event({"log_level": level})
    assert reading.log_level == kept
    assert reading.extra == ({"log_level": level} if told else {})
    assert len(reading.repairs) == int(told)


@pytest.mark.parametrize(
    ("value", "kept"),
    [(True, True), (False, False), (None, False), (1, True), (0, False), ("yes", True), ("OFF", False),
     ("", False), ("False", False)],
)  # fmt: skip
@pytest.mark.parametrize("name", ["alert", "archived"])
def test_flags_are_read_from_the_usual_words(name, value, kept):
    reading = read_event({name: value})
    assert getattr(reading, name) is kept
    assert reading.repairs == []


def test_an_unreadable_alert_is_an_alert_and_an_unreadable_archived_is_not():
    """A false alarm costs less than a missed one; a hidden event more than a visible one."""
    reading = read_event({"alert": "perhaps", "archived": [1]})
    assert (reading.alert, reading.archived) == (True, False)
    assert reading.extra == {"alert": "perhaps", "archived": [1]}
    assert len(reading.repairs) == 2


@pytest.mark.parametrize("name", ["event_timestamp", "archived_at", "received_at"])
def test_times_are_read_in_every_form_also_that_of_mongodb(name):
    for value in ("2026-01-01T00:00:00Z", 1767225600, {"$date": "2026-01-01T00:00:00Z"}):
        reading = read_event({name: value})
        assert getattr(reading, name) == parse_instant("2026-01-01T00:00:00Z")
        assert reading.extra == {}
    unread = read_event({name: "yesterday"})
    assert getattr(unread, name) is None
    assert unread.extra == {name: "yesterday"}
    assert name in unread.repairs[0]


def test_times_without_offset_are_in_the_zone_that_is_given():
    reading = read_event({"event_timestamp": "2026-01-01T00:00:00"}, ZoneInfo("Asia/Tokyo"))
    assert reading.event_timestamp == parse_instant("2025-12-31T15:00:00Z")


def test_a_source_keeps_its_members_without_nulls_and_ids_as_text():
    reading = read_event({"source": {"node_id": 5, "user_id": None, "room": {"floor": None}}})
    assert reading.source == {"node_id": "5", "room": {"floor": None}}
    assert read_event({"source": {}}).source == {}


@pytest.mark.parametrize("value", ["node-1", 5, ["a"], True])
def test_a_source_that_is_no_object_is_kept_beside(value):
    reading = read_event({"source": value})
    assert reading.source == {}
    assert reading.extra == {"source": value}
    assert len(reading.repairs) == 1


def test_unknown_members_and_given_extra_are_kept_together():
    reading = read_event({"colour": "red", "extra": {"size": 1}})
    assert reading.extra == {"colour": "red", "size": 1}
    assert read_event({"extra": "odd"}).extra == {"extra": "odd"}
    assert reading.repairs == []


@pytest.mark.parametrize("value", [None, 0, "", [], {}, {"a": None}, False])
def test_event_data_is_kept_as_it_is(value):
    assert read_event({"event_data": value}).event_data == value


CANONICAL = {
    "_id": {"$oid": "65f0c0ffee65f0c0ffee65f0"},
    "log_level": {"$numberInt": "40"},
    "event_timestamp": {"$date": {"$numberLong": "1748779200123"}},
    "archived_at": {"$timestamp": {"t": 1748779200, "i": 3}},
    "event_data": {
        "number": {"$numberLong": "9007199254740993"},
        "decimal": {"$numberDecimal": "1.5"},
        "odd": [{"$numberDouble": "NaN"}, {"$numberDouble": "-Infinity"}, {"$numberDouble": "0.5"}],
        "far": {"$date": {"$numberLong": "999999999999999"}},
        "bytes": {"$binary": {"base64": "AAE=", "subType": "00"}},
        "id": {"$binary": {"base64": "ABEiM0RVZneImaq7zN3u/w==", "subType": "04"}},
        "md5": {"$binary": {"base64": "AAE=", "subType": "05"}},
        "pattern": {"$regularExpression": {"pattern": "^a", "options": ""}},
        "loud": {"$regularExpression": {"pattern": "^a", "options": "i"}},
        "code": {"$code": "f()"},
        "scoped": {"$code": "f()", "$scope": {"n": {"$numberInt": "1"}}},
        "least": {"$minKey": 1},
        "nothing": {"$undefined": True},
        "no wrapper": {"$numberInt": "many"},
    },
}


def test_a_line_of_bsondump_is_read_as_the_values_that_it_says():
    reading = read_event(CANONICAL)
    assert reading.event_id == "65f0c0ffee65f0c0ffee65f0"
    assert reading.log_level == 40
    assert reading.event_timestamp == 1748779200123000
    assert reading.archived_at == 1748779200000000
    assert reading.repairs == []
    assert reading.event_data == {
        "number": 9007199254740993,
        "decimal": 1.5,
        "odd": ["NaN", "-Infinity", 0.5],
        "far": "999999999999999 ms since 1970",
        "bytes": "AAE=",
        "id": "00112233-4455-6677-8899-aabbccddeeff",
        "md5": {"$binary": {"base64": "AAE=", "subType": "05"}},
        "pattern": "^a",
        "loud": {"$regularExpression": {"pattern": "^a", "options": "i"}},
        "code": "f()",
        "scoped": {"$code": "f()", "$scope": {"n": 1}},
        "least": {"$minKey": 1},
        "nothing": None,
        "no wrapper": {"$numberInt": "many"},
    }


def test_data_that_only_look_like_extended_json_are_left_alone():
    """Where the event's own members are plain JSON, so is the rest: a lab may log such names."""
    data = {"volume": {"$numberDouble": "12.5"}, "when": {"$date": "2026-01-01T00:00:00Z"}}
    assert read_event({"_id": "a", "log_level": 20, "event_data": data}).event_data == data
