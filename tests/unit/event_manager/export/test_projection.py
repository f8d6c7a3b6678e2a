"""Which members are chosen, and the event with only these, as MongoDB projects."""

from __future__ import annotations

import json

import pytest

from madsci.common.errors import InvalidInputError
from madsci.event_manager.export.projection import (
    MAX_FIELDS,
    MAX_PATH,
    Fields,
    encode_projected,
    encode_projected_by_id,
    parse_fields,
)
from madsci.event_manager.model.stored_event import encode_event


@pytest.mark.parametrize(
    "value",
    [
        ["event_timestamp", "event_data.message"],
        ("event_timestamp", "event_data.message"),
        "event_timestamp,event_data.message",
        " event_timestamp , event_data.message ",
        {"event_timestamp": 1, "event_data.message": True},
        {"event_timestamp": 1.0, "event_data.message": 1},
        ["event_timestamp", "event_data.message", "event_timestamp"],
        {"_id": 0, "event_timestamp": 1, "event_data.message": 1},
    ],
)
def test_members_to_show_are_read_from_lists_text_and_objects(value):
    fields = parse_fields(value)
    assert fields.names[-2:] == ("event_timestamp", "event_data.message")
    assert not fields.excluding


def test_the_sender_is_chosen_and_left_out_by_its_members(make_event):
    event = make_event({"a": 1}, sender='{"name":"arm","host":"pc","process":7}')
    shown = json.loads(encode_projected(event, parse_fields("sender.name")))
    assert shown == {"_id": "e1", "event_id": "e1", "sender": {"name": "arm"}}
    rest = json.loads(encode_projected(event, parse_fields({"sender.process": 0})))
    assert rest == {**json.loads(encode_event(event)), "sender": {"name": "arm", "host": "pc"}}


@pytest.mark.parametrize("value", [None, "", " ", [], {}, {"_id": 0}, {"event_id": False}])
def test_an_empty_choice_means_everything(value):
    assert parse_fields(value) is None


def test_members_to_leave_out_are_read_from_objects():
    expected = Fields((("event_data", "raw"),), excluding=True)
    assert parse_fields({"event_data.raw": 0}) == expected
    assert parse_fields({"event_data.raw": False, "_id": 1}) == expected


def test_the_id_alone_may_be_chosen():
    assert parse_fields("_id") == parse_fields({"event_id": 1}) == Fields((("event_id",),))


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (5, "5"),
        (True, "True"),
        ([1], "1 is no path"),
        ([None], "None is no path"),
        ([["event_type"]], "is no path"),
        ({1: 1}, "1 is no path"),
        ("event_type,", "leads nowhere"),
        ("message", "Did you mean event_data.message"),
        (['event_data["a'], "as the columns of exports are named"),
        (['event_data.["a"]'], "as the columns of exports are named"),
        (['["event_data.a"]'], "no event has a member 'event_data.a'"),
        ("event_data..a", "leads nowhere"),
        (".event_data", "leads nowhere"),
        ({"event_data.a": 1, "event_data.b": 0}, "leaves out others"),
        ({"event_data.a": 2}, "say 1 to show it"),
        ({"event_data.a": "1"}, "say 1 to show it"),
        ({"event_data": {"a": 1}}, "say 1 to show it"),
        ({"event_data.a": {"$slice": 1}}, "say 1 to show it"),
        (["event_data.a" + "b" * MAX_PATH], f"{MAX_PATH} characters"),
        ([f"event_data.a{number}" for number in range(MAX_FIELDS + 1)], f"{MAX_FIELDS} paths"),
        (",".join(["event_data.a"] * (MAX_FIELDS + 1)), f"{MAX_FIELDS} paths"),
        (dict.fromkeys([f"event_data.a{number}" for number in range(MAX_FIELDS + 1)], 0), "200 paths"),
    ],
)
def test_what_is_no_choice_is_refused_with_its_place(value, says):
    with pytest.raises(InvalidInputError, match=r"^fields: ") as refused:
        parse_fields(value)
    assert says in refused.value.message
    assert refused.value.errors[0]["loc"] == ["fields"]
    assert len(refused.value.message) < 400


def shown(event, value):
    """The event as it is shown with a choice of members, without its ids."""
    members = json.loads(encode_projected(event, parse_fields(value)))
    assert members.pop("_id") == members.pop("event_id") == event.event_id
    return members


def test_chosen_members_are_as_in_the_whole_event(make_event):
    event = make_event(
        {"message": "hi", "n": 10**30, "x": 1e300}, source={"node_id": "n"}, extra={"a": 1}
    )
    whole = json.loads(encode_event(event))
    for name in whole:
        if name not in ("_id", "event_id"):
            assert shown(event, [name]) == {name: whole[name]}
            assert {*shown(event, {name: 0}), name, "_id", "event_id"} == set(whole)
    assert shown(event, ["extra.a", "source"]) == {"source": {"node_id": "n"}, "extra": {"a": 1}}


