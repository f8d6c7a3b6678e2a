"""Bodies of many events: what is sound is kept, and each loss has its line."""

from __future__ import annotations

import contextlib
import json
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from madsci.common.errors import InvalidInputError, MalformedJsonError, TooLargeError
from madsci.event_manager.ingest import bulk
from madsci.event_manager.ingest.bulk import MAX_EVENTS, MAX_NOTES, BulkReading, read_bulk, read_one
from madsci.event_manager.ingest.intake import Intake
from madsci.event_manager.model.stored_event import decode_json

INTAKE = Intake({})
SMALL = Intake({}, max_event_bytes=200)


def ids(reading: BulkReading) -> list[str]:
    return [event.event_id for event in reading.events]


def lost(reading: BulkReading) -> list[int]:
    assert len(reading.errors) == reading.rejected
    return [error.line for error in reading.errors]


# -- Lines -----------------------------------------------------------------------------------------


def test_one_event_a_line_is_read_in_order():
    reading = read_bulk(b'{"_id":"a"}\n{"_id":"b"}\n{"_id":"c"}\n', INTAKE)
    assert ids(reading) == ["a", "b", "c"]
    assert (reading.errors, reading.warnings, reading.rejected) == ([], [], 0)


def test_broken_lines_in_the_middle_are_told_and_spare_the_others():
    body = b'{"_id":"a"}\n{"_id":\n[1]\n17\n{"_id":"' + b"x" * 256 + b'"}\n{"_id":"b"}'
    reading = read_bulk(body, INTAKE)
    assert ids(reading) == ["a", "b"]
    assert lost(reading) == [2, 3, 4, 5]
    assert {error.status for error in reading.errors} == {422}
    assert [error.code for error in reading.errors] == ["malformed-json"] + ["invalid-event"] * 3
    assert all(error.detail for error in reading.errors)


def test_blank_lines_count_but_are_no_events():
    reading = read_bulk(b'\n \t\n{"_id":"a"}\n\n\r\nbroken\n\n{"_id":"b"}\n\n', INTAKE)
    assert ids(reading) == ["a", "b"]
    assert lost(reading) == [6]


@pytest.mark.parametrize("broken", [b"", b"broken\r\n"])
def test_line_ends_of_windows_and_a_byte_order_mark_are_no_damage(broken):
    reading = read_bulk(b'\xef\xbb\xbf{"_id":"a"}\r\n' + broken + b'{"_id":"b"}\r\n\r\n', INTAKE)
    assert ids(reading) == ["a", "b"]
    assert lost(reading) == ([2] if broken else [])
    assert reading.warnings == []


def test_an_oversized_line_is_refused_alone():
    body = b'{"_id":"a"}\n{"_id":"b","event_data":"' + b"x" * 200 + b'"}\n{"_id":"c"}'
    reading = read_bulk(body, SMALL)
    assert ids(reading) == ["a", "c"]
    assert [(error.line, error.status, error.code) for error in reading.errors] == [
        (2, 413, "too-large")
    ]


def test_a_line_that_is_nested_too_deeply_is_refused_alone():
    deep = b'{"event_data":' + b"[" * 9000 + b"]" * 9000 + b"}"
    reading = read_bulk(b'{"_id":"a"}\n' + deep + b'\n{"_id":"b"}', INTAKE)
    assert ids(reading) == ["a", "b"]
    assert lost(reading) == [2]


def test_a_repaired_line_is_kept_and_told_with_its_place_and_id():
    body = b'{"_id":"a"}\n{"_id":"b","event_data":NaN,"event_type":"odd"}\n{"_id":"c"}'
    reading = read_bulk(body, INTAKE)
    assert ids(reading) == ["a", "b", "c"]
    assert [(note.line, note.event_id) for note in reading.warnings] == [(2, "b"), (2, "b")]


def test_a_line_that_is_not_utf8_leaves_the_others_as_they_are():
    reading = read_bulk('{"_id":"ü"}\n'.encode() + b'{"_id":"\xfc"}\n', INTAKE)
    assert ids(reading) == ["ü", "ü"]
    assert [note.line for note in reading.warnings] == [2]


