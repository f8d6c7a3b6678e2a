"""One event's JSON: the fast path and the patient one keep the same, within the same bounds."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from madsci.common.clock import from_us, iso, parse_instant
from madsci.common.errors import (
    InvalidEventError,
    InvalidInputError,
    MalformedJsonError,
    TooLargeError,
)
from madsci.common.types.event_type import EventType
from madsci.common.types.ownership_ids import OWNERSHIP_IDS
from madsci.event_manager.ingest.intake import Accepted, Intake
from madsci.event_manager.model.json_reading import MAX_DEPTH
from madsci.event_manager.model.stored_event import StoredEvent, decode_json, encode_event

NOW = 1_795_449_327_002_393
OWN = {"manager_id": "this one"}
NEW_YORK = ZoneInfo("America/New_York")
TOKYO = ZoneInfo("Asia/Tokyo")
LIFECYCLE = sorted(kind.value for kind in EventType if not kind.is_log)
LOGS = sorted(kind.value for kind in EventType if kind.is_log)


def intake(**settings: Any) -> Intake:
    return Intake(OWN, clock=lambda: NOW, **settings)


def as_text(document: Any) -> bytes:
    return json.dumps(document).encode()


def read_on_both_paths(reader: Intake, document: dict[str, Any]) -> StoredEvent:
    """The event, which has to be the same from text and from a decoded document."""
    from_text = reader.read(as_text(document)).event
    from_document = reader.read_document(json.loads(as_text(document)), []).event
    if not (document.get("_id") or document.get("event_id")):
        from_document = msgspec.structs.replace(from_document, event_id=from_text.event_id)
    assert from_text == from_document
    return from_text


def nested(levels: int) -> Any:
    value: Any = 1
    for level in range(levels):
        value = [value] if level % 2 else {"a": value}
    return value


# -- Both paths ------------------------------------------------------------------------------------

# A NUL in a name is kept as a visible escape, and said.
names = st.text(st.characters(codec="utf-8", exclude_characters="\0"))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text()
    | st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from(LIFECYCLE),
    lambda inner: st.lists(inner) | st.dictionaries(names | st.just("event_type"), inner),
    max_leaves=8,
)  # fmt: skip
moments = st.datetimes() | st.sampled_from([datetime.min, datetime.max])  # noqa: DTZ901 - zones follow
offsets = st.sampled_from(["", "Z", "z", "+00:00", "-00:00", "+05:30", "-12:00", "+23:59", "-23:59"])
decimals = st.just("") | st.text("0123456789", min_size=1, max_size=12).map(lambda text: "." + text)
time_texts = st.builds(
    lambda moment, between, fraction, offset: (
        moment.replace(microsecond=0).isoformat(between) + fraction + offset
    ),
    moments, st.sampled_from("Tt "), decimals, offsets,
)  # fmt: skip
ids = st.none() | st.text(max_size=30)
well_formed = st.fixed_dictionaries(
    {},
    optional={
        "_id": ids,
        "event_id": ids,
        "event_type": st.sampled_from(LOGS) | st.sampled_from(LIFECYCLE),
        "log_level": st.sampled_from([0, 10, 20, 30, 40, 50]),
        "alert": st.booleans(),
        "event_timestamp": st.none() | time_texts,
        "source": st.none()
        | st.dictionaries(names | st.sampled_from(OWNERSHIP_IDS), st.none() | st.text()),
        "event_data": json_values,
        "trace_id": ids,
        "span_id": ids,
        "archived": st.booleans(),
        "archived_at": st.none() | time_texts,
        "received_at": st.none()
        | st.sampled_from(["2026-11-23T15:55:27.002393Z", "2020-01-01T00:00:00"]),
    },
)


@given(well_formed, st.sampled_from([NEW_YORK, TOKYO]), st.booleans(), st.booleans())
def test_a_well_formed_event_is_the_same_on_both_paths(document, zone, promote, ascii_only):
    reader = intake(naive_zone=zone, promote_event_type=promote)
    text = json.dumps(document, ensure_ascii=ascii_only).encode()
    accepted = reader.read(text)
    event, repairs = accepted.event, accepted.repairs
    patient = reader.read_document(json.loads(text), [])
    if not (document.get("_id") or document.get("event_id")):
        assert len(event.event_id) == 26
        patient = Accepted(msgspec.structs.replace(patient.event, event_id=event.event_id))
    assert event == patient.event
    assert bool(repairs) == bool(event.extra)
    assert event.received_at == NOW
    shown = json.loads(encode_event(event))
    assert shown["event_data"] == document.get("event_data", {})
    assert parse_instant(shown["event_timestamp"]) == event.event_timestamp


@given(st.binary(max_size=40) | well_formed.map(as_text).map(lambda text: text[:-1] + b"\xff}"))
def test_whatever_bytes_come_are_an_event_or_an_error_of_ours(data):
    try:
        event = intake().read(data).event
    except InvalidInputError:
        return
    assert json.loads(encode_event(event))["_id"] == event.event_id


# -- Times -----------------------------------------------------------------------------------------

ENDS = [
    "0001-01-01T00:00:00Z",
    "0001-01-01T00:00:00-05:00",
    "0001-01-01T00:00:00+05:00",
    "0001-01-01T00:00:00+23:59",
    "0001-01-01T00:00:00",
    "9999-12-31T23:59:59.999999Z",
    "9999-12-31T23:59:59.999999+05:00",
    "9999-12-31T23:59:59.999999-05:00",
    "9999-12-31T23:59:59-23:59",
    "9999-12-31T23:59:59.9999999Z",
    "9999-12-31T23:59:60Z",
    "9999-12-31T23:59:59.999999",
    "0000-01-01T00:00:00Z",
]


@pytest.mark.parametrize("text", ENDS)
@pytest.mark.parametrize("name", ["event_timestamp", "archived_at"])
@pytest.mark.parametrize("hours", [-14, 0, 14])
def test_times_at_the_ends_of_the_years_are_kept_readable(text, name, hours):
    zone = timezone(timedelta(hours=hours))
    event = read_on_both_paths(intake(naive_zone=zone), {"_id": "1", name: text})
    shown = json.loads(encode_event(event))
    try:
        moment = parse_instant(text, zone)
    except ValueError:
        assert event.extra == {name: text}
        assert shown["event_timestamp"] == iso(NOW)
        assert shown["archived_at"] is None
    else:
        assert event.extra is None
        assert shown[name] == iso(moment)
        assert from_us(parse_instant(shown[name])).year in (1, 9999)


@pytest.mark.parametrize(
    ("zone", "kept"),
    [
        (NEW_YORK, "2026-07-01T16:00:00.000000Z"),
        (TOKYO, "2026-07-01T03:00:00.000000Z"),
        (timezone.utc, "2026-07-01T12:00:00.000000Z"),
    ],
)
def test_a_time_without_offset_is_in_the_given_zone(zone, kept):
    reader = intake(naive_zone=zone)
    document = {"event_timestamp": "2026-07-01T12:00:00", "archived_at": "2026-07-01T12:00:00"}
    event = read_on_both_paths(reader, document)
    assert iso(event.event_timestamp) == kept
    assert event.archived_at == event.event_timestamp


def test_an_event_without_a_time_has_that_of_its_arrival():
    for document in ({}, {"event_timestamp": None}):
        assert read_on_both_paths(intake(), document).event_timestamp == NOW


@pytest.mark.parametrize("sent", ["2001-01-01T00:00:00Z", "2001-01-01T00:00:00", None, 978307200])
def test_the_time_of_arrival_is_that_of_the_server_whatever_the_sender_says(sent):
    event = read_on_both_paths(intake(), {"received_at": sent})
    assert event.received_at == event.event_timestamp == NOW
    assert event.extra is None


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+05:00", "9999-12-31T23:59:59-05:00"])
def test_a_time_of_arrival_beyond_the_years_is_the_same_on_both_paths(text):
    assert read_on_both_paths(intake(), {"received_at": text}).received_at == NOW


# -- Types -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", LOGS)
@pytest.mark.parametrize("buried", ["workflow_start", "WORKFLOW_START", "EventType.WORKFLOW_START"])
def test_a_type_buried_in_the_data_of_a_log_event_is_lifted(kind, buried):
    document = {"event_type": kind, "event_data": {"event_type": buried, "n": 1}}
    event = read_on_both_paths(intake(), document)
    assert event.event_type == "workflow_start"
    assert decode_json(event.event_data) == document["event_data"]


@pytest.mark.parametrize("kind", LOGS)
def test_a_buried_type_stays_buried_where_promotion_is_off(kind):
    document = {"event_type": kind, "event_data": {"event_type": "workflow_start"}}
    assert read_on_both_paths(intake(promote_event_type=False), document).event_type == kind


@pytest.mark.parametrize("kind", LIFECYCLE)
def test_a_type_of_the_life_of_the_lab_is_never_replaced_by_a_buried_one(kind):
    document = {"event_type": kind, "event_data": {"event_type": "log_error"}}
    assert read_on_both_paths(intake(), document).event_type == kind


@pytest.mark.parametrize(
    "data",
    [
        {"event_type": "no such type"}, {"event_type": 5}, {"event_type": None},
        {"deeper": {"event_type": "lab_start"}}, ["event_type", "lab_start"], "event_type",
        {"text": '"event_type":"lab_start"'},
    ],
)  # fmt: skip
def test_only_a_known_type_at_the_top_of_the_data_is_lifted(data):
    event = read_on_both_paths(intake(), {"event_type": "log", "event_data": data})
    assert event.event_type == "log"


# -- Source ----------------------------------------------------------------------------------------


def test_an_event_that_names_no_source_has_that_of_the_server():
    assert read_on_both_paths(intake(), {}).source == OWN


@pytest.mark.parametrize("source", [None, {}, {"node_id": None}])
def test_an_event_that_says_it_has_no_source_has_none(source):
    assert read_on_both_paths(intake(), {"source": source}).source == {}


def test_a_source_keeps_unknown_members_and_drops_nulls():
    event = read_on_both_paths(intake(), {"source": {"node_id": "n", "lab_id": None, "bench": "3"}})
    assert event.source == {"node_id": "n", "bench": "3"}


# -- Repairs ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("member", "value", "kept"),
    [
        ("event_type", "odd", "unknown"),
        ("event_type", 7, "unknown"),
        ("log_level", 25, 20),
        ("log_level", "loud", 20),
        ("alert", "perhaps", True),
        ("archived", "perhaps", False),
        ("event_timestamp", "yesterday", iso(NOW)),
        ("archived_at", [1], None),
        ("source", "node 7", {}),
    ],
)
def test_what_cannot_be_read_gets_its_default_and_is_kept_and_told(member, value, kept):
    accepted = intake().read(as_text({"_id": "1", member: value}))
    event, repairs = accepted.event, accepted.repairs
    assert event.extra == {member: value}
    assert len(repairs) == 1
    assert member in repairs[0]
    assert json.loads(encode_event(event))[member] == kept


@pytest.mark.parametrize(
    ("member", "value", "kept"),
    [
        ("event_type", "LOG_INFO", "log_info"),
        ("event_type", "experiment_stop", "experiment_cancelled"),
        ("log_level", "warn", 30),
        ("log_level", 30.0, 30),
        ("alert", "yes", True),
        ("event_timestamp", 0, "1970-01-01T00:00:00.000000Z"),
        ("event_timestamp", {"$date": "1970-01-01T00:00:00Z"}, "1970-01-01T00:00:00.000000Z"),
        ("trace_id", 12, "12"),
    ],
)
def test_other_spellings_are_read_without_a_word(member, value, kept):
    accepted = intake().read(as_text({"_id": "1", member: value}))
    event, repairs = accepted.event, accepted.repairs
    assert (list(repairs), event.extra) == ([], None)
    assert json.loads(encode_event(event))[member] == kept


def test_members_that_events_do_not_have_go_to_extra_without_a_word():
    accepted = intake().read(b'{"_id": "1", "note": [1], "extra": {"given": 2}}')
    event, repairs = accepted.event, accepted.repairs
    assert event.extra == {"note": [1], "given": 2}
    assert list(repairs) == []


@pytest.mark.parametrize(
    ("data", "kept", "words"),
    [
        (
            b'{"event_data": [NaN, Infinity, -Infinity]}',
            ["NaN", "Infinity", "-Infinity"],
            "JSON has no",
        ),
        (b'{"event_data": "\\ud800"}', "\\ud800", "surrogate"),
        (b'{"event_data": "caf\xe9"}', "café", "Latin-1"),
        (b'{"event_data": 1e999}', "Infinity", "JSON has no"),
    ],
)
def test_damage_of_the_text_is_repaired_and_told(data, kept, words):
    accepted = intake().read(data)
    event, repairs = accepted.event, accepted.repairs
    assert decode_json(event.event_data) == kept
    assert any(words in sentence for sentence in repairs)


def test_half_a_surrogate_in_the_id_becomes_visible():
    assert intake().read(b'{"_id": "a\\udfff"}').event.event_id == "a\\udfff"


@pytest.mark.parametrize("data", [b"", b"{", b"nothing", b'{"a": 1} x', b"{'a': 1}", b"\xff\xfe"])
def test_what_is_not_json_is_refused(data):
    with pytest.raises(MalformedJsonError, match="not JSON"):
        intake().read(data)


@pytest.mark.parametrize("data", [b"1", b'"text"', b"null", b"true", b"[]", b"[{}]"])
def test_json_that_is_no_object_is_refused(data):
    with pytest.raises(InvalidEventError):
        intake().read(data)


# -- Ids -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("document", "kept"),
    [
        ({"_id": "a"}, "a"),
        ({"event_id": "b"}, "b"),
        ({"_id": "a", "event_id": "b"}, "a"),
        ({"_id": "", "event_id": "b"}, "b"),
        ({"_id": None, "event_id": "b"}, "b"),
        ({"_id": "ß" * 255}, "ß" * 255),
        ({"_id": 17}, "17"),
        ({"_id": 1.5}, "1.5"),
        ({"_id": 0}, "0"),
        ({"_id": {"$oid": "65a"}}, "65a"),
        ({"event_id": {"$oid": "65a"}}, "65a"),
        ({"_id": {"n": 1}}, '{"n": 1}'),
        ({"_id": "{\\\"'\0 \n"}, "{\\\"'\0 \n"),
    ],
)
def test_an_id_becomes_text_that_is_kept_exactly(document, kept):
    assert read_on_both_paths(intake(), document).event_id == kept


@pytest.mark.parametrize(
    "document", [{}, {"_id": ""}, {"event_id": ""}, {"_id": None}, {"_id": {"$oid": ""}}]
)
def test_an_event_without_id_gets_one_of_its_own(document):
    ids = {intake().read(as_text(document)).event.event_id for _ in range(3)}
    assert {len(event_id) for event_id in ids} == {26}
    assert len(ids) == 3


@pytest.mark.parametrize("name", ["_id", "event_id"])
@pytest.mark.parametrize("value", ["x" * 256, {"$oid": "x" * 256}, int("9" * 256), ["x" * 252]])
def test_an_id_of_256_characters_is_refused_on_both_paths(name, value):
    with pytest.raises(InvalidEventError, match="256 characters"):
        intake().read(as_text({name: value}))
    with pytest.raises(InvalidEventError, match="256 characters"):
        intake().read_document({name: value}, [])


# -- Bounds ----------------------------------------------------------------------------------------


def test_an_event_of_exactly_the_bound_is_kept_and_one_byte_more_is_refused():
    data = as_text({"event_data": "x" * 50})
    assert intake(max_event_bytes=len(data)).read(data)
    with pytest.raises(TooLargeError, match="reference"):
        intake(max_event_bytes=len(data) - 1).read(data)


@pytest.mark.parametrize("extra", [{}, {"note": 1}], ids=["fast", "patient"])
def test_the_size_is_bounded_on_both_ways_of_reading_text(extra):
    with pytest.raises(TooLargeError):
        intake(max_event_bytes=100).read(as_text({"event_data": "x" * 100, **extra}))


@pytest.mark.parametrize(
    "document",
    [
        {"event_data": "x" * 100},
        {"event_data": "é" * 60},
        {"note": "x" * 100},
        {"source": {"node_id": "x" * 100}},
        {"trace_id": "x" * 100},
    ],
    ids=["data", "data in bytes", "unknown member", "source", "trace"],
)
def test_the_size_of_a_decoded_event_is_bounded_too(document):
    with pytest.raises(TooLargeError):
        intake(max_event_bytes=100).read_document(document, [])


@pytest.mark.parametrize("data", [nested(96), [nested(95)], [[]] * 500])
def test_96_levels_of_data_are_kept_on_both_paths(data):
    assert decode_json(intake().read(as_text({"event_data": data})).event.event_data) == data
    patient = intake().read(as_text({"event_data": data, "note": 1})).event
    assert decode_json(patient.event_data) == data


@pytest.mark.parametrize("levels", [97, 98, 500, 50_000])
@pytest.mark.parametrize("more", [b"", b', "note": 1', b', "alert": NaN'], ids=["fast", "note", "NaN"])
def test_more_than_96_levels_of_data_are_refused_on_both_paths(levels, more):
    text = b'{"event_data": ' + b"[" * levels + b"]" * levels + more + b"}"
    with pytest.raises(InvalidInputError, match="nested"):
        intake().read(text)


def test_many_brackets_in_a_text_are_no_depth():
    text = "[{" * 300
    assert decode_json(intake().read(as_text({"event_data": text})).event.event_data) == text


# -- Lines -----------------------------------------------------------------------------------------


@given(st.lists(well_formed, max_size=4))
def test_well_formed_lines_are_read_together_as_they_are_one_by_one(documents):
    reader = intake(naive_zone=TOKYO)
    lines = [as_text({**document, "_id": str(n)}) for n, document in enumerate(documents)]
    together = reader.read_lines(b"\n".join(lines))
    one_by_one = [reader.read(line) for line in lines]
    if any(accepted.repairs for accepted in one_by_one):
        assert together is None
    else:
        assert together in (None, [accepted.event for accepted in one_by_one])


def test_lines_that_need_patience_or_are_long_are_not_read_together():
    assert intake().read_lines(b"{}\n{}") is not None
    for body in (b"{}\n{", b'{}\n{"note": 1}', b'{"event_type": "odd"}', b'{"event_data": "\xff"}'):
        assert intake().read_lines(body) is None
    assert intake(max_event_bytes=4).read_lines(b"{}\n{}") is None


@pytest.mark.parametrize("levels", [MAX_DEPTH - 1, MAX_DEPTH])
def test_a_log_line_may_be_nested_as_deeply_as_data(levels):
    line = b'{"message": "m", "x": ' + b"[" * levels + b"]" * levels + b"}"
    if levels < MAX_DEPTH:
        assert intake().read(line).event.event_type == "log"
    else:
        with pytest.raises(InvalidInputError, match="nested more than"):
            intake().read(line)


def test_a_log_line_in_extended_json_is_read_as_what_it_says():
    line = {"_id": {"$oid": "65f0c0ffee65f0c0ffee65f0"}, "msg": "m", "n": {"$numberLong": "7"}}
    event = intake().read(as_text(line)).event
    assert (event.event_id, event.event_data) == (
        "65f0c0ffee65f0c0ffee65f0", '{"message":"m","n":7}',
    )  # fmt: skip


SENDER = {"name": "arm", "host": "robot-3", "process": 4711}


class TestSender:
    def test_it_is_kept_in_one_form_on_both_paths_and_shown_as_it_was_sent(self):
        event = read_on_both_paths(intake(), {"sender": dict(reversed(SENDER.items()))})
        assert event.sender == '{"name":"arm","host":"robot-3","process":4711}'
        assert json.loads(encode_event(event))["sender"] == SENDER

    @pytest.mark.parametrize("nobody", [None, {}, {"name": None}, {"name": ""}, ""])
    def test_where_nothing_is_known_there_is_none(self, nobody):
        event = read_on_both_paths(intake(), {"sender": nobody})
        assert event.sender is event.extra is None
        assert "sender" not in json.loads(encode_event(event))

    @pytest.mark.parametrize(
        "odd", [{"name": "x" * 10_000}, {"process": 2**40}, {"thread": "main"}, {"host": 5}, [], 7]
    )
    def test_what_it_cannot_hold_is_kept_in_extra_and_told(self, odd):
        accepted = intake().read(as_text({"sender": odd}))
        assert accepted.event.sender is None
        assert accepted.event.extra == {"sender": odd}
        assert len(accepted.repairs) == 1

    def test_events_of_one_program_share_one_text(self):
        body = as_text({"sender": SENDER})
        assert intake().read(body).event.sender is intake().read(body).event.sender
