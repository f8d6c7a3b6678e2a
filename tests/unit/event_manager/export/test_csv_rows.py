"""CSV: what is read back is what was stored, and no cell is run by a spreadsheet."""

from __future__ import annotations

import csv
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from madsci.common.clock import iso
from madsci.common.flattening import STANDARD_COLUMNS, flatten
from madsci.event_manager.export.columns import MAX_COLUMNS, MAX_NAME
from madsci.event_manager.export.csv_rows import FORMULA, csv_rows, safe_text
from madsci.event_manager.export.projection import parse_fields
from support.spreadsheets import read_csv

NASTY = [
    "",
    "plain",
    'say "hi", twice ""',
    "a,b;c\td",
    "line\nbreak\r\nand\rmore",
    "\n",
    " padded ",
    "nul\0inside",
    "\uffff",
    "\ufeffmark",
    "µ — 试管 🧪 \u2028 \u0085",
    "\\N",
    "é" * 200_000,
]
FORMULAS = [
    "=1+1",
    "+49 30 1234",
    "-5",
    "@SUM(A1)",
    "\t=1",
    "\rx",
    "\nx",
    "  =cmd|' /C calc'!A0",
    "\u00a0@x",
    "\u3000-x",
    "\ufeff=1",
    "\0=1",
    "\uff1d1+1",
    "\uff0b1",
    "\uff0d1",
    "\uff20x",
]


@pytest.fixture(autouse=True)
def long_cells():
    before = csv.field_size_limit(100_000_000)
    yield
    csv.field_size_limit(before)


def written(pages, fields=None):
    return b"".join(csv_rows(pages, parse_fields(fields)))


def read(pages, fields=None):
    """The header and the rows that a reader of CSV finds."""
    header, *rows = read_csv(written(pages, fields).decode())
    return header, [dict(zip(header, row, strict=True)) for row in rows]


def plain(text):
    """What was stored, as the docstring of the module says."""
    return text[1:] if text.startswith("'") and FORMULA.match(text) else text


def as_text(name, value):
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, bool):
        return str(value).lower()
    return iso(value) if name in ("event_timestamp", "received_at", "archived_at") else str(value)


def test_what_is_read_back_are_the_flattened_rows(select):
    pages = select(
        {"message": "hi", "n": 1, "deep": {"x": 1.5, "list": [1, {"a": None}], "none": {}}},
        {"n": -2, "ok": True, "a.b": None, "big": 10**40, "message": "bye", "tiny": -1e-300},
        [1, 2],
        {},
        source={"node_id": "n1"},
        extra={"lab": {"room": 3}},
        archived=True,
        archived_at=5,
        trace_id="t",
    )
    header, rows = read(pages)
    flattened = [flatten(event.document()) for page in pages() for event in page]
    seen = list(dict.fromkeys([name for row in flattened for name in row]))
    assert header == [*seen, "other"]
    assert header[: len(STANDARD_COLUMNS)] == list(STANDARD_COLUMNS)
    for row, expected in zip(rows, flattened, strict=True):
        assert row == {name: as_text(name, expected.get(name)) for name in header}


@pytest.mark.parametrize("text", [*NASTY, *FORMULAS, *(f"'{text}" for text in FORMULAS)])
def test_every_text_is_read_back(select, text):
    _, [row, after] = read(select({"t": text, f"key {text[:20]}": 1}, {"t": "after"}, trace_id=text))
    assert plain(row["event_data.t"]) == plain(row["trace_id"]) == text
    assert after["event_data.t"] == "after"
    assert set(after.values()) >= {"e1", "after"}


@pytest.mark.parametrize("text", FORMULAS)
def test_texts_like_formulas_are_disarmed(select, text):
    _, [row] = read(select({"t": text}))
    assert row["event_data.t"] == f"'{text}"


def test_texts_of_other_beginnings_and_numbers_stay_as_they_are(select):
    _, [row] = read(select({"a": "x=1", "b": "'quoted'", "c": "", "d": -5, "e": -0.5, "f": "1-2"}))
    assert [row[f"event_data.{name}"] for name in "abcdef"] == [
        "x=1",
        "'quoted'",
        "",
        "-5",
        "-0.5",
        "1-2",
    ]