def test_a_body_of_only_broken_lines_has_no_events_and_an_error_for_each():
    reading = read_bulk(b"one\n\ntwo\n{", INTAKE)
    assert reading.events == []
    assert lost(reading) == [1, 3, 4]


@given(st.lists(st.sampled_from([b'{"_id":"a"}', b'{"_id":"b","x":1}', b"{", b"", b" ", b"1", b"[]"])))
def test_every_line_is_judged_by_itself(lines):
    lines = [b'{"_id":"first"}', *lines]
    reading = read_bulk(b"\n".join(lines), INTAKE)
    kept, broken = [], []
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                kept.append(INTAKE.read(line).event.event_id)
            except InvalidInputError:
                broken.append(number)
    assert ids(reading) == kept
    assert lost(reading) == broken


# -- One event over several lines ------------------------------------------------------------------


@pytest.mark.parametrize(
    "document",
    [
        {"_id": "a"},
        {"_id": "a", "event_data": {"n": [1, 2]}},
        {"_id": "a", "event_data": {"n": [{}]}},
        {"_id": "a", "note": {"n": [1, 2]}},
        {"_id": "a", "note": {"n": [1, {}]}},
        {"_id": "a", "event_data": {"n": [float("nan"), {}]}},
    ],
)
def test_a_single_event_printed_over_several_lines_is_one_event(document):
    reading = read_bulk(json.dumps(document, indent=2).encode(), INTAKE)
    assert ids(reading) == ["a"]
    assert reading.rejected == 0


def test_a_single_broken_event_over_several_lines_is_refused_line_by_line():
    reading = read_bulk(b'{\n  "_id": "a",\n  "event_data": \n}', INTAKE)
    assert reading.events == []
    assert lost(reading) == [1, 2, 3, 4]


def test_a_single_event_over_several_lines_may_not_be_larger_than_others():
    reading = read_bulk(json.dumps({"event_data": ["x" * 80] * 3}, indent=1).encode(), SMALL)
    assert reading.events == []
    assert reading.rejected > 0


# -- Arrays ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("start", [b"", b" \r\n", b"\xef\xbb\xbf", b"\xef\xbb\xbf\n"])
def test_an_array_is_known_by_its_first_character(start):
    reading = read_bulk(start + b'[{"_id":"a"},\n\n{"_id":"b"}]\n', INTAKE)
    assert ids(reading) == ["a", "b"]


def test_an_empty_array_has_no_events():
    assert read_bulk(b"[]", INTAKE) == BulkReading()


def test_items_of_an_array_that_are_no_events_are_told_by_their_number():
    reading = read_bulk(b'[{"_id":"a"}, 1, [], "x", null, {"_id":"b"}]', INTAKE)
    assert ids(reading) == ["a", "b"]
    assert lost(reading) == [2, 3, 4, 5]


def test_an_oversized_item_is_refused_alone():
    body = b'[{"_id":"a"}, {"event_data":"' + b"x" * 200 + b'"}, {"_id":"b"}]'
    reading = read_bulk(body, SMALL)
    assert ids(reading) == ["a", "b"]
    assert [(error.line, error.status) for error in reading.errors] == [(2, 413)]


def test_an_item_that_is_nested_too_deeply_is_refused_alone():
    deep = b'{"event_data":' + b"[" * 200 + b"]" * 200 + b"}"
    reading = read_bulk(b'[{"_id":"a"},' + deep + b',{"_id":"b"}]', INTAKE)
    assert ids(reading) == ["a", "b"]
    assert lost(reading) == [2]


def test_a_damaged_array_is_repaired():
    body = b'[{"_id":"a"}, {"_id":"b","event_data":[NaN,"\\ud800"]}, 5, {"_id":"c"}]'
    reading = read_bulk(body, INTAKE)
    assert ids(reading) == ["a", "b", "c"]
    assert lost(reading) == [3]
    assert decode_json(reading.events[1].event_data) == ["NaN", "\\ud800"]
    assert {note.line for note in reading.warnings} >= {2}


def test_only_the_damaged_items_of_an_array_are_told_of():
    reading = read_bulk(b'[{"_id":"a"}, {"_id":"b","event_data":NaN}, {"_id":"c"}]', INTAKE)
    assert [(note.line, note.event_id) for note in reading.warnings] == [(2, "b")]


