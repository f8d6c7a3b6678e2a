"""Events as documents of MongoDB, and documents of others as events."""

from __future__ import annotations

import json
import math
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import bson
import pytest
from bson import Binary, Decimal128, ObjectId
from bson.code import Code
from bson.codec_options import CodecOptions
from bson.datetime_ms import DatetimeMS
from hypothesis import given
from hypothesis import strategies as st

from madsci.common.clock import FIRST_US, LAST_US, iso, parse_instant
from madsci.common.errors import InvalidEventError
from madsci.event_manager.model.stored_event import StoredEvent, encode_event, encode_json
from madsci.event_manager.stores.mongo.codec import (
    MAX_DOCUMENT,
    OPTIONS,
    reduced,
    to_bson,
    to_document,
    to_event,
)
from madsci.event_manager.stores.mongo.foreign import foreign_event, json_value
from support.drivers import driver_has
from support.questions import events

AWARE = CodecOptions(tz_aware=True)
CHICAGO = ZoneInfo("America/Chicago")


def event(data="{}", **members) -> StoredEvent:
    plain = {
        "event_id": "e", "event_type": "log", "log_level": 20, "alert": False, "event_timestamp": 0,
        "received_at": 1, "source": {},
    }  # fmt: skip
    return StoredEvent(**{**plain, **members, "event_data": data})


def stored(document: bytes) -> dict:
    """The document as the driver gives it back."""
    return bson.decode(document, AWARE)


@given(events)
def test_an_event_comes_back_as_it_was(one):
    assert to_event(stored(to_bson(one))) == one
    assert to_event(stored(to_bson(one, decimals=False))) == one
    assert to_event(stored(reduced(one))) == one


json_texts = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)  # fmt: skip


@given(json_texts, st.dictionaries(st.text(), json_texts, max_size=3))
def test_any_json_comes_back_as_it_was(value, members):
    one = event(encode_json(value), source=members, extra=members or None)
    assert to_event(stored(to_bson(one))) == one


def test_times_are_text_of_fixed_width_that_keeps_the_microseconds():
    document = stored(to_bson(event(event_timestamp=1_767_225_600_123_456, archived_at=-1)))
    assert document["event_timestamp"] == "2026-01-01T00:00:00.123456Z"
    assert document["archived_at"] == "1969-12-31T23:59:59.999999Z"


def test_an_ordinary_document_holds_the_members_and_nothing_else():
    document = stored(to_bson(event('{"message":"x","n":1}')))
    assert list(document) == [
        "_id", "event_type", "log_level", "alert", "event_timestamp", "received_at", "source",
        "event_data", "trace_id", "span_id", "archived", "archived_at",
    ]  # fmt: skip
    assert document["event_data"] == {"message": "x", "n": 1}


@pytest.mark.parametrize(
    ("data", "near"),
    [
        ('{"n":18446744073709551616}', {"n": Decimal128("18446744073709551616")}),
        ('{"$gt":1}', {"\N{FULLWIDTH DOLLAR SIGN}gt": 1}),
        ('{"a\\u0000b":1}', {"a\N{SYMBOL FOR NULL}b": 1}),
        ('{"_id":1,"b":2}', {"_id": 1, "b": 2}),
        ("-0.0", -0.0),
    ],
)
def test_what_bson_or_a_server_changes_is_kept_as_text_beside_what_is_nearest(data, near):
    document = stored(to_bson(event(data)))
    assert document["event_data"] == near
    assert data in document["exact"]
    assert to_event(document).event_data == data


def test_servers_without_decimals_get_doubles():
    document = stored(to_bson(event(f"[18446744073709551616,-{10**400}]"), decimals=False))
    assert document["event_data"] == [2.0**64, -1.7976931348623157e308]


def test_data_that_are_small_as_json_and_huge_as_bson_are_kept():
    one = event(encode_json({"message": "frame", "pixels": [1] * 4_000_000}))
    document = to_bson(one)
    assert len(document) < MAX_DOCUMENT
    assert stored(document)["event_data"] == {"message": "frame"}
    assert to_event(stored(document)) == one


def test_marks_that_were_set_later_go_before_the_text_of_the_event():
    document = stored(to_bson(event('{"$x":1}')))
    document |= {"alert": True, "archived": True, "archived_at": iso(5)}
    kept = to_event(document)
    assert (kept.alert, kept.archived, kept.archived_at, kept.event_data) == (True, True, 5, '{"$x":1}')


