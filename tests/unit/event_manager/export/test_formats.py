"""The formats together: what they are called, and that none needs more memory for more events."""

from __future__ import annotations

import tracemalloc

import pytest

from madsci.common.errors import InvalidInputError, NotAcceptedError
from madsci.event_manager.export.chunks import LARGEST, USUAL, chunked
from madsci.event_manager.export.formats import FORMATS, export, format_named
from madsci.event_manager.export.projection import parse_fields
from madsci.event_manager.model.stored_event import StoredEvent, encode_event, encode_json


def test_formats_have_a_media_type_and_a_suffix():
    assert {name: (one.media_type, one.suffix) for name, one in FORMATS.items()} == {
        "ndjson": ("application/x-ndjson", ".ndjson"),
        "csv": ("text/csv; charset=utf-8", ".csv"),
        "parquet": ("application/vnd.apache.parquet", ".parquet"),
    }


def test_another_format_is_refused_at_once(select):
    with pytest.raises(
        InvalidInputError, match=r"no export format 'xlsx'\. Use one of ndjson, csv"
    ) as refused:
        export("xlsx", select())
    assert refused.value.errors[0]["loc"] == ["format"]
    assert format_named("csv") is FORMATS["csv"]


def test_parquet_without_pyarrow_is_refused_at_once(select, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(NotAcceptedError, match=r"pip install 'madsci.event_manager\[parquet\]'"):
        export("parquet", select())


def test_lines_of_json_are_the_events_of_the_rest_api(select):
    pages = select({"message": "a\nb\u2028c"}, [1], None)
    events = [event for page in pages() for event in page]
    assert b"".join(export("ndjson", pages)) == b"".join(
        encode_event(event) + b"\n" for event in events
    )


def test_lines_of_json_with_chosen_members(select):
    exported = b"".join(export("ndjson", select({"a": 1, "b": 2}), parse_fields("event_data.b")))
    assert exported == b'{"_id":"e0","event_id":"e0","event_data":{"b":2}}\n'


def test_nothing_is_no_line():
    assert list(export("ndjson", list)) == []


def test_chunks_are_neither_small_nor_large():
    pieces = [b"a" * 1_000] * 2_000 + [b"b" * 3_500_000] + [b"", b"c"]
    chunks = list(chunked(pieces))
    assert b"".join(chunks) == b"".join(pieces)
    assert all(0 < len(chunk) <= LARGEST for chunk in chunks)
    assert sum(len(chunk) < USUAL for chunk in chunks) <= 2
    assert list(chunked([])) == list(chunked([b""])) == []


def generated(count):
    """A selection that is made while it is gone through: only its pages can take memory."""

    def event(number):
        data = {"message": f"step {number}", "reading": {"volume": number / 7, "wells": ["A1", "B2"]}}
        data[f"sensor_{number % 40}"] = number
        data["text"] = "x" * 300
        source = {"node_id": f"node-{number % 9}"}
        return StoredEvent(f"e{number}", "log", 20, False, number, number, source, encode_json(data))

    return lambda: ([event(n) for n in range(start, start + 1_000)] for start in range(0, count, 1_000))


@pytest.mark.slow
@pytest.mark.parametrize("name", FORMATS)
def test_memory_does_not_grow_with_the_events(name):
    """50,000 events are 30 MB of JSON and far more as Python objects."""
    pyarrow = pytest.importorskip("pyarrow")
    pages = generated(50_000)
    list(export(name, generated(1_000)))  # what is imported and cached once does not count
    held = pyarrow.total_allocated_bytes()
    tracemalloc.start()
    try:
        for chunk in export(name, pages):
            assert len(chunk) <= LARGEST
            assert pyarrow.total_allocated_bytes() - held < 16_000_000
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < (30_000_000 if name == "parquet" else 6_000_000)