@pytest.mark.parametrize(
    "member",
    [b'"event_data":"' + b"x" * 200, b'"event_data":"' + "é".encode() * 100, b'"note":"' + b"x" * 200],
    ids=["data", "data in bytes", "unknown member"],
)
def test_an_oversized_item_of_a_damaged_array_is_refused_alone(member):
    body = b'[{"_id":"a","event_data":NaN}, {"_id":"b",' + member + b'"}, {"_id":"c"}]'
    reading = read_bulk(body, SMALL)
    assert ids(reading) == ["a", "c"]
    assert [(error.line, error.status) for error in reading.errors] == [(2, 413)]


@pytest.mark.parametrize("levels", [96, 97, 200])
def test_in_a_damaged_array_depth_is_that_of_the_single_item(levels):
    deep = b'{"_id":"b","event_data":' + b"[" * levels + b"]" * levels + b"}"
    reading = read_bulk(b'[{"_id":"a","event_data":NaN},' + deep + b',{"_id":"c"}]', INTAKE)
    assert ids(reading) == (["a", "b", "c"] if levels == 96 else ["a", "c"])


def test_an_array_in_latin1_is_read():
    reading = read_bulk(b'[{"_id":"\xfc"}]', INTAKE)
    assert ids(reading) == ["ü"]
    assert "Latin-1" in reading.warnings[0].detail


@pytest.mark.parametrize("body", [b"[", b'[{"_id":"a"}', b'[{"_id":"a"}] x', b'[{"_id":"a"} {}]'])
def test_an_array_that_is_not_json_is_refused_as_a_whole(body):
    with pytest.raises(MalformedJsonError, match="not JSON"):
        read_bulk(body, INTAKE)


# -- Bounds ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [b"", b"\n", b" \r\n\t\n", b"\xef\xbb\xbf", b"\xef\xbb\xbf\n"])
def test_an_empty_body_is_refused(body):
    with pytest.raises(MalformedJsonError, match="empty"):
        read_bulk(body, INTAKE)


@pytest.mark.parametrize("form", [b"\n".join, lambda items: b"[" + b",".join(items) + b"]"])
def test_errors_are_listed_up_to_the_bound_and_counted_beyond(form):
    reading = read_bulk(form([b'{"_id":"a"}'] + [b"7"] * (MAX_NOTES + 5)), INTAKE)
    assert ids(reading) == ["a"]
    assert reading.rejected == MAX_NOTES + 5
    assert [error.line for error in reading.errors] == list(range(2, MAX_NOTES + 2))