@given(st.text() | st.text("'= -+@\t\nx\0\uff1d"))
def test_a_safe_text_tells_the_text_and_is_no_formula(text):
    safe = safe_text(text)
    assert plain(safe) == text
    assert not safe.lstrip().startswith(tuple("=+-@\uff1d\uff0b\uff0d\uff20"))


def test_lines_end_with_cr_lf_and_bytes_are_utf_8_without_a_mark(select):
    lines = written(select({"t": "é"})).split(b"\r\n")
    assert lines[0].startswith(b"event_id,event_timestamp,")
    assert "é".encode() in lines[1]
    assert lines[2:] == [b""]


def test_nothing_is_a_header(select):
    assert written(list) == (",".join([*STANDARD_COLUMNS, "other"]) + "\r\n").encode()
    assert written(list, "alert") == b"event_id,alert\r\n"


def test_a_cell_of_sixteen_megabytes(select):
    text = 'x"\n,' * 4_000_000
    _, [row] = read(select({"t": text}))
    assert row["event_data.t"] == text


def test_paths_beyond_the_bound_share_the_last_column(select):
    first = {f"a{number}": number for number in range(MAX_COLUMNS - 1)}
    header, rows = read(select(first, {"a0": 5, "b": "x", "c": True, "d": [1]}, {}))
    assert len(header) == len(STANDARD_COLUMNS) + MAX_COLUMNS + 1
    assert rows[1]["event_data.b"] == "x"
    assert json.loads(rows[1]["other"]) == {"event_data.c": True, "event_data.d": "[1]"}
    assert [row["other"] for row in (rows[0], rows[2])] == ["", ""]


def test_a_very_long_name_is_no_column(select):
    name = "n" * MAX_NAME
    header, [row] = read(select({name: 1}))
    assert header == [*STANDARD_COLUMNS, "other"]
    assert json.loads(row["other"]) == {f"event_data.{name}": 1}


def test_what_was_not_there_when_the_columns_were_found_stands_in_the_last_column(changing):
    header, rows = read(changing([{"a": 1}], [{"a": "t"}, {"new": {"b": 2}, "c": "=1"}]))
    assert header == [*STANDARD_COLUMNS, "event_data.a", "other"]
    assert rows[0]["event_data.a"] == "t"
    assert json.loads(rows[1]["other"]) == {"event_data.new.b": 2, "event_data.c": "=1"}
    assert read(changing([{"a": 1}], []))[1] == []


def test_chosen_members_are_exactly_the_columns_and_take_one_pass(changing):
    choice = [
        "event_data.x",
        "source",
        "event_timestamp",
        "_id",
        "event_data.wells.volume",
        "event_data",
    ]
    data = {"x": True, "wells": [{"volume": 1}, {}, {"volume": [2]}, 5]}
    header, [row, bare] = read(changing([data, None]), choice)
    assert header == ["event_id", *choice[:3], *choice[4:]]
    assert row == {
        "event_id": "e0",
        "event_data.x": "true",
        "source": "{}",
        "event_timestamp": "2026-11-23T15:55:27.002393Z",
        "event_data.wells.volume": "[1,[2]]",
        "event_data": '{"x":true,"wells":[{"volume":1},{},{"volume":[2]},5]}',
    }
    assert [bare[name] for name in ("event_data.x", "event_data.wells.volume", "event_data")] == [
        "",
        "",
        "",
    ]


def test_members_left_out_are_no_columns(select):
    data = {"raw": {"x": 1}, "keep": 2, "list": [{"raw": 1, "n": 2}]}
    choice = {"event_data.raw": 0, "trace_id": 0, "event_data.list.raw": 0}
    header, [row] = read(select(data, extra={"a": 1}), choice)
    assert header == [
        *[name for name in STANDARD_COLUMNS if name != "trace_id"],
        "event_data.keep",
        "event_data.list",
        "extra.a",
        "other",
    ]
    assert row["event_data.list"] == '[{"n":2}]'


def test_the_members_of_senders_are_columns(select):
    lines = (
        b"".join(csv_rows(select({}, {}, sender='{"name":"arm","process":7}'))).decode().splitlines()
    )
    names = lines[0].split(",")
    assert names[-3:] == ["sender.name", "sender.process", "other"]
    assert [line.split(",")[-3:] for line in lines[1:]] == [["arm", "7", ""]] * 2
