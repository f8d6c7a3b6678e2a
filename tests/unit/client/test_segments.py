"""Segments keep whole lines, and tell torn and damaged ones from good ones."""

from __future__ import annotations

import pytest

from madsci.client.spool.contract import event_id_of
from madsci.client.spool.cursor import Cursor, decode_cursor, encode_cursor
from madsci.client.spool.losses import Losses
from madsci.client.spool.segments import (
    MemorySegment,
    Segment,
    decode_line,
    encode_line,
    file_name,
    parse_file_name,
)


def fill(segment, *bodies):
    for body in bodies:
        line = encode_line(body, 7)
        segment.write(line)
        segment.note(len(line), 7)
    return segment


def bodies(segment):
    return [line.body for line in segment.lines(0, segment.size)]


def test_a_line_comes_back_as_it_was_and_any_changed_byte_shows():
    raw = encode_line(b'{"a":1}', 1234)[:-1]
    line = decode_line(raw, 99)
    assert (line.body, line.moment, line.end) == (b'{"a":1}', 1234, 99)
    for index in [*range(8), *range(26, len(raw))]:
        changed = raw[:index] + bytes([raw[index] ^ 1]) + raw[index + 1 :]
        assert decode_line(changed, 0).body is None
    assert decode_line(b"", 0).body is None


def test_line_breaks_between_values_become_spaces():
    assert decode_line(encode_line(b'{\n"a":1}', 1)[:-1], 0).body == b'{ "a":1}'


@pytest.mark.parametrize(
    "make", [lambda path: Segment.create(path, 1, 0, 999), lambda _: MemorySegment(1, 0, 999, 9)]
)
def test_what_is_written_can_be_read_at_once(tmp_path, make):
    segment = fill(make(tmp_path / "a.events"), b"one", b"two")
    assert bodies(segment) == [b"one", b"two"]
    fill(segment, b"x" * 600_000, b"last")
    assert bodies(segment)[2:] == [b"x" * 600_000, b"last"]
    assert segment.waiting == 4
    segment.close()


@pytest.mark.parametrize("cut", range(1, 30))
def test_a_torn_tail_is_not_read(tmp_path, cut):
    path = tmp_path / "a.events"
    fill(Segment.create(path, 1, 0, 999), b"one", b"two").close()
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    segment = Segment.existing(path, 1, 0, 0)
    # The line break alone may be missing: then the event is there as a whole.
    assert bodies(segment) == ([b"one", b"two"] if cut == 1 else [b"one"])
    segment.close()


def test_a_deleted_file_stays_readable_for_the_process_that_writes_it(tmp_path):
    segment = fill(Segment.create(tmp_path / "a.events", 1, 0, 999), b"one")
    segment.path.unlink()
    assert segment.has_vanished()
    assert bodies(segment) == [b"one"]
    segment.close()


def test_names_tell_process_and_order():
    assert parse_file_name(file_name("01ABC-77", 12)) == ("01ABC-77", 12)
    assert [parse_file_name(name) for name in ("a.events", "a-b.events", "a-1.lock")] == [None] * 3


def test_cursors_come_back_and_torn_ones_are_none():
    cursor = Cursor(3, 4096, Losses(7, 100, 200))
    text = encode_cursor(cursor)
    assert decode_cursor(text + b"rest of a longer one") == cursor
    for length in range(len(text) - 1):
        assert decode_cursor(text[:length]) == Cursor(0, 0, Losses())


@pytest.mark.parametrize(
    ("body", "event_id"),
    [
        (b'{"event_id":"abc","x":1}', "abc"),
        (b'{"x":1,"event_id":"abc"}', "abc"),
        (b'{"event_id":"a\\"b"}', 'a"b'),
        (b"{}", ""),
        (b"nonsense", ""),
    ],
)
def test_the_id_is_found_in_the_encoded_event(body, event_id):
    assert event_id_of(body) == event_id
