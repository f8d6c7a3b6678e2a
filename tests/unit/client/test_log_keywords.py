"""A datum that is named like a keyword of log calls is data, unless it has the keyword's type."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
import warnings

import numpy as np
import pytest

from madsci.client.event_client import EventClient
from madsci.client.testing import capture_events
from madsci.client.writing import arguments
from madsci.common.types.event_types import Event, EventLogLevel, EventType

METHODS = (
    "debug", "info", "warning", "error", "critical", "exception", "log_debug", "log_info",
    "log_warning", "log_error", "log_critical", "log", "alert", "log_alert", "warn",
)  # fmt: skip
NAMES = (
    "self", "event", "message", "msg", "args", "kwargs", "fields", "given", "level", "alert",
    "exc_info", "stack_info", "event_type", "warning_category", "timestamp", "logger", "name",
    "source", "error",
)  # fmt: skip


@pytest.fixture
def client(make_client):
    return make_client(log_level=0, log_file_enabled=False)


@pytest.fixture(autouse=True)
def _quiet(monkeypatch):
    monkeypatch.setattr(arguments, "_unknown_types", set())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("value", ["opened", {"rule": "door"}, 12.5, ["a"], object()])
def test_a_datum_of_any_name_is_kept_and_not_obeyed(client, method, value):
    for name in NAMES:
        with capture_events() as events:
            getattr(client, method)("Door", **{name: value})
        (event,) = events
        kept = event.event_data["message_" if name == "message" else name]
        assert kept == (str(value) if type(value) is object else value), name
        assert event.event_data["message"] == "Door"
        assert event.alert is (method in {"alert", "log_alert"})
        assert "exception_type" not in event.event_data
        assert "stack" not in event.event_data


@pytest.mark.parametrize(
    ("value", "raised"),
    [
        (True, True), (False, False), ("true", True), ("False", False), ("yes", True), ("", False),
        (1, True), (0, False), (np.bool_(True), True), (None, False),
    ],
)  # fmt: skip
def test_flags_are_read_as_the_server_reads_them(client, value, raised):
    with capture_events() as events:
        client.info("x", alert=value)
        client.log("x", alert=value)
        client.log({"a": 1}, alert=value)
        client.log(Event(event_data={"a": 1}), alert=value)
        client.log("x", None, value)
    assert [event.alert for event in events] == [raised] * 5
    assert all("alert" not in event.event_data for event in events)


def test_an_alert_is_logged_at_any_level(make_client):
    quiet = make_client(log_level="CRITICAL", log_file_enabled=False)
    with capture_events() as events:
        quiet.debug("loud", alert=np.bool_(True))
        quiet.info("loud", alert="true")
        quiet.info("quiet", alert="door open")
        quiet.log("quiet", alert={"rule": "door"})
    assert [event.event_data["message"] for event in events] == ["loud", "loud"]


def test_an_alert_keeps_a_datum_called_alert(client):
    rule = {"rule": "door open"}
    with capture_events() as events:
        client.alert("Door", alert=rule)
        client.alert(Event(event_data={"a": 1}), alert=rule)
    assert [(event.alert, event.event_data["alert"]) for event in events] == [(True, rule)] * 2


def test_exceptions_are_described_beside_data_of_their_names(client):
    with capture_events() as events:
        try:
            raise KeyError("tip")  # noqa: TRY301 - it is handled where it is logged
        except KeyError as error:
            client.exception("a", exc_info="see page 4", traceback="mine", exception_type="mine")
            client.error("b", exc_info=1)
            client.error("c", exc_info=sys.exc_info())
            kept = error
        client.error("d", exc_info=kept, stack_info=True, stack=["A1"])
        client.error("e", exc_info=("a", "b"))
        client.exception("f", exc_info=False)
    data = [event.event_data for event in events]
    assert (data[0]["exc_info"], data[0]["traceback"]) == ("see page 4", "mine")
    assert (data[0]["exception_type"], data[0]["exception_type_"]) == ("mine", "KeyError")
    assert data[0]["traceback_"].endswith("KeyError: 'tip'")
    assert [one.get("exception_type") for one in data[1:]] == ["KeyError"] * 3 + [None] * 2
    assert data[3]["stack"] == ["A1"]
    assert "test_exceptions_are_described" in data[3]["stack_"]
    assert data[4]["exc_info"] == ["a", "b"]


def test_options_of_log_are_read_by_place_and_by_name(client):
    with capture_events() as events:
        client.log("a", 40, True)
        client.log("b", EventLogLevel.ERROR)
        client.log("c", level="error", alert=True)
        client.log("%s moved to %d", "P7", 3)
        client.log("tank", level=12.5)
        client.log("tank", level="high")
        client.log("none", -1, None, None)
        client.log(event="named")
        client.log()
        client.log_info(event=Event(event_data="named"))
        client.log_error(message="named")
        client.log({"a": 1}, event_type="node_error")
        client.log(Event(), event_type=EventType.NODE_ERROR)
    assert [int(event.log_level) for event in events] == [40, 40, 40, *[20] * 7, 40, 20, 20]
    assert [event.alert for event in events[:4]] == [True, False, True, False]
    data = [event.event_data for event in events]
    assert data[3] == {"message": "P7 moved to 3"}
    assert [one["level"] for one in data[4:6]] == [12.5, "high"]
    assert data[6:11] == [
        {"message": "none"}, {"message": "named"}, {"message": ""}, "named", {"message": "named"},
    ]  # fmt: skip
    assert [event.event_type for event in events[-2:]] == [EventType.NODE_ERROR] * 2


def test_warning_categories_are_classes_of_warnings(client):
    with pytest.warns(DeprecationWarning, match="old"):
        client.log("old", 30, None, DeprecationWarning)
    with pytest.warns(UserWarning, match="wet"):
        client.log_warning("wet", warning_category="humidity")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        client.log_warning("silent", warning_category=None)


def test_an_unknown_event_type_is_told_once(client, capsys):
    with capture_events() as events:
        for _ in range(3):
            client.info("x", event_type="node_errr")
        client.info("x", event_type={"a": "datum"})
    assert capsys.readouterr().err.count("node_errr") == 1
    assert (events[0].event_type, events[0].event_data["event_type"]) == ("log_info", "node_errr")
    for number in range(2 * arguments.MAX_UNKNOWN_TYPES):
        client.info("x", event_type=f"made_up_{number}")
    assert capsys.readouterr().err.count("made_up_") < arguments.MAX_UNKNOWN_TYPES
    assert len(arguments._unknown_types) == arguments.MAX_UNKNOWN_TYPES


def test_levels_can_be_asked_for(make_client):
    client = make_client(log_level="WARNING", log_file_enabled=False)
    assert [client.is_enabled_for(level) for level in (20, "info", 30, "WARNING", 60)] == [
        False, False, True, True, True,
    ]  # fmt: skip
    with pytest.raises(ValueError, match="'loud' is not a level"):
        client.is_enabled_for("loud")


@pytest.mark.parametrize("method", METHODS)
def test_signatures_name_the_keywords(method):
    shown = inspect.signature(getattr(EventClient, method))
    names = {"event_type", "exc_info", "stack_info", *(["alert"] if "alert" not in method else [])}
    assert names <= set(shown.parameters)
    assert shown.parameters["fields"].kind is inspect.Parameter.VAR_KEYWORD
    assert list(shown.parameters.values())[1].kind is inspect.Parameter.POSITIONAL_ONLY


def test_whatever_is_logged_nothing_is_raised(client):
    class Unbound:
        @property
        def __class__(self):
            raise RuntimeError("working outside of a request")

    class Broken:
        def __getattribute__(self, name):
            raise SystemError(name)

    with capture_events() as events:
        for method in METHODS:
            for value in (Unbound(), Broken()):
                getattr(client, method)(value)
                getattr(client, method)("x", **dict.fromkeys(NAMES, value))
    assert len(events) == 4 * len(METHODS)


def test_values_are_told_while_the_interpreter_ends(tmp_path):
    program = """
import sys, unittest.mock
from madsci.client.event_client import EventClient
client = EventClient(name="last", log_console_enabled=False, log_dir="logs")
class Last:
    def __del__(self, client=client, value=unittest.mock.Mock(spec=int), is_ending=sys.is_finalizing):
        client.info("last", value=value, steps={1, 2}, alert={"a": 1}, event_type="no", end=is_ending())
last = Last()
"""
    run = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "Traceback" not in run.stderr
    (line,) = (tmp_path / "logs" / "last.log").read_text().splitlines()
    assert json.loads(line)["event_data"]["end"] is True
