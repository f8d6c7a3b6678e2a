"""What a program sees of the client: what it logs arrives, rightly, and nothing it does can hurt."""

from __future__ import annotations

import asyncio
import json
import os
import platform
import subprocess
import sys
import warnings

import pytest

from madsci.client.event_client import EventClient, EventClientConfig
from madsci.client.testing import RecordingTransport, capture_events
from madsci.common.errors import SettingsError
from madsci.common.types.event_types import Event, EventLogLevel, EventType
from madsci.common.types.sender import Sender
from madsci.common.types.sender_reading import LONGEST_NAME


@pytest.fixture
def client(make_client):
    return make_client(log_file_enabled=False)


class Broken:
    def __str__(self):
        raise RuntimeError("no text")

    __repr__ = __bool__ = __str__


def test_an_event_type_goes_to_the_outer_field_and_stays_among_the_data(client):
    with capture_events() as events:
        client.info("Done", event_type=EventType.WORKFLOW_COMPLETE, workflow_id="wf-1")
    assert events[0].event_type is EventType.WORKFLOW_COMPLETE
    assert events[0].event_data == {
        "message": "Done", "event_type": "workflow_complete", "workflow_id": "wf-1",
    }  # fmt: skip


def test_an_unknown_event_type_falls_back_to_the_level_and_is_kept(client):
    with capture_events() as events:
        client.error("Oh", event_type="coffee_break")
    assert events[0].event_type is EventType.LOG_ERROR
    assert events[0].event_data["event_type"] == "coffee_break"


@pytest.mark.parametrize("name", ["debug", "info", "warning", "error", "critical"])
def test_each_method_logs_at_its_level(make_client, name):
    client = make_client(log_level=0, log_file_enabled=False)
    with capture_events() as events:
        getattr(client, name)("text")
    assert events[0].log_level is EventLogLevel[name.upper()]
    assert events[0].event_type.value == f"log_{name}"
    assert events[0].event_timestamp.utcoffset().total_seconds() == 0


def test_keywords_named_like_parameters_are_data(client):
    with capture_events() as events:
        client.info("hello", message="m", level="l", name="n", self="s", event="e", args=[1])
        client.info(message="only a keyword")
    assert events[0].event_data == {
        "message": "hello", "message_": "m", "level": "l", "name": "n", "self": "s", "event": "e",
        "args": [1],
    }  # fmt: skip
    assert events[1].event_data == {"message": "only a keyword"}


def test_percent_arguments_are_filled_in_and_never_lost(client):
    with capture_events() as events:
        client.info("%s has %d plates", "P7", 3)
        client.info("%d plates", "many")
        client.info("100 % sure", Broken())
    assert [event.event_data["message"] for event in events[:2]] == [
        "P7 has 3 plates",
        "%d plates many",
    ]
    assert events[2].event_data["message"].startswith("100 % sure")


def test_the_traceback_of_the_handled_exception_is_sent(client):
    with capture_events() as events:
        try:
            raise ValueError("tip lost")  # noqa: TRY301 - the traceback is the point
        except ValueError as error:
            kept = error
            client.error("Failed", exc_info=True)
            client.exception("Failed")
        client.error("Failed", exc_info=kept)
        client.error("Failed", exc_info=(ValueError, kept, None))
        client.error(kept)
    for event in events:
        assert event.event_data["exception_type"] == "ValueError"
        assert event.event_data["exception_message"] == "tip lost"
        assert event.event_data["traceback"].endswith("ValueError: tip lost")
    assert "test_event_client.py" in events[0].event_data["traceback"]
    assert events[4].event_data["message"] == "tip lost"


def test_exc_info_without_an_exception_adds_nothing(client):
    with capture_events() as events:
        client.error("Failed", exc_info=True)
        client.exception("Failed")
    assert [event.event_data for event in events] == [{"message": "Failed"}] * 2


def test_no_value_makes_a_log_call_raise(client):
    circle = {}
    circle["self"] = circle
    with capture_events() as events:
        for value in (Broken(), circle, float("nan"), "\ud800", 10**5000, {1: {2}}, object, b"\xff"):
            client.info("odd", value=value)
            client.info(value)
            client.info("odd", alert=value, event_type=value, exc_info=value, stack_info=value)
            client.log(value)
            client.log_info(value)
            client.alert(value)
    assert len(events) == 8 * 6


def test_not_a_number_arrives_as_text(client):
    with capture_events() as events:
        client.info("odd", a=float("nan"), b=float("-inf"), c=[float("inf")])
    assert events[0].event_data == {"message": "odd", "a": "NaN", "b": "-Infinity", "c": ["Infinity"]}


def test_what_is_logged_is_a_snapshot(client):
    wells = ["A1"]
    with capture_events() as events:
        client.info("wells", wells=wells)
        wells.append("A2")
    assert events[0].event_data["wells"] == ["A1"]


