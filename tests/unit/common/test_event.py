"""The event as programs write and read it."""

from __future__ import annotations

import json
import math
from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from madsci.common.clock import iso, parse_instant, to_us
from madsci.common.errors import InvalidEventError
from madsci.common.ids import is_ulid
from madsci.common.types.event import Event
from madsci.common.types.event_type import EventType
from madsci.common.types.log_level import EventLogLevel
from madsci.common.types.ownership import OwnershipInfo

ORDER = [
    "event_id", "event_type", "log_level", "alert", "event_timestamp", "source", "event_data",
    "trace_id", "span_id", "archived", "archived_at",
]  # fmt: skip
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)  # fmt: skip


def test_an_empty_event_has_the_defaults_of_the_contract():
    event = Event()
    assert is_ulid(event.event_id)
    assert event.event_type is EventType.UNKNOWN
    assert event.log_level is EventLogLevel.INFO
    assert event.event_timestamp.utcoffset().total_seconds() == 0
    assert event.source == OwnershipInfo()
    assert event.event_data == {}
    assert (event.alert, event.archived) == (False, False)
    assert (event.trace_id, event.span_id, event.archived_at, event.received_at) == (None,) * 4


def test_it_serialises_in_the_order_of_the_contract_with_plain_values():
    event = Event(log_level="warning", event_type="LOG_WARNING", source={"node_id": "n"})
    written = event.model_dump(mode="json")
    assert list(written)[: len(ORDER)] == ORDER
    assert (written["log_level"], written["event_type"]) == (30, "log_warning")
    assert written["source"] == {"node_id": "n"}
    assert written["event_timestamp"] == iso(to_us(event.event_timestamp))


def test_the_id_is_written_by_name_or_by_alias_and_read_from_either():
    event = Event(event_id="e1")
    assert event.model_dump()["event_id"] == "e1"
    assert event.model_dump(by_alias=True)["_id"] == "e1"
    assert Event.model_validate({"_id": "a"}).event_id == "a"
    assert Event.model_validate({"event_id": "a"}).event_id == "a"


def test_the_alias_wins_when_both_are_given():
    assert Event.model_validate({"_id": "a", "event_id": "b"}).event_id == "a"
    assert Event.model_validate({"event_id": "b", "_id": "a"}).event_id == "a"


def test_documents_of_old_releases_are_read():
    old = {
        "_id": "x", "event_type": "log", "log_level": 20, "alert": False,
        "event_timestamp": "2025-01-01T00:00:00", "source": {}, "event_data": "text",
    }  # fmt: skip
    assert Event.model_validate(old).event_data == "text"


def test_unknown_members_are_kept_in_extra():
    event = Event.model_validate({"colour": "red", "extra": {"size": 1}, "_id": "x"})
    assert event.extra == {"colour": "red", "size": 1}


def test_members_can_be_set_later_and_are_checked():
    event = Event(colour="red")
    event.alert = True
    event.log_level = "error"
    assert (event.alert, event.log_level, event.extra) == (True, EventLogLevel.ERROR, {"colour": "red"})
    with pytest.raises(ValidationError):
        event.log_level = "loud"


@pytest.mark.parametrize(
    "members",
    [
        {"log_level": 25}, {"event_type": "party"}, {"event_type": 5}, {"alert": "perhaps"},
        {"event_timestamp": "yesterday"}, {"extra": "x"}, {"extra": "x", "colour": "red"},
    ],
)  # fmt: skip
def test_what_a_program_gets_wrong_is_a_validation_error(members):
    with pytest.raises(ValidationError):
        Event(**members)


def test_reading_is_more_patient_than_making():
    event = Event.read({"log_level": 25, "event_type": "party", "colour": "red", "event_data": None})
    assert (event.log_level, event.event_type) == (EventLogLevel.INFO, EventType.UNKNOWN)
    assert event.extra == {"log_level": 25, "event_type": "party", "colour": "red"}
    assert event.event_data is None
    with pytest.raises(InvalidEventError):
        Event.read([])


def test_times_become_aware_utc():
    event = Event(
        event_timestamp="2026-01-01T01:00:00+01:00", archived_at=0, received_at="2026-01-01T00:00:00Z"
    )
    assert event.event_timestamp == datetime(2026, 1, 1, tzinfo=timezone.utc)
    assert event.archived_at == datetime(1970, 1, 1, tzinfo=timezone.utc)
    read = Event.read(event.model_dump(mode="json"))
    assert (read.archived_at, read.received_at) == (event.archived_at, event.received_at)


def test_a_read_event_without_a_time_gets_the_present():
    before = to_us(datetime.now(timezone.utc))
    assert before <= to_us(Event.read({}).event_timestamp)


@given(json_values)
def test_event_data_of_every_json_kind_survives_json(value):
    event = Event(event_data=value)
    assert Event.model_validate_json(event.model_dump_json()).event_data == value
    assert Event.model_validate_json(event.model_dump_json(by_alias=True)) == event


def test_numbers_that_json_lacks_become_text():
    written = json.loads(Event(event_data=[math.nan, math.inf]).model_dump_json())
    assert written["event_data"] == ["NaN", "Infinity"]


def test_ids_of_the_source_may_be_any_text_and_nulls_are_left_out():
    source = OwnershipInfo(node_id="exp-123", user_id=None, lab_id=7, room={"floor": 2})
    assert source.lab_id == "7"
    assert source.model_dump() == {"node_id": "exp-123", "lab_id": "7", "room": {"floor": 2}}
    assert OwnershipInfo().model_dump() == {}


def test_the_example_of_the_schema_is_an_event():
    example = Event.model_json_schema()["example"]
    event = Event.model_validate(example)
    assert event.extra == {}
    assert to_us(event.event_timestamp) == parse_instant(example["event_timestamp"])


def test_an_event_that_went_to_the_server_and_back_equals_the_one_that_was_sent():
    sent = Event(event_type="log_info", event_data={"plate": "P7"})
    back = Event.read({**sent.model_dump(mode="json"), "received_at": "2026-11-23T15:55:27Z"})
    assert back.received_at is not None
    assert back == sent
    assert back != sent.model_copy(update={"alert": True})
    assert back != sent.model_copy(update={"archived": True})
    assert back != sent.model_dump()


def test_events_are_not_hashable_since_they_can_be_changed():
    with pytest.raises(TypeError, match="unhashable"):
        hash(Event())
