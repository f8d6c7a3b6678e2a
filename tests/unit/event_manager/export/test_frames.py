"""Entries of the feed as frames of server-sent events, and as lines of JSON."""

from __future__ import annotations

import json

from madsci.event_manager.export.frames import JsonLines, ServerSentEvents
from madsci.event_manager.model.feed import Entry, Position
from madsci.event_manager.model.stored_event import StoredEvent, encode_event
from madsci.event_manager.model.ulid_sources import AS_STORED

START = Position.of([("a", 3), ("b", 7)])
SSE, LINES = ServerSentEvents(AS_STORED), JsonLines(AS_STORED)


def entry(lane: str, number: int, data: str = "{}") -> Entry:
    event = StoredEvent(f"{lane}{number}", "log_info", 20, False, 0, 0, {}, data)
    return Entry(lane, number, event)


ENTRIES = [entry("b", 8), entry("a", 4, '{"message":"two\\nlines\\r"}'), entry("b", 9)]


def test_each_event_is_a_message_whose_id_is_the_position_behind_it():
    frames = SSE.entries(START, ENTRIES, [True, True, True]).decode().split("\n\n")
    assert frames.pop() == ""
    heads, bodies = zip(*[frame.split("\n") for frame in frames], strict=True)
    assert heads == ("id: a-3.b-8", "id: a-4.b-8", "id: a-4.b-9")
    assert [json.loads(one.removeprefix("data: ")) for one in bodies] == [
        json.loads(encode_event(one.event)) for one in ENTRIES
    ]


def test_what_is_not_wanted_leaves_no_frame_and_moves_the_position():
    frames = SSE.entries(START, ENTRIES, [False, False, True]).decode()
    assert frames.startswith("id: a-4.b-9\n")
    assert SSE.entries(START, ENTRIES, [False] * 3) == b""


def test_lines_hold_the_position_and_the_event():
    lines = LINES.entries(START, ENTRIES, [True, False, True]).decode().splitlines()
    found = [json.loads(line) for line in lines]
    assert [(one["position"], one["event"]["_id"]) for one in found] == [
        ("a-3.b-8", "b8"), ("a-4.b-9", "b9"),
    ]  # fmt: skip


def test_how_far_it_is_and_the_end_are_frames_with_a_name():
    position = SSE.position(START, is_live=True, missed=2).decode()
    assert position == (
        'id: a-3.b-7\nevent: position\ndata: {"position":"a-3.b-7","is_live":true,"missed":2}\n\n'
    )
    end = SSE.end(START, "The server stops.").decode()
    assert end.splitlines()[:2] == ["id: a-3.b-7", "event: end"]
    assert json.loads(LINES.end(START, "Why")) == {"position": "a-3.b-7", "end": "Why"}
    assert json.loads(LINES.position(START, is_live=False)) == {
        "position": "a-3.b-7", "is_live": False, "missed": 0,
    }  # fmt: skip