class TestDocumentsOfOthers:
    def test_old_events_that_end_after_their_data(self):
        old = {
            "_id": "01JJ", "event_type": "experiment_stop", "log_level": 30, "alert": False,
            "event_timestamp": "2025-03-01T12:00:00.5", "source": {"node_id": "n", "user_id": None},
            "event_data": "raw text",
        }  # fmt: skip
        read = to_event(old, CHICAGO)
        moment = parse_instant("2025-03-01T18:00:00.5Z")
        assert read == event(
            '"raw text"', event_id="01JJ", event_type="experiment_cancelled", log_level=30,
            event_timestamp=moment, received_at=moment, source={"node_id": "n"},
        )  # fmt: skip

    def test_an_object_id_becomes_text_and_tells_when_the_event_came(self):
        object_id = ObjectId("65f000000000000000000001")
        read = to_event({"_id": object_id, "event_timestamp": "2025-01-01T00:00:00Z"})
        assert read.event_id == "65f000000000000000000001"
        assert read.received_at == int(object_id.generation_time.timestamp()) * 1_000_000
        assert to_event({"_id": object_id}).event_timestamp == read.received_at

    @pytest.mark.parametrize(
        "archived_at",
        [
            datetime(2025, 6, 1, 12, tzinfo=timezone.utc),
            "2025-06-01T12:00:00Z",
            "2025-06-01T06:00:00-06:00",
        ],
    )
    def test_when_it_was_archived_is_a_date_or_a_text(self, archived_at):
        read = to_event({"_id": "a", "archived": True, "archived_at": archived_at})
        assert (read.archived, read.archived_at) == (True, parse_instant("2025-06-01T12:00:00Z"))

    def test_members_that_events_do_not_have_are_kept(self):
        assert to_event({"_id": "a", "operator": {"n": 1}}).extra == {"operator": {"n": 1}}
        own = stored(to_bson(event())) | {"comment": "by hand"}
        assert to_event(own).extra == {"comment": "by hand"}

    def test_what_cannot_be_read_is_kept(self):
        read = to_event({"_id": "a", "event_type": "unheard_of", "event_timestamp": "yesterday"})
        assert read.event_type == "unknown"
        assert read.extra == {"event_type": "unheard_of", "event_timestamp": "yesterday"}

    def test_an_event_without_any_time_is_of_1970(self):
        assert to_event({"_id": "a"}).event_timestamp == 0

    def test_an_id_that_cannot_be_a_key_is_refused(self):
        with pytest.raises(InvalidEventError, match="characters"):
            foreign_event({"_id": "x" * 300})


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (ObjectId("65f000000000000000000001"), "65f000000000000000000001"),
        (datetime(2025, 1, 1, tzinfo=timezone(timedelta(hours=1))), "2024-12-31T23:00:00.000000Z"),
        (datetime(2025, 1, 1), "2025-01-01T00:00:00.000000Z"),  # noqa: DTZ001 - as drivers may give it
        (Decimal128("12"), 12),
        (Decimal128("0.5"), 0.5),
        (Decimal128("0.1000000000000000000001"), "0.1000000000000000000001"),
        (Decimal128("NaN"), "NaN"),
        (Binary(b"\x00\xff"), "AP8="),
        (float("nan"), "NaN"),
        (float("-inf"), "-Infinity"),
        (bson.Timestamp(0, 1), {"$timestamp": {"t": 0, "i": 1}}),
        (bson.Regex("^a"), "^a"),
        (bson.Regex("^a", "xi"), {"$regularExpression": {"pattern": "^a", "options": "ix"}}),
        (Code("f()"), "f()"),
        (Code("f()", {"n": bson.Int64(1)}), {"$code": "f()", "$scope": {"n": 1}}),
        (Binary(b"\x00\xff", 5), {"$binary": {"base64": "AP8=", "subType": "05"}}),
        (Binary(bytes(16), 4), "00000000-0000-0000-0000-000000000000"),
        (Binary(bytes(3), 4), {"$binary": {"base64": "AAAA", "subType": "04"}}),
        (bson.MinKey(), {"$minKey": 1}),
        (bson.MaxKey(), {"$maxKey": 1}),
        (DatetimeMS(2**62), f"{2**62} ms since 1970"),
        (Decimal128("1E+6144"), "1.000000000000000000000000000000000E+6144"),
        (bson.DBRef("c", 1), {"$ref": "c", "$id": 1}),
        (bson.Int64(5), 5),
        ({"a": [bson.Int64(2**40), None, True]}, {"a": [2**40, None, True]}),
    ],
)  # fmt: skip
def test_every_type_of_bson_has_a_form_in_json(value, expected):
    assert json_value(value) == expected
    encode_json(json_value(value))