@pytest.mark.parametrize("form", [b"\n".join, lambda items: b"[" + b",".join(items) + b"]"])
def test_warnings_are_listed_up_to_the_bound_and_every_event_is_kept(form):
    reading = read_bulk(form([b'{"event_type":"odd","log_level":"odd"}'] * MAX_NOTES), INTAKE)
    assert len(reading.events) == MAX_NOTES
    assert [note.line for note in reading.warnings] == [n // 2 + 1 for n in range(MAX_NOTES)]
    assert reading.rejected == 0


@pytest.mark.parametrize("codec", ["utf-16", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("text", ['{"_id":"a"}\r\n{"_id":"b"}\r\n', '[{"_id":"a"}, {"_id":"b"}]'])
def test_a_body_that_powershell_wrote_is_read_and_that_is_told_once(codec, text):
    reading = read_bulk(text.encode(codec), INTAKE)
    assert ids(reading) == ["a", "b"]
    assert [(one.line, one.event_id) for one in reading.warnings] == [(1, "a")]
    assert "was read as that. Send UTF-8" in reading.warnings[0].detail


def test_lines_of_other_loggers_stand_among_events_and_each_is_told():
    body = b'{"_id":"a"}\n{"msg":"jam","level":50,"time":1700000000123}\n{"_id":"b","level":"warn"}'
    reading = read_bulk(body, INTAKE)
    assert [event.log_level for event in reading.events] == [20, 40, 30]
    assert decode_json(reading.events[1].event_data) == {"message": "jam", "level": 50}
    assert [one.line for one in reading.warnings] == [2, 3]


def lines(items: list[bytes]) -> bytes:
    return b"\n".join(items)


def array(items: list[bytes]) -> bytes:
    return b"[" + b",".join(items) + b"]"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("form", "item"),
    [(lines, b"{}"), (array, b"{}"), (lines, b"7"), (array, b"7"), (lines, b'{"x":1}')],
)
def test_a_body_of_more_events_than_one_may_have_is_refused(form, item):
    with pytest.raises(TooLargeError, match="more than 100,000 events"):
        read_bulk(form([b"{}"] + [item] * MAX_EVENTS), INTAKE)


@pytest.mark.parametrize("form", [lines, array])
def test_a_body_may_have_as_many_events_as_the_bound(form):
    reading = read_bulk(form([b'{"event_data":[1,2,3,4,5,6]}'] * MAX_EVENTS), INTAKE)
    assert len(reading.events) == MAX_EVENTS


def test_blank_lines_are_not_counted_as_events():
    body = b'{"_id":"a"}' + b"\n" * 3_000_000 + b'broken\n {"_id":"b"} \n' + b" \t\n" * 100_000
    reading = read_bulk(body, INTAKE)
    assert ids(reading) == ["a", "b"]
    assert lost(reading) == [3_000_001]


def test_lines_keep_their_numbers_in_a_body_of_several_batches():
    good = b'{"_id":"%d","event_data":"' + b"x" * 1000 + b'"}'
    rows = [good % number for number in range(1, 1001)]
    rows[499] = b"broken"
    rows[899] = b'{"_id":"900","event_data":NaN}'
    reading = read_bulk(lines(rows), INTAKE)
    assert ids(reading) == [str(n) for n in range(1, 1001) if n != 500]
    assert lost(reading) == [500]
    assert [note.line for note in reading.warnings] == [900]


@pytest.mark.parametrize("long", [0, 1, 500, 4_999])
def test_short_lines_and_a_long_one_keep_their_order(long):
    """Batches are bounded by their lines, too; a line may be longer than a batch."""
    rows = [b'{"_id":"%d"}' % number for number in range(5_000)]
    rows[long] = b'{"_id":"%d","event_data":"%b"}' % (long, b"x" * 200_000)
    reading = read_bulk(lines(rows), INTAKE)
    assert ids(reading) == [str(number) for number in range(5_000)]
    assert lost(reading) == []


def test_by_far_too_many_lines_are_refused_before_they_are_read():
    read = []

    class Counting(Intake):
        def read_lines(self, body):
            read.append(body)
            return super().read_lines(body)

    with pytest.raises(TooLargeError, match="more than 100,000 events"):
        read_bulk(b"{}\n" * (2 * MAX_EVENTS), Counting({}))
    assert len(read) == 1


@pytest.mark.parametrize(
    "body",
    [
        b"\n" * 1_000_000,
        b"{}" * 600_000,
        b"{} " * 600_000,
        b"1\n" * 600_000,
        b"[" + b"1," * 600_000 + b"1]",
        b"[" + b"{}," * 600_000 + b"{}]",
        b"[" + b"{}," * 600_000 + b"NaN]",
        b"[[" + b"[]," * 60_000 + b"[]]]",
        b'{"event_data":[' + b"{}," * 600_000 + b"{}]}",
        b"[" * 60_000,
    ],
    ids=[
        "blank lines", "events on a line", "events with spaces", "lines of one byte", "numbers",
        "array of events", "damaged array", "array in an array", "values in an event", "depth",
    ],
)  # fmt: skip
def test_what_a_body_is_made_to_takes_a_bounded_multiple_of_its_size(body, monkeypatch):
    monkeypatch.setattr(bulk, "MAX_EVENTS", 3_000)
    tracemalloc.start()
    try:
        with contextlib.suppress(TooLargeError, InvalidInputError):
            assert len(read_bulk(body, INTAKE).events) <= 1
        assert tracemalloc.get_traced_memory()[1] < 100_000_000
    finally:
        tracemalloc.stop()


def test_a_single_event_of_too_many_values_is_refused():
    with pytest.raises(TooLargeError, match="values"):
        read_one(b'{"event_data":[' + b"{}," * 1_000_000 + b"{}]}", INTAKE)
