"""The stored event and its outward forms."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from madsci.common.clock import iso
from madsci.common.types.event import Event
from madsci.event_manager.model.stored_event import (
    StoredEvent,
    decode_json,
    encode_event,
    encode_events_by_id,
    encode_json,
)

MEMBERS = [
    "_id", "event_id", "event_type", "log_level", "alert", "event_timestamp", "source", "event_data",
    "trace_id", "span_id", "archived", "archived_at", "received_at",
]  # fmt: skip
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)  # fmt: skip


def stored(event_id: str = "e", **members) -> StoredEvent:
    given_data = {"event_timestamp": 1_000_000, "received_at": 2_000_000, "event_data": '{"a":1}'}
    return StoredEvent(
        **{"event_id": event_id, "event_type": "log", "log_level": 20, "alert": False,
           "source": {"node_id": "n"}, **given_data, **members}
    )  # fmt: skip


def test_the_reply_has_the_members_of_the_contract_in_order():
    reply = json.loads(encode_event(stored()))
    assert list(reply) == MEMBERS
    assert reply["_id"] == reply["event_id"] == "e"
    assert reply["event_timestamp"] == iso(1_000_000)
    assert reply["received_at"] == iso(2_000_000)
    assert reply["archived_at"] is None


def test_extra_appears_only_where_there_is_some():
    assert "extra" not in json.loads(encode_event(stored(extra={})))
    assert json.loads(encode_event(stored(extra={"colour": 1})))["extra"] == {"colour": 1}


def test_a_reply_is_read_back_as_the_same_event():
    event = stored(
        archived=True, archived_at=5, trace_id="t", span_id="s", alert=True, extra={"x": [1]}
    )
    read = Event.model_validate_json(encode_event(event))
    assert (read.event_id, read.trace_id, read.span_id, read.alert) == ("e", "t", "s", True)
    assert (read.archived, read.extra, read.event_data) == (True, {"x": [1]}, {"a": 1})


def test_events_by_id_keep_their_order():
    reply = json.loads(encode_events_by_id(stored(name) for name in "cab"))
    assert list(reply) == ["c", "a", "b"]
    assert all(event["_id"] == name for name, event in reply.items())
    assert encode_events_by_id([]) == b"{}"


def test_the_document_for_selectors_has_its_times_as_numbers():
    document = stored(extra={"x": 1}, archived_at=7).document()
    assert list(document) == [name for name in MEMBERS if name != "event_id"] + ["extra"]
    assert document["event_data"] == {"a": 1}
    assert (document["event_timestamp"], document["archived_at"]) == (1_000_000, 7)
    assert "extra" not in stored().document()


def test_events_are_ordered_by_time_then_by_id():
    events = [stored("b"), stored("a"), stored("a", event_timestamp=5)]
    assert [event.order for event in sorted(events, key=lambda one: one.order)] == [
        (5, "a"), (1_000_000, "a"), (1_000_000, "b"),
    ]  # fmt: skip


def test_a_stored_event_is_a_value():
    assert stored() == stored()
    with pytest.raises(AttributeError):
        stored().alert = True


@given(json_values)
def test_the_canonical_text_holds_every_json_value(value):
    assert decode_json(encode_json(value)) == value
    assert json.loads(encode_json(value)) == value
    reply = json.loads(encode_event(stored(event_data=encode_json(value))))
    assert reply["event_data"] == value