EVERY_TYPE = {
    "code": Code("f()"),
    "code with scope": Code("f()", {"a": Code("g()", {})}),
    "reference": bson.DBRef("c", Code("x"), "db", more=bson.Regex("a", "i")),
    "pattern": bson.Regex("^a", "imsx"),
    "timestamp": bson.Timestamp(1748779200, 3),
    "least": bson.MinKey(),
    "greatest": bson.MaxKey(),
    **{f"decimal {text}": Decimal128(text) for text in ("1.5", "-0", "NaN", "sNaN", "-Infinity")},
    **{f"decimal {text}": Decimal128(text) for text in ("1E+6144", "1E-6176", "0E+6000")},
    **{f"number {number}": number for number in (math.nan, math.inf, -math.inf, -0.0, bson.Int64(7))},
    "object id": ObjectId("65f000000000000000000001"),
    "date": datetime(2025, 1, 1, tzinfo=timezone.utc),
    **{f"date {ms}": DatetimeMS(ms) for ms in (2**63 - 1, -(2**63), 253402300799999, 253402300800000)},
    **{f"binary {n}": Binary(bytes(16), n) for n in (0, 1, 3, 4, 5, 6, 7, 8, 9, 128, 255)},
    "short UUID": Binary(b"abc", 4),
    "old binary": Binary(b"abc", 2),
    "nothing": None,
}


def bare(kind: bytes, content: bytes) -> object:
    """The value of a type that drivers do not write any more."""
    element = kind + b"v\0" + content
    return bson.decode((len(element) + 5).to_bytes(4, "little") + element + b"\0", OPTIONS)["v"]


EVERY_TYPE |= {
    "undefined": bare(b"\x06", b""),
    "symbol": bare(b"\x0e", b"\x04\0\0\0sym\0"),
    "pointer": bare(b"\x0c", b"\x04\0\0\0a.b\0" + bytes(12)),
    "not UTF-8": bare(b"\x02", b"\x03\0\0\0\xff\xfe\0"),
}
EVERY_TYPE = {kind: value for kind, value in EVERY_TYPE.items() if driver_has(value)}
OLD = {"_id": "a", "event_type": "log", "event_timestamp": "0001-01-01T00:00:00", "event_data": {}}
OURS = to_document(to_event(OLD))


@pytest.mark.parametrize("document", [OLD, OURS], ids=["old", "ours"])
@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/Chicago"])
@pytest.mark.parametrize("kind", EVERY_TYPE)
def test_a_value_of_any_type_may_stand_anywhere_and_is_read_alike_ever_after(document, zone, kind):
    value = EVERY_TYPE[kind]
    members = [*OURS, "event_id", "extra", "exact", "anything"]
    places = [{name: value} for name in members] + [
        {name: {"node_id": value, "list": [value, {"deep": value}]}}
        for name in ("source", "event_data", "extra", "anything")
    ]
    for place in places:
        stored = bson.encode({**document, **place})
        event = to_event(bson.decode(stored, OPTIONS), ZoneInfo(zone))
        assert to_event(bson.decode(to_bson(event), OPTIONS)) == event, place
        assert json.loads(encode_event(event))["_id"] == event.event_id


@pytest.mark.parametrize("kind", [kind for kind in EVERY_TYPE if kind != "date"])
def test_data_mean_the_same_in_old_documents_and_in_ours(kind):
    """Dates do, too, but those in ours say no fractions where they have none."""
    data = {"event_data": {"value": EVERY_TYPE[kind]}}
    old, ours = (bson.decode(bson.encode({**one, **data}), OPTIONS) for one in (OLD, OURS))
    assert to_event(old).event_data == to_event(ours).event_data


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00", "9999-12-31T23:59:59.999999"])
@pytest.mark.parametrize("offset", ["", "+14:00", "-12:00", "Z"])
@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago"])
def test_the_first_and_last_instants_are_kept_in_every_zone(text, offset, zone):
    for document in (OLD, OURS):
        event = to_event({**document, "event_timestamp": text + offset}, ZoneInfo(zone))
        assert FIRST_US <= event.event_timestamp <= LAST_US
        assert to_event(bson.decode(to_bson(event), OPTIONS)) == event
        assert event.extra is None


@pytest.mark.parametrize(
    ("sender", "kept", "extra"),
    [
        ({"name": "arm", "process": 7}, '{"name":"arm","process":7}', None),
        ({"process": 7, "name": "arm"}, '{"name":"arm","process":7}', None),
        ("arm", '{"name":"arm"}', None),
        ({"name": "arm", "thread": 1}, '{"name":"arm"}', {"sender": {"thread": 1}}),
        ({"process": 7.0}, None, {"sender": {"process": 7.0}}),
        (None, None, None),
        ({}, None, None),
    ],
)
def test_a_sender_that_others_wrote_into_a_document_is_read_as_far_as_it_can_be(sender, kept, extra):
    found = to_event({**to_document(event()), "sender": sender})
    assert (found.sender, found.extra) == (kept, extra)


def test_a_document_of_an_event_whose_sender_is_not_known_is_as_it_was_before_there_were_senders():
    assert "sender" not in to_document(event())
