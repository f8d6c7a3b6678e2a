"""Segments keep whole lines, and tell torn and damaged ones from good ones."""

from __future__ import annotations

import pytest

from madsci.client.spool.contract import event_id_of
from madsci.client.spool.cursor import Cursor, decode_cursor, encode_cursor, later
from madsci.client.spool.lines import OVERHEAD, decode_line, encode_line
from madsci.client.spool.losses import Losses
from madsci.client.spool.segments import MemorySegment, Segment, file_name, parse_file_name


def fill(segment, *bodies):
    for body in bodies:
        line = encode_line(body, segment.count + 1, 7)
        segment.write(line)
        segment.size, segment.count = segment.size + len(line), segment.count + 1
    return segment


def bodies(segment, limit=None):
    return [line.body for line in segment.lines(0, limit) if line.body is not None]


def test_a_line_comes_back_as_it_was_and_any_changed_byte_but_of_its_time_shows():
    raw = encode_line(b'{"a":1}', 17, 1234)[:-1]
    assert len(raw) < len(b'{"a":1}') + OVERHEAD
    (line,) = decode_line(raw, 10)
    assert (line.body, line.number, line.moment) == (b'{"a":1}', 17, 1234)
    assert line.end == 10 + len(raw) + 1
    time_at = raw.index(b" 4d2 ") + 1
    for index in [*range(time_at), *range(time_at + 3, len(raw))]:
        changed = raw[:index] + bytes([raw[index] ^ 1]) + raw[index + 1 :]
        assert [line.body for line in decode_line(changed, 0)] == [None]
    (line,) = decode_line(raw[:time_at] + b"?" + raw[time_at + 1 :], 0)
    assert (line.body, line.moment) == (b'{"a":1}', 0)
    assert list(decode_line(b"", 0)) == []


def test_line_breaks_between_values_become_spaces():
    (line,) = decode_line(encode_line(b'{\n"a":1}', 1, 1)[:-1], 0)
    assert line.body == b'{ "a":1}'


ONE, TWO = (encode_line(b'{"n":%d}' % n, n, 7)[:-1] for n in (1, 2))


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        (ONE + TWO, [1, 2]),
        (ONE + b"x" + TWO, [1, 2]),
        (ONE[:-3] + TWO, [None, 2]),
        (ONE[:12] + TWO, [None, 2]),
        (ONE[:5] + TWO, [None, 2]),
        (bytes(99) + TWO, [2]),
        (ONE + bytes(99), [1]),
        (ONE + bytes(99) + TWO, [1, 2]),
        (ONE + b"garbage", [None]),
        (bytes(99), []),
    ],
)
def test_whole_events_are_found_where_line_breaks_are_gone(raw, found):
    lines = list(decode_line(raw, 1000))
    assert [line.number if line.body else None for line in lines] == found
    assert all(1000 < line.end <= 1000 + len(raw) + 1 for line in lines)
    for line in lines:  # reading on from there finds the rest, and nothing twice
        rest = list(decode_line(raw[line.end - 1000 :], line.end))
        numbers = [one.number for one in rest if one.body]
        assert numbers == [n for n in found if n and n > line.number][: len(numbers)]


def test_a_line_of_a_spool_that_is_the_text_of_an_event_is_no_event():
    text = ONE.decode().replace('"', '\\"')
    raw = encode_line(b'{"text":"%b"}' % text.encode(), 1, 7)[:-1]
    assert [line.body for line in decode_line(b"x" + raw[1:], 0)] == [None]


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


@pytest.mark.parametrize("cut", range(1, 18))
def test_a_torn_tail_is_not_read(tmp_path, cut):
    path = tmp_path / "a.events"
    fill(Segment.create(path, 1, 0, 999), b"one", b"two").close()
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    segment = Segment.existing(path, 1, 0)
    assert segment.first_number == 1
    # The line break alone may be missing: then the event is there as a whole.
    expected = [b"one", b"two"] if cut == 1 else [b"one"]
    assert bodies(segment) == expected
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


def test_cursors_come_back_and_damaged_ones_are_none():
    cursor = Cursor(3, 4096, 70, 90, 2, Losses(7, 100, 200))
    text = encode_cursor(cursor)
    assert decode_cursor(text + b"rest of a longer one") == cursor
    for length in range(len(text) - 1):
        assert decode_cursor(text[:length]) is None
        changed = text[:length] + bytes([text[length] ^ 1]) + text[length + 1 :]
        assert decode_cursor(changed) is None


def test_of_two_cursors_the_later_holds_and_any_is_better_than_none():
    early, late = Cursor(1, 0, 5, 9, 0, Losses()), Cursor(1, 9, 6, 9, 0, Losses())
    assert later(early, late) == later(late, early) == later(None, late) == late
    assert later(None, None) is None


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
