"""Parquet: typed columns that hold what was stored, read back by the libraries that people use."""

from __future__ import annotations

import io
import json
from datetime import datetime, timezone

import pytest

from madsci.common.flattening import STANDARD_COLUMNS
from madsci.event_manager.export import parquet_rows as module
from madsci.event_manager.export.columns import MAX_COLUMNS
from madsci.event_manager.export.parquet_rows import parquet_rows
from madsci.event_manager.export.projection import parse_fields

pa = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")

INT, REAL, FLAG, TEXT, TIME = (
    pa.int64(),
    pa.float64(),
    pa.bool_(),
    pa.string(),
    pa.timestamp("us", "UTC"),
)


def file_of(pages, fields=None):
    return io.BytesIO(b"".join(parquet_rows(pages, parse_fields(fields))))


def read(pages, fields=None):
    return parquet.read_table(file_of(pages, fields))


def column(pages, name="event_data.x"):
    """The type of a column and its values."""
    table = read(pages)
    return table.schema.field(name).type, table[name].to_pylist()


def test_the_standard_columns_have_their_types(select):
    moment = datetime(2026, 11, 23, 15, 55, 27, 2393, timezone.utc)
    table = read(select({"message": "hi"}, archived=True, archived_at=5, span_id="s"))
    types = [TEXT, TIME, TIME, TEXT, INT, FLAG, FLAG, TIME, TEXT, TEXT]
    assert dict(zip(table.column_names, table.schema.types, strict=True)) == {
        **dict(zip(STANDARD_COLUMNS, types, strict=True)),
        "event_data.message": TEXT,
        "other": TEXT,
    }
    (row,) = table.to_pylist()
    assert row["event_timestamp"] == moment
    assert row["archived_at"].microsecond == 5
    assert [
        row[name] for name in ("event_id", "log_level", "alert", "trace_id", "span_id", "other")
    ] == [
        "e0",
        20,
        False,
        None,
        "s",
        None,
    ]


@pytest.mark.parametrize(
    ("values", "expected_type", "expected"),
    [
        ([1, -(2**63), 2**63 - 1, None], INT, [1, -(2**63), 2**63 - 1, None]),
        ([1.5, -0.0, 1e300], REAL, [1.5, -0.0, 1e300]),
        ([1, 1.5, None, -(2**53)], REAL, [1.0, 1.5, None, -(2.0**53)]),
        ([2**53 + 1, 0.5], TEXT, ["9007199254740993", "0.5"]),
        ([1, 2**63], TEXT, ["1", "9223372036854775808"]),
        ([10**40], TEXT, ["1" + "0" * 40]),
        ([True, None, False], FLAG, [True, None, False]),
        ([True, 1], TEXT, ["true", "1"]),
        (["a", 1, True, 2.5, None], TEXT, ["a", "1", "true", "2.5", None]),
        ([[1, {"a": 2}], []], TEXT, ['[1,{"a":2}]', "[]"]),
        ([{}, 1], TEXT, ["{}", "1"]),
        ([None, None], TEXT, [None, None]),
        (["nul\0", 'a"\r\n', "🧪", "=1", ""], TEXT, ["nul\0", 'a"\r\n', "🧪", "=1", ""]),
    ],
)
def test_a_column_has_the_type_that_holds_every_value(select, values, expected_type, expected):
    assert column(select(*[{"x": value} for value in values])) == (expected_type, expected)


def test_missing_cells_are_null_wherever_they_stand(select):
    assert column(select({}, {"x": 1}, {}, {}, {"x": 2}, {})) == (INT, [None, 1, None, None, 2, None])


def test_nothing_is_a_file_with_the_standard_columns():
    table = read(list)
    assert table.num_rows == 0
    assert table.column_names == [*STANDARD_COLUMNS, "other"]


@pytest.mark.parametrize(
    ("seen", "value"),
    [
        (1, "t"),
        (1, 2.0),
        (1, True),
        (1, 2**63),
        (1.5, 2**53 + 1),
        (1.5, "t"),
        (True, 0),
        (True, "true"),
    ],
)
def test_a_value_of_another_kind_than_was_seen_stands_in_the_last_column(changing, seen, value):
    table = read(changing([{"x": seen}], [{"x": seen}, {"x": value}]))
    assert table["event_data.x"].to_pylist() == [seen, None]
    assert table["other"].to_pylist()[0] is None
    other = json.loads(table["other"].to_pylist()[1])
    assert other == {"event_data.x": value}
    assert type(other["event_data.x"]) is type(value)


