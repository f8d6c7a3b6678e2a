"""The source of events is that of the moment of the log call, also when it changes between calls."""

from __future__ import annotations

import threading
import time

import pytest

from madsci.client.testing import capture_events
from madsci.common.context import carry_context, event_client_context
from madsci.common.ownership import global_ownership_info, ownership_context
from madsci.common.types.event_types import Event
from support.server import wait_until


@pytest.fixture(autouse=True)
def process_ids():
    yield
    for name in type(global_ownership_info).model_fields:
        setattr(global_ownership_info, name, None)


def sources(events):
    return [event.source.model_dump() for event in events]


def test_each_call_has_the_ownership_of_its_moment(make_client):
    """In the reference the source was that of the moment when the client was made."""
    client = make_client(source={"node_id": "n", "user_id": "u"}, log_file_enabled=False)
    bound = client.bind(a=1)
    with capture_events() as events:
        client.info("x")
        with ownership_context(user_id="v", experiment_id="e"):
            client.info("x")
            bound.log({"a": 1})
            bound.info("x", list=[1])
        global_ownership_info.manager_id = "m"
        global_ownership_info.node_id = "not over the client's own"
        client.info("x")
        with ownership_context(node_id=None):
            client.info("x")
    inner = {"node_id": "n", "user_id": "v", "experiment_id": "e"}
    assert sources(events) == [
        {"node_id": "n", "user_id": "u"}, inner, inner, inner,
        {"node_id": "n", "user_id": "u", "manager_id": "m"}, {"user_id": "u", "manager_id": "m"},
    ]  # fmt: skip


def test_many_contexts_at_once_keep_their_ids(make_client):
    client = make_client(log_file_enabled=False)

    def work():
        for number in range(30):
            client.info("x", owner=number)
            with ownership_context(step_id=str(number)):
                client.info("x", owner=number)

    with capture_events() as events:
        threads = []
        for node in range(8):
            with ownership_context(node_id=f"n{node}"):
                threads.append(threading.Thread(target=carry_context(work)))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(events) == 8 * 60
    for node in range(8):
        own = [event for event in events if event.source.node_id == f"n{node}"]
        assert [event.source.step_id for event in own] == [
            step for number in range(30) for step in (None, str(number))
        ]
        assert [event.event_data["owner"] for event in own] == [n // 2 for n in range(60)]


def test_events_have_the_ids_of_where_they_were_made_unless_they_were_given_some(make_client):
    client = make_client(source={"node_id": "n"}, log_file_enabled=False)
    with ownership_context(step_id="made"):
        made, given = Event(), Event(source={"user_id": "u"})
    with capture_events() as events, ownership_context(step_id="logged", workflow_id="w"):
        client.log(made)
        client.log(given)
        client.log('{"event_data": 1}')
    assert sources(events) == [
        {"node_id": "n", "step_id": "made", "workflow_id": "w"},
        {"user_id": "u"},
        {"node_id": "n", "step_id": "logged", "workflow_id": "w"},
    ]


def test_the_end_of_a_root_context_waits_for_nobody_and_loses_nothing(peer, monkeypatch, tmp_path):
    monkeypatch.setenv("EVENT_SERVER_URL", peer.url)
    monkeypatch.setenv("EVENT_CLIENT_LOG_DIR", str(tmp_path / "logs"))
    monkeypatch.setenv("EVENT_CLIENT_LOG_CONSOLE_ENABLED", "false")
    peer.script = [(0, {})]  # the server keeps the first request waiting
    began = time.monotonic()
    for number in range(3):
        with event_client_context(name="root", number=number) as client:
            client.info("x")
    assert time.monotonic() - began < 4.5  # close_timeout_seconds is 5
    assert len(peer.events) == 0
    peer.hold.set()
    wait_until(lambda: len(peer.events) == 3)


def test_the_place_is_in_the_local_log_too(make_client, capsys):
    client = make_client(log_console_enabled=True).bind(hierarchy="exp.wf")
    client.info("x")
    assert "hierarchy=exp.wf" in capsys.readouterr().err
    (event,) = client.get_log().values()
    assert event.event_data["hierarchy"] == "exp.wf"
