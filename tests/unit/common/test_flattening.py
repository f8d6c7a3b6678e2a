"""One row of an event: which columns there are, in which order, and what stands in them."""

from __future__ import annotations

import json
from datetime import datetime, timezone

import pytest

from madsci.common.flattening import (
    MAX_COLUMNS,
    MAX_PATH,
    STANDARD_COLUMNS,
    column_name,
    column_path,
    flatten,
    split_names,
)
from madsci.common.types.event_types import Event


def data_columns(data):
    """The row of an event that has nothing but data."""
    return flatten({"event_data": data})


def test_the_standard_columns_come_first_in_their_order_whatever_the_order_of_the_document():
    members = {name: name for name in reversed(STANDARD_COLUMNS)}
    row = flatten({"extra": {"c": 3}, "event_data": {"b": 2}, "source": {"a": 1}, **members})
    assert list(row) == [*STANDARD_COLUMNS, "source.a", "event_data.b", "extra.c"]


def test_members_that_the_document_does_not_have_are_no_columns_but_null_ones_are():
    assert flatten({}) == {}
    assert flatten({"trace_id": None}) == {"trace_id": None}


@pytest.mark.parametrize("ids", [{"_id": "a"}, {"event_id": "a"}, {"_id": "a", "event_id": "b"}])
def test_there_is_one_id_and_of_two_the_underscored_one_counts(ids):
    assert flatten(ids) == {"event_id": "a"}


def test_paths_are_joined_with_dots():
    assert data_columns({"a": {"b": {"c": 1.5}, "d": None}, "e": True}) == {
        "event_data.a.b.c": 1.5,
        "event_data.a.d": None,
        "event_data.e": True,
    }


def test_lists_and_empty_objects_are_compact_json():
    data = {"wells": ["A1", {"µ": [1, None]}], "none": [], "empty": {}}
    assert data_columns(data) == {
        "event_data.wells": '["A1",{"µ":[1,null]}]',
        "event_data.none": "[]",
        "event_data.empty": "{}",
    }


@pytest.mark.parametrize(
    ("data", "cell"),
    [("text", "text"), (5, 5), (None, None), ([1, 2], "[1,2]"), ([], "[]"), (False, False)],
)
def test_data_that_are_no_object_are_one_column(data, cell):
    assert data_columns(data) == {"event_data": cell}


def test_empty_members_of_the_event_are_no_columns():
    assert flatten({"event_data": {}, "source": {}, "extra": {}}) == {}


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("plain name", "event_data.plain name"),
        ("µl/s", "event_data.µl/s"),
        ("1", "event_data.1"),
        ("$set", "event_data.$set"),
        ("a.b", 'event_data["a.b"]'),
        ("", 'event_data[""]'),
        ("[0]", 'event_data["[0]"]'),
        ('say "hi"', r'event_data["say \"hi\""]'),
        ("it's", 'event_data["it\'s"]'),
        ("back\\slash", r'event_data["back\\slash"]'),
        ("line\nbreak", r'event_data["line\nbreak"]'),
        ("nul\0", r'event_data["nul\u0000"]'),
    ],
)
def test_names_that_could_be_mistaken_for_paths_stand_in_brackets(name, column):
    assert data_columns({name: 1}) == {column: 1}
    assert data_columns({name: {"x": 1}}) == {f"{column}.x": 1}


def test_a_dotted_name_and_a_path_of_the_same_letters_are_two_columns():
    assert data_columns({"a.b": 1, "a": {"b": 2}}) == {'event_data["a.b"]': 1, "event_data.a.b": 2}


def test_members_that_events_do_not_have_come_last_under_their_own_names():
    row = flatten({"lab": {"room": 3}, "a.b": 1, "event_data": {"x": 1}})
    assert list(row.items()) == [("event_data.x", 1), ("lab.room", 3), ('["a.b"]', 1)]


