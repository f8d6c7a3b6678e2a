"""Events as lines for people."""

from __future__ import annotations

import json
import re
import time
from datetime import datetime, timezone

import pytest

from madsci.client.terminal.event_lines import EventLines, json_line
from madsci.common.types.event import Event
from support.hostile import NAUGHTY

MOMENT = datetime(2026, 11, 23, 15, 55, 27, 2393, tzinfo=timezone.utc)
PLAIN = EventLines(has_colors=False)


pytestmark = pytest.mark.skipif(not hasattr(time, "tzset"), reason="no zone can be set here")


@pytest.fixture(autouse=True)
def berlin(monkeypatch):
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def event(data: object, **members: object) -> Event:
    return Event(**{"event_timestamp": MOMENT, "source": {}, "event_data": data, **members})


def test_a_line_says_when_where_and_what_and_shows_the_data():
    shown = event(
        {
            "message": "Gripper jammed",
            "plate": "P7",
            "force": 12.5,
            "note": "by hand",
            "in": [1, None],
        },
        log_level="error",
        event_type="node_error",
        source={"node_id": "arm-1", "user_id": "ada"},
    )
    assert PLAIN.line(shown) == (
        "2026-11-23 16:55:27.002 error    node_error        node:arm-1  Gripper jammed"
        ' plate=P7 force=12.5 note="by hand" in=[1, null]'
    )


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ({}, "-"),
        ({"node_id": "01M84HX3CTDS9P8A5QKCMA1TVT"}, "node:MA1TVT"),
        ({"user_id": "ada", "workflow_id": "wf-1"}, "workflow:wf-1"),
        ({"node_id": "n" * 300}, f"node:{'n' * 25}…"),
        ({"node_id": "a\nb"}, "node:a\\nb"),
    ],
)
def test_the_source_is_named_shortly(source, shown):
    assert PLAIN.line(event({"message": "m"}, source=source)).split()[4] == shown


@pytest.mark.parametrize(
    ("data", "end"),
    [
        ({"message": ["no", "text"]}, '["no", "text"]'),
        ("just a text", "just a text"),
        (None, "null"),
        (7, "7"),
        ({}, "-"),
        ({"message": "m", "empty": ""}, 'm empty=""'),
        ({"message": "m", "text": "x" * 300}, f"m text={'x' * 199}…"),
        (
            {"message": "failed", "traceback": "a\nb", "exception_type": "OSError"},
            "exception_type=OSError",
        ),
    ],
)
def test_any_data_has_a_line(data, end):
    assert PLAIN.line(event(data)).endswith(end)


def test_a_time_at_the_end_of_the_calendar_has_a_line():
    late = datetime(9999, 12, 31, 23, 59, 59, tzinfo=timezone.utc)
    assert PLAIN.line(event({}, event_timestamp=late)).startswith("9999-12-31 23:59:59")


def test_an_alert_is_seen_without_colours_too():
    assert " ALERT Fire" in PLAIN.line(event({"message": "Fire"}, alert=True))


def test_colours_are_around_the_parts_and_change_no_text():
    shown = event({"message": "Fire", "room": 7}, alert=True, log_level="critical")
    colored = EventLines(has_colors=True).line(shown)
    assert "\033[" in colored
    assert re.sub(r"\033\[[0-9;]*m", "", colored) == PLAIN.line(shown)


COMMANDS = ["\x1b]0;title\x07", "\x9b31m", "a\rb", "\x7f", "\u202eabc", "a\u2028b", "\x00"]


@pytest.mark.parametrize("form", [PLAIN.line, json_line])
def test_nothing_of_an_event_reaches_the_terminal_as_a_command(form):
    for text in [*COMMANDS, *NAUGHTY]:
        line = form(event({"message": text, text: text, "in": [text]}, source={"node_id": text}))
        assert not re.search("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]", line)


def test_the_json_of_an_event_is_that_event():
    whole = event({"message": "Zürich \x7f"}, extra={"colour": 1}, trace_id="a" * 32)
    document = json.loads(json_line(whole))
    assert document["_id"] == document["event_id"] == whole.event_id
    assert Event.read(document) == whole
