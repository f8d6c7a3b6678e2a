"""The lines of a live stream, however the network cuts them."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from madsci.client.reading.live_lines import Ending, Happening, LineReader, Standing
from support.live_peer import document, end_line, event_line, line, place, standing_line

SAID = (
    standing_line(0, is_live=False, missed=3)
    + event_line(1, source={"node_id": "Zürich \u2028 ☃"})
    + b"\r\n\n"
    + standing_line(1).replace(b"\n", b"\r\n")
    + line({"position": place(1), "colour": "a kind of a later release"})
    + end_line(1)
)
MEANT = [
    Standing(place(0), is_live=False, missed=3),
    Happening(place(1), document(1, source={"node_id": "Zürich \u2028 ☃"})),
    Standing(place(1), is_live=True, missed=0),
    Ending(place(1), "the server stops"),
]


@given(st.lists(st.integers(0, len(SAID))))
def test_lines_mean_the_same_wherever_the_stream_is_cut(cuts):
    reader, bounds = LineReader(), [0, *sorted(cuts), len(SAID)]
    pieces = [SAID[first:last] for first, last in pairwise(bounds)]
    assert [found for piece in pieces for found in reader.read(piece)] == MEANT


def test_a_line_is_not_there_before_it_ends():
    reader = LineReader()
    assert reader.read(event_line(1)[:-1]) == []
    assert reader.read(b"\n") == [Happening(place(1), document(1))]


@pytest.mark.parametrize(
    "text",
    [
        b"<html>", b"[]", b"null", b"{}", b'{"position": 7, "event": {}}',
        b'{"position": "a-1", "event": 7}', b'{"position": "a-1", "is_live": true, "missed": "many"}',
        b"\xff\xfe", b"[" * 100_000,
    ],
)  # fmt: skip
def test_a_line_that_cannot_be_read_is_told_and_spoils_no_others(text, capsys):
    assert LineReader().read(text + b"\n" + event_line(1)) == [Happening(place(1), document(1))]
    told = capsys.readouterr().err
    assert "cannot be read" in told
    assert len(told) < 400


def test_a_line_without_end_takes_no_more_memory_than_the_largest_and_is_left_out(capsys):
    reader = LineReader(max_line=1_000)
    for _ in range(5):
        assert reader.read(b"x" * 900) == []
    assert reader.read(b"\n" + event_line(2)) == [Happening(place(2), document(2))]
    assert "more than 1,000 bytes" in capsys.readouterr().err


def test_a_large_event_comes_whole():
    big = line({"position": place(1), "event": {"event_data": "x" * 16_000_000}})
    reader = LineReader()
    pieces = [big[at : at + 65_536] for at in range(0, len(big), 65_536)]
    ((found,),) = [lines for piece in pieces if (lines := reader.read(piece))]
    assert isinstance(found, Happening)
    assert len(found.document["event_data"]) == 16_000_000