def test_keys_of_programs_that_are_no_text_stay_apart_from_those_that_are():
    assert data_columns({1: "number", "1": "text"}) == {
        "event_data[1]": "number",
        "event_data.1": "text",
    }


def test_standard_members_of_a_wrong_kind_are_kept_as_json():
    assert flatten({"trace_id": {"a": [1]}}) == {"trace_id": '{"a":[1]}'}


def test_the_dump_of_an_event_keeps_its_times_and_shows_types_and_levels_as_values():
    moment = datetime(2026, 11, 23, 15, 55, tzinfo=timezone.utc)
    event = Event(event_id="e1", event_type="log_error", log_level=40, event_timestamp=moment)
    row = flatten(event.model_dump())
    assert row["event_timestamp"] == moment
    assert type(row["event_type"]) is str
    assert type(row["log_level"]) is int
    assert list(row)[: len(STANDARD_COLUMNS)] == list(STANDARD_COLUMNS)


def test_ninety_six_levels_are_one_column():
    data = 1
    for level in range(96, 0, -1):
        data = {f"l{level}": data}
    (column,) = data_columns(data)
    assert column == "event_data." + ".".join(f"l{level}" for level in range(1, 97))


def test_an_object_of_too_many_members_stays_whole():
    wide = {f"m{number}": number for number in range(MAX_COLUMNS + 1)}
    row = data_columns({"a": 1, "wide": wide, "b": {"c": 2}})
    assert list(row) == ["event_data.a", "event_data.wide", "event_data.b.c"]
    assert json.loads(row["event_data.wide"]) == wide


def test_many_objects_are_looked_into_only_while_the_row_has_room():
    data = {f"o{number}": dict.fromkeys(map(str, range(100))) for number in range(1_000)}
    row = data_columns(data)
    assert len(row) <= MAX_COLUMNS
    assert row["event_data.o0.99"] is None
    assert json.loads(row["event_data.o999"]) == data["o999"]


def test_below_a_very_long_path_objects_stay_whole():
    """Each member of such an object would repeat the path: megabytes would become terabytes."""
    name = "n" * MAX_PATH
    row = data_columns({name: dict.fromkeys(map(str, range(1_000)), 0)})
    (column,) = row
    assert column == f"event_data.{name}"


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("event_id", ("event_id",)),
        ("event_data.a.b", ("event_data", "a", "b")),
        ('event_data["a.b"].c', ("event_data", "a.b", "c")),
        ('["a.b"].c', ("a.b", "c")),
        ('event_data[""][""]', ("event_data", "", "")),
        (r'a["say \"hi\""]', ("a", 'say "hi"')),
        (r'a["\u00b5]["]', ("a", "µ][")),
    ],
)
def test_the_name_of_a_column_tells_its_path(name, path):
    assert column_path(name) == path


def test_texts_without_names_in_brackets_are_parted_at_their_dots():
    assert column_path("event_data..a[0]") == ("event_data", "", "a[0]")
    assert column_name(column_path("event_data.a[0]")) == 'event_data["a[0]"]'


@pytest.mark.parametrize("name", ['a["b', 'a["b"', 'a["b"]c', 'a[0]["b"]', 'it\'s["b"]', 'a["\ud800"]'])
def test_what_is_no_name_of_a_column_is_refused_with_an_example(name):
    with pytest.raises(ValueError, match=r'event_data\["http.method"\]'):
        column_path(name)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", []), (" ", []), ("a", ["a"]), ("a, b", ["a", "b"]), ("a,", ["a", ""]),
        ('event_data["a,b"].c,d', ['event_data["a,b"].c', "d"]),
        (r'a["\",\""],["c,"]', [r'a["\",\""]', '["c,"]']),
        ('a["b,c', ['a["b', "c"]),
    ],
)  # fmt: skip
def test_commas_part_names_but_not_what_stands_in_brackets(text, names):
    assert split_names(text) == names