def test_the_order_is_that_of_the_event_not_of_the_choice(make_event):
    event = make_event({"b": 1, "a": 2})
    assert list(shown(event, "event_data,log_level")) == ["log_level", "event_data"]
    assert list(shown(event, "event_data.a,event_data.b")["event_data"]) == ["b", "a"]


@pytest.mark.parametrize(
    ("data", "only_a_b", "without_a_b"),
    [
        ({"a": {"b": 1, "c": 2}, "d": 3}, {"a": {"b": 1}}, {"a": {"c": 2}, "d": 3}),
        ({"a": {"c": 2}}, {"a": {}}, {"a": {"c": 2}}),
        ({"a": 5}, {}, {"a": 5}),
        ({"a": None}, {}, {"a": None}),
        ({"d": 3}, {}, {"d": 3}),
        ({"a": {"b": {"c": [1]}}}, {"a": {"b": {"c": [1]}}}, {"a": {}}),
        ({"a": [{"b": 1, "c": 2}, {"c": 3}]}, {"a": [{"b": 1}, {}]}, {"a": [{"c": 2}, {"c": 3}]}),
        ({"a": [1, {"b": 2}, None, "t"]}, {"a": [{"b": 2}]}, {"a": [1, {}, None, "t"]}),
        ({"a": [[{"b": 1, "c": 2}], [3]]}, {"a": [[{"b": 1}], []]}, {"a": [[{"c": 2}], [3]]}),
        ({"a": []}, {"a": []}, {"a": []}),
    ],
)
def test_paths_go_on_in_each_object_of_a_list(make_event, data, only_a_b, without_a_b):
    event = make_event(data)
    assert shown(event, "event_data.a.b") == {"event_data": only_a_b}
    assert shown(event, {"event_data.a.b": 0})["event_data"] == without_a_b


@pytest.mark.parametrize("data", ["text", 5, None, [1, 2]])
def test_data_that_are_no_object_have_nothing_to_choose_from(make_event, data):
    event = make_event(data)
    assert shown(event, "event_data.a") == ({"event_data": []} if isinstance(data, list) else {})
    assert shown(event, {"event_data.a": 0})["event_data"] == data
    assert shown(event, "event_data") == {"event_data": data}


def test_the_broader_of_two_paths_counts(make_event):
    event = make_event({"a": {"b": 1, "c": 2}, "d": 3})
    assert shown(event, "event_data.a.b,event_data.a") == {"event_data": {"a": {"b": 1, "c": 2}}}
    assert shown(event, "event_data.a,event_data.a.b") == {"event_data": {"a": {"b": 1, "c": 2}}}
    assert shown(event, {"event_data.a.b": 0, "event_data.a": 0})["event_data"] == {"d": 3}


def test_the_id_is_shown_though_it_was_to_be_left_out(make_event):
    event = make_event()
    assert shown(event, {"_id": 0, "alert": 1}) == {"alert": False}
    assert "alert" not in shown(event, {"_id": 0, "alert": 0})


def test_ninety_six_levels_and_a_path_of_five_hundred_names(make_event):
    data = 1
    for _ in range(96):
        data = {"a": data}
    event = make_event(data)
    assert shown(event, "event_data" + ".a" * 96) == {"event_data": data}
    assert "event_data" in shown(event, "event_data" + ".a" * 490)


def test_events_by_id_keep_their_order(make_event):
    events = [make_event(event_id="b"), make_event(event_id="a")]
    fields = parse_fields("log_level")
    encoded = encode_projected_by_id(events, fields)
    parts = b",".join(b'"%s":%s' % (e.event_id.encode(), encode_projected(e, fields)) for e in events)
    assert encoded == b"{" + parts + b"}"


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ('event_data["http.method"]', ("event_data", "http.method")),
        ('event_data["a,b."].c', ("event_data", "a,b.", "c")),
        ('event_data[""]', ("event_data", "")),
    ],
)
def test_the_column_of_an_export_can_be_chosen_by_its_name(name, path):
    for value in ([name], name, f"event_id, {name}", {name: 1}):
        fields = parse_fields(value)
        assert (fields.paths[-1], fields.names[-1]) == (path, name)


def test_a_name_with_a_dot_is_not_the_path_of_the_same_letters():
    document = {"event_data": {"a.b": 1, "a": {"b": 2, "c": 3}}}
    assert parse_fields(['event_data["a.b"]']).project(document) == {"event_data": {"a.b": 1}}
    assert parse_fields(["event_data.a.b"]).project(document) == {"event_data": {"a": {"b": 2}}}
    assert parse_fields({'event_data["a.b"]': 0}).project(document) == {
        "event_data": {"a": {"b": 2, "c": 3}}
    }