def test_columns_that_were_not_there_stand_in_the_last_column(changing):
    table = read(changing([{"x": 1}], [{"y": {"z": [1]}}, {"x": 2}]))
    assert table.column_names[-2:] == ["event_data.x", "other"]
    assert table["event_data.x"].to_pylist() == [None, 2]
    assert json.loads(table["other"].to_pylist()[0]) == {"event_data.y.z": "[1]"}


def test_a_selection_that_is_gone_at_the_second_pass_is_a_file_without_rows(changing):
    assert read(changing([{"x": 1}], [])).num_rows == 0


def test_paths_beyond_the_bound_share_the_last_column(select):
    table = read(select({f"a{number}": number for number in range(MAX_COLUMNS + 2)}))
    assert table.num_columns == len(STANDARD_COLUMNS) + MAX_COLUMNS + 1
    assert json.loads(table["other"].to_pylist()[0]) == {
        "event_data.a1000": 1000,
        "event_data.a1001": 1001,
    }


def test_rows_come_in_groups_in_their_order(select, monkeypatch):
    monkeypatch.setattr(module, "ROWS", 3)
    pages = select(*[{"x": number, f"y{number // 4}": "t"} for number in range(10)])
    file = parquet.ParquetFile(file_of(pages))
    assert [file.metadata.row_group(place).num_rows for place in range(4)] == [3, 3, 3, 1]
    table = file.read()
    assert table["event_data.x"].to_pylist() == list(range(10))
    assert table["event_data.y1"].to_pylist() == [None] * 4 + ["t"] * 4 + [None] * 2


def test_long_texts_and_many_columns_make_groups_smaller(select, monkeypatch):
    monkeypatch.setattr(module, "TEXT", 1_000)
    file = parquet.ParquetFile(file_of(select(*[{"x": "t" * 600}] * 4)))
    assert [file.metadata.row_group(place).num_rows for place in range(2)] == [2, 2]
    monkeypatch.setattr(module, "CELLS", 36)
    file = parquet.ParquetFile(file_of(select(*[{"x": 1}] * 7)))
    assert file.metadata.num_row_groups == 3


def test_a_cell_of_sixteen_megabytes(select):
    text = 'x"\n,' * 4_000_000
    assert column(select({"x": text}, {"x": "short"})) == (TEXT, [text, "short"])


def test_chosen_members_are_the_columns_with_their_types(select):
    choice = ["event_timestamp", "event_data.x", "source", "event_data.wells.v"]
    table = read(select({"x": 1.5, "wells": [{"v": 1}]}, {"x": 2}, source={"node_id": "n"}), choice)
    assert table.column_names == ["event_id", *choice, "other"]
    assert table.schema.types == [TEXT, TIME, REAL, TEXT, TEXT, TEXT]
    assert table["source"].to_pylist() == ['{"node_id":"n"}'] * 2
    assert table["event_data.wells.v"].to_pylist() == ["[1]", None]


def test_members_left_out_are_no_columns(select):
    table = read(select({"x": 1, "y": 2}), {"event_data.x": 0, "received_at": 0})
    assert "received_at" not in table.column_names
    assert table.column_names[-2:] == ["event_data.y", "other"]


def test_an_export_that_is_given_up_leaves_nothing_behind(select, monkeypatch):
    monkeypatch.setattr(module, "ROWS", 1)
    pieces = parquet_rows(select({"x": 1}, {"x": 2}, {"x": 3}))
    assert next(pieces).startswith(b"PAR1")
    pieces.close()


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_data_frames_read_it(select, library):
    frames = pytest.importorskip(library)
    frame = frames.read_parquet(
        file_of(select({"x": 1, "t": "é"}, {"x": None, "t": None}, archived_at=5))
    )
    assert frame.shape == (2, len(STANDARD_COLUMNS) + 3)
    assert frame["event_data.t"].to_list()[0] == "é"
    assert frame["event_data.x"].to_list()[0] == 1
    assert frame["event_timestamp"].to_list()[0].year == 2026


def test_the_members_of_senders_are_columns_of_their_types(select):
    table = read(select({}, {}, sender='{"name":"arm","process":4294967295}'))
    assert table.schema.field("sender.name").type == "string"
    assert table.schema.field("sender.process").type == "int64"
    assert table.column("sender.process").to_pylist() == [4294967295] * 2