def test_events_below_the_threshold_are_left_out_but_alerts_are_not(make_client):
    client = make_client(log_level="WARNING", log_file_enabled=False)
    quiet = Event(log_level=EventLogLevel.DEBUG)
    with capture_events() as events:
        client.info("quiet")
        client.log(quiet)
        client.info("loud", alert=True)
        client.alert(quiet)
    assert [event.alert for event in events] == [True, True]
    assert events[1].event_id == quiet.event_id


@pytest.mark.parametrize("method", ["alert", "log_alert"])
def test_a_text_alert_is_exactly_one_critical_event(client, method):
    with capture_events() as events:
        getattr(client, method)("Fire", place="bench 3")
    assert [(event.alert, event.log_level) for event in events] == [(True, EventLogLevel.CRITICAL)]
    assert events[0].event_data == {"message": "Fire", "place": "bench 3"}


def test_the_callers_event_is_never_changed(client):
    event = Event(log_level=EventLogLevel.INFO, event_data={"a": 1})
    before = event.model_dump()
    with capture_events() as events:
        client.log(event)
        client.alert(event)
        client.log_error(event)
        client.log_info(event, more=2)
    assert event.model_dump() == before
    assert [sent.event_id == event.event_id for sent in events] == [True, True, False, True]
    assert [sent.alert for sent in events] == [False, True, False, False]
    assert events[2].log_level is EventLogLevel.ERROR


def test_log_takes_anything_for_what_it_is(client):
    event = Event(event_type=EventType.TEST, event_data="x")
    with capture_events() as events:
        client.log("plain")
        client.log({"a": 1})
        client.log({"event_type": "test", "event_data": {"b": 2}})
        client.log(event.model_dump_json())
        client.log([1, 2])
        client.log(KeyError("k"))
        client.log("loud", level="error")
    assert events[0].event_data == {"message": "plain"}
    assert events[1].event_data == {"a": 1}
    assert (events[2].event_type, events[2].event_data) == (EventType.TEST, {"b": 2})
    assert (events[3].event_id, events[3].event_data) == (event.event_id, "x")
    assert events[4].event_data == {"message": "[1, 2]", "value": [1, 2]}
    assert events[5].log_level is EventLogLevel.ERROR
    assert events[5].event_data["traceback"] == "KeyError: 'k'"
    assert (events[6].event_type, events[6].log_level) == (EventType.LOG_ERROR, EventLogLevel.ERROR)


def test_bound_data_are_added_to_what_the_bound_client_logs(client):
    bound = client.bind(experiment_id="e", step=1)
    with capture_events() as events:
        bound.info("a", step=2)
        bound.unbind("step", "never bound").info("b")
        client.info("c")
    assert [event.event_data for event in events] == [
        {"message": "a", "experiment_id": "e", "step": 2},
        {"message": "b", "experiment_id": "e"},
        {"message": "c"},
    ]


def test_closing_a_bound_client_leaves_the_others_working(make_client):
    client = make_client()
    with client.bind(a=1):
        pass
    client.info("still here")
    assert [event.event_data["message"] for event in client.get_log().values()] == ["still here"]


def test_log_warning_issues_a_python_warning_of_the_category(client):
    with warnings.catch_warnings(record=True) as caught, capture_events() as events:
        warnings.simplefilter("always")
        client.log_warning("careful")
        client.warn("silent", warning_category=None)
        client.warning("never")
        client.log_warning("old", warning_category=DeprecationWarning)
    assert [(str(w.message), w.category) for w in caught] == [
        ("careful", UserWarning), ("old", DeprecationWarning),
    ]  # fmt: skip
    assert caught[0].filename == __file__
    assert len(events) == 4


def test_a_warning_that_is_turned_into_an_error_does_not_leave_the_log_call(client):
    with capture_events() as events:
        client.log_warning("careful")  # pytest's settings turn warnings into errors
    assert len(events) == 1


def test_the_source_of_the_configuration_is_on_every_event(make_client):
    client = make_client(source={"node_id": "n1"}, log_file_enabled=False)
    with capture_events() as events:
        client.info("a")
        client.log(Event())
        client.log(Event(source={"node_id": "other"}))
    assert [event.source.node_id for event in events] == ["n1", "n1", "other"]


def test_every_event_says_who_sent_it_and_a_given_sender_stays(make_client):
    client = make_client(name="plate_handler", log_file_enabled=False)
    with capture_events() as events:
        client.info("a")
        client.bind(plate="P7").error("b %s", object())
        client.log(Event())
        client.log(Event(sender={"name": "other", "process": 3}))
    here = Sender(name="plate_handler", host=platform.node(), process=os.getpid())
    assert [event.sender for event in events] == [here] * 3 + [Sender(name="other", process=3)]


