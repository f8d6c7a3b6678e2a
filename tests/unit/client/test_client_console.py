"""The console: a line that people can read, or JSON, and never a failure."""

from __future__ import annotations

import io
import json
import re
import sys

import pytest

from madsci.client.event_client import EventClient
from madsci.client.writing import console
from madsci.common.types.event_types import Event


@pytest.fixture
def client(make_client):
    return make_client(log_console_enabled=True, log_file_enabled=False)


def test_a_line_has_time_level_text_and_sorted_data_without_colours(client, capsys):
    client.info("hello", event_type="workflow_complete", duration_ms=1500, plate="P7")
    line = capsys.readouterr().err
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z \[info     \] hello +duration_ms=1500"
        r" event_type=workflow_complete plate=P7\n",
        line,
    )


def test_a_traceback_follows_the_line(client, capsys):
    try:
        int("tip lost")
    except ValueError:
        client.exception("Failed")
    output = capsys.readouterr().err
    assert "[error    ] Failed" in output.splitlines()[0]
    assert output.rstrip().endswith("with base 10: 'tip lost'")


def test_json_lines_have_the_text_under_event(make_client, capsys):
    client = make_client(log_console_enabled=True, log_output_format="json")
    client.warning("hi", a=1, level="mine")
    fields = json.loads(capsys.readouterr().err)
    assert fields.pop("timestamp").endswith("Z")
    assert fields == {"event": "hi", "level": "warning", "level_": "mine", "a": 1}


@pytest.mark.parametrize("name", ["timestamp", "level", "event", "exception", "stack", "exc_info"])
def test_data_named_like_columns_do_not_disturb(client, capsys, name):
    client.info("hello", **{name: ["odd"]})
    assert "hello" in capsys.readouterr().err


def test_events_of_any_data_have_a_line(client, capsys):
    for data in ("text", None, 3, [1], {"message": {"no": "text"}}):
        client.log(Event(event_data=data, alert=True))
    assert capsys.readouterr().err.count("[info     ]") == 5


class Terminal(io.TextIOWrapper):
    def isatty(self):
        return True


def test_colours_are_for_terminals_and_respect_no_color(client, monkeypatch):
    def written(stream):
        monkeypatch.setattr(sys, "stderr", stream)
        client.info("hello")
        stream.flush()
        return stream.buffer.getvalue()

    assert b"\x1b[" in written(Terminal(io.BytesIO(), encoding="utf-8"))
    monkeypatch.setenv("NO_COLOR", "1")
    assert b"\x1b[" not in written(Terminal(io.BytesIO(), encoding="utf-8"))


def test_a_console_of_few_characters_or_none_does_not_fail(client, monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stderr", stream)
    client.info("µl → ü")
    stream.flush()
    assert b"\\xb5l" in stream.buffer.getvalue()
    closed = io.StringIO()
    closed.close()
    for gone in (closed, None):
        monkeypatch.setattr(sys, "stderr", gone)
        client.info("nobody hears")


def test_nothing_that_is_logged_acts_on_the_console(client, capsys):
    client.info("a\nb\x1b[31m", **{"na\nme\x9b": "v\r\u202e", "deep": {"k\n": ["\x1b"]}})
    output = capsys.readouterr().err
    assert output.count("\n") == 1
    assert r"a\nb\x1b[31m" in output
    assert r"na\nme\x9b=v\r\u202e" in output
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", output)


def test_traces_keep_their_lines_and_nothing_else(client, capsys):
    client.error("Failed", exc_info=ValueError("tip\x1b[2Jlost"), stack_info=True)
    output = capsys.readouterr().err
    assert "\x1b" not in output
    assert r"ValueError: tip\x1b[2Jlost" in output.splitlines()[-1]
    assert len(output.splitlines()) > 5


def test_without_its_renderer_the_console_has_plain_lines(monkeypatch, capsys):
    for name in [name for name in sys.modules if name.split(".")[0] == "structlog"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "structlog", None)
    monkeypatch.setattr(console, "_renderers", {})
    with EventClient(name="robot", log_console_enabled=True, log_file_enabled=False) as client:
        try:
            int("x")
        except ValueError:
            client.exception("fai\nled", plate="P7", also=[1])
    first, *trace = capsys.readouterr().err.splitlines()
    assert re.fullmatch(r"\S+Z \[error    \] fai\\nled also=\[1\] plate=P7", first)
    assert trace[0].startswith("Traceback")