@pytest.mark.parametrize("name", ["x" * 10_000, "half \ud800 of it", 'line\nbreak "quoted"'])
def test_a_name_of_a_client_of_any_length_and_characters_can_be_sent(make_client, name):
    with capture_events() as events:
        make_client(name=name, log_file_enabled=False).info("a")
    assert 0 < len(events[0].sender.name) <= LONGEST_NAME
    assert events[0].extra == {}


def test_the_name_is_that_of_the_module_that_makes_the_client(tmp_path):
    assert EventClient(log_file_enabled=False, log_console_enabled=False).name == __name__


def test_config_and_keywords_are_merged_and_checked(tmp_path):
    config = EventClientConfig(name="a", log_dir=tmp_path, log_console_enabled=False)
    client = EventClient(config, event_server="http://127.0.0.1:1/base/", log_level="error")
    assert (client.name, client.event_server, client.config.log_level) == (
        "a", "http://127.0.0.1:1/base/", 40,
    )  # fmt: skip
    assert config.log_level == 20
    with pytest.raises(SettingsError):
        EventClient("robot")
    client.close()


def test_logged_events_are_seen_by_the_next_read(make_client, peer):
    client = make_client(event_server=peer.url)
    client.info("first")
    client.info("second")
    assert [event.event_data["message"] for event in client.get_events(number=50).values()] == [
        "second", "first",
    ]  # fmt: skip


def test_logging_and_alerting_an_event_is_one_event_on_the_server(make_client, peer):
    client = make_client(event_server=peer.url)
    event = Event(event_data="once")
    client.log(event)
    client.alert(event)
    assert client.flush()
    assert {name: stored["alert"] for name, stored in peer.events.items()} == {event.event_id: True}
    assert client.stats().duplicate == 1


def test_a_closed_client_goes_on_when_it_is_used_again(make_client, peer):
    client = make_client(event_server=peer.url)
    client.info("before")
    client.close()
    client.info("after")
    assert client.flush()
    assert len(peer.events) == 2


def test_async_twins_do_the_same(make_client, peer):
    async def run():
        async with make_client(event_server=peer.url) as client:
            client.info("hello")
            events = await client.async_get_events(number=5)
            (event_id,) = events
            assert (await client.async_get_event(event_id)).event_id == event_id
            assert list(await client.async_query_events({})) == [event_id]

    asyncio.run(run())


def test_a_given_transport_replaces_http(make_client):
    transport = RecordingTransport()
    client = make_client(transport=transport, log_file_enabled=False)
    client.info("hello")
    assert client.flush()
    assert transport.events[0].event_data == {"message": "hello"}
    client.close()
    assert transport.is_closed


def run_program(text, *, cwd):
    return subprocess.run(
        [sys.executable, "-c", text], cwd=cwd, capture_output=True, text=True, timeout=60,
        env={**os.environ, "EVENT_CLIENT_LOG_DIR": str(cwd / "logs")}, check=True,
    )  # fmt: skip


def test_a_program_that_just_ends_has_delivered_its_events(peer, tmp_path):
    program = (
        "from madsci.client.event_client import EventClient\n"
        "client = EventClient(event_server={!r}, log_console_enabled=False)\n"
        "for number in range(1000): client.info('n', number=number)\n"
    )
    run_program(program.format(peer.url), cwd=tmp_path)
    numbers = [event["event_data"]["number"] for event in peer.events.values()]
    assert numbers == list(range(1000))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
def test_a_forked_child_sends_its_own_events_and_not_its_parents(peer, tmp_path):
    program = (
        "import os, sys\n"
        "from madsci.client.event_client import EventClient\n"
        "client = EventClient(event_server={!r}, log_console_enabled=False)\n"
        "client.info('parent before')\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    client.info('child')\n"
        "    os._exit(0 if client.flush(10) else 1)\n"
        "client.info('parent after')\n"
        "assert os.waitpid(child, 0)[1] == 0\n"
        "assert client.flush(10)\n"
    )
    run_program(program.format(peer.url), cwd=tmp_path)
    processes = {e["event_data"]["message"]: e["sender"]["process"] for e in peer.events.values()}
    assert sorted(processes) == ["child", "parent after", "parent before"]
    assert processes["parent before"] == processes["parent after"] != processes["child"]
    sent = [r.body.count(b'"event_id"') for r in peer.requests if r.path == "/events"]
    assert sum(sent) == 3


def test_importing_the_client_is_cheap_and_brings_no_server(tmp_path):
    program = (
        "import sys, json\nimport madsci.client.event_client\nprint(json.dumps(sorted(sys.modules)))\n"
    )
    modules = json.loads(run_program(program, cwd=tmp_path).stdout)
    forbidden = {
        "fastapi", "starlette", "uvicorn", "asyncio", "structlog", "yaml", "urllib3", "apsw",
        "madsci.event_manager",
    }  # fmt: skip
    assert forbidden.isdisjoint(modules)
    assert len(modules) <= 350
