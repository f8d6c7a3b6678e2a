"""Event client contexts: which client logs, under which names, with which data."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys

import pytest

from madsci.client.event_client import EventClient
from madsci.client.testing import capture_events
from madsci.common import context as front
from madsci.common.context import (
    GlobalMadsciContext,
    event_client_context,
    get_event_client,
    get_event_client_context,
    has_event_client_context,
    madsci_context,
)
from madsci.common.context import client as context_client


@pytest.fixture(autouse=True)
def quiet_lab(tmp_path, monkeypatch):
    """Clients that are made on the way log into the test's directory only."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EVENT_SERVER_URL", raising=False)
    monkeypatch.delenv("EVENT_CLIENT_NAME", raising=False)
    monkeypatch.setenv("EVENT_CLIENT_LOG_DIR", str(tmp_path / "logs"))
    monkeypatch.setenv("EVENT_CLIENT_LOG_CONSOLE_ENABLED", "false")
    GlobalMadsciContext.set_context(None)
    context_client._cached_client.cache_clear()
    yield
    context_client._cached_client.cache_clear()
    GlobalMadsciContext.set_context(None)
    gc.collect()


@pytest.fixture
def client():
    with EventClient(name="given", log_file_enabled=False) as client:
        yield client


def logged(client, **data):
    with capture_events() as events:
        client.info("x", **data)
    return {name: value for name, value in events[0].event_data.items() if name != "message"}


def test_all_names_are_there():
    assert front.__all__ == sorted(front.__all__)
    assert all(hasattr(front, name) for name in front.__all__)


def test_contexts_nest_names_and_data():
    with event_client_context(name="experiment", experiment_id="e", step=1) as outer:
        assert outer.name == "experiment"
        with event_client_context(name="workflow", workflow_id="w", step=2) as inner:
            assert inner.name == "experiment"
            assert inner.logfile == outer.logfile
            assert logged(inner) == {
                "experiment_id": "e", "workflow_id": "w", "step": 2,
                "hierarchy": "experiment.workflow",
            }  # fmt: skip
            current = get_event_client_context()
            assert current.name == "experiment.workflow"
            assert current.hierarchy == ["experiment", "workflow"]
            assert current.metadata == {"experiment_id": "e", "workflow_id": "w", "step": 2}
            assert get_event_client() is inner
        assert logged(outer) == {"experiment_id": "e", "step": 1, "hierarchy": "experiment"}
        assert get_event_client() is outer
    assert get_event_client_context() is None


def test_without_inheritance_a_context_begins_anew():
    with (
        event_client_context(name="outer", a=1),
        event_client_context("inner", None, False, b=2) as new,
    ):
        assert new.name == "inner"
        assert logged(new) == {"b": 2, "hierarchy": "inner"}


def test_the_name_is_the_callers():
    """In the reference contexts without a name were called contextlib."""
    with event_client_context() as root:
        assert root.name == __name__
        with event_client_context():
            last = __name__.rpartition(".")[2]
            assert get_event_client_context().hierarchy == [__name__, last]


def test_the_name_of_a_script_is_found_too(tmp_path):
    (tmp_path / "measure.py").write_text(
        "from madsci.common.context import event_client_context, get_event_client\n"
        "print(get_event_client().name)\n"
        "with event_client_context() as client: print(client.name)\n"
    )
    run = subprocess.run(
        [sys.executable, tmp_path / "measure.py"],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert run.stdout.split() == ["measure", "measure"]


def test_a_given_client_is_used_as_it_is(client):
    with event_client_context(name="parent", a=1):
        with event_client_context(client=client) as same:
            assert same is client
            assert (get_event_client_context().hierarchy, get_event_client_context().name) == (
                [], "madsci",
            )  # fmt: skip
            assert logged(same) == {}
        with event_client_context(name="own", client=client, b=2) as bound:
            assert logged(bound) == {"b": 2, "hierarchy": "own"}
            assert get_event_client_context().metadata == {"b": 2}
    assert logged(client) == {}


def test_a_given_client_logs_the_place_where_it_is_used(client):
    with event_client_context(name="own", client=client):
        assert logged(client) == {"hierarchy": "own"}
        with event_client_context(name="step") as step:
            assert logged(step) == logged(client) == {"hierarchy": "own.step"}
        with EventClient(name="stranger", log_file_enabled=False) as stranger:
            assert logged(stranger) == {}
        assert logged(client, hierarchy="mine") == {"hierarchy": "mine"}
        with capture_events() as events:
            client.log({"a": 1})
        assert events[0].event_data == {"hierarchy": "own", "a": 1}


def test_contexts_end_with_exceptions():
    with event_client_context(name="a"):
        with pytest.raises(ValueError, match="b"), event_client_context(name="b"):
            raise ValueError("b")
        assert get_event_client_context().name == "a"
    with pytest.raises(KeyError), event_client_context(name="a"):
        raise KeyError
    assert not has_event_client_context()


def test_the_client_of_a_root_context_is_closed_at_its_end(client):
    with event_client_context(name="root") as root:
        root.info("x")
        assert root._outputs.log_file is not None
        with event_client_context(name="child"):
            pass
        assert root._outputs.log_file is not None
    assert root._outputs.log_file is None
    with event_client_context(client=client):
        pass
    assert client._outputs._is_open


def test_outside_of_contexts_there_is_one_client_for_each_name():
    assert not has_event_client_context()
    first = get_event_client()
    assert first.name == __name__
    assert get_event_client() is first
    assert get_event_client("other", a=1).name == "other"
    assert logged(get_event_client("other", a=1)) == {"a": 1}
    assert get_event_client("other") is get_event_client("other")


def test_the_clients_that_are_kept_are_few():
    for number in range(context_client.MAX_CACHED_CLIENTS + 10):
        get_event_client(f"name-{number}")
    assert context_client._cached_client.cache_info().currsize == context_client.MAX_CACHED_CLIENTS


def test_inside_a_context_the_name_does_not_matter():
    with event_client_context(name="root", a=1):
        assert logged(get_event_client("ignored", b=2)) == {"a": 1, "b": 2, "hierarchy": "root"}


def test_asking_for_a_client_that_is_missing_may_be_refused():
    with pytest.raises(RuntimeError, match=r"event_client_context\(\)"):
        get_event_client(create_if_missing=False)
    with event_client_context(name="root") as root:
        assert get_event_client(create_if_missing=False) is root


def test_a_context_can_be_extended_by_hand(client):
    context = context_client.EventClientContext(client, ["a"], {"x": 1})
    child = context.child("b", y=2)
    assert (child.name, child.metadata) == ("a.b", {"x": 1, "y": 2})
    assert logged(child.client) == {"y": 2}
    assert context.child("c").client is client
    assert context.child("c", client=client, z=3).client is client


def test_the_address_of_the_labs_context_is_used_and_belongs_to_the_key():
    plain = get_event_client("robot")
    assert plain.event_server is None
    with madsci_context(event_server_url="http://127.0.0.1:1"):
        there = get_event_client("robot")
        assert there.event_server == "http://127.0.0.1:1/"
        own = EventClient(name="own", event_server="http://127.0.0.1:2", log_file_enabled=False)
        assert own.event_server == "http://127.0.0.1:2/"
        own.close()
    assert get_event_client("robot") is plain
    there.close()


def test_a_wrong_address_of_another_server_leaves_nobody_without_a_log(monkeypatch, capsys):
    monkeypatch.setenv("DATA_SERVER_URL", "nowhere")
    assert get_event_client("robot").event_server is None
    assert "data_server_url" in capsys.readouterr().err


def test_tasks_have_the_context_they_were_made_in_and_keep_their_own():
    async def step(name):
        with event_client_context(name=name):
            await asyncio.sleep(0)
            return get_event_client_context().name

    async def run():
        with event_client_context(name="root"):
            in_thread = await asyncio.to_thread(lambda: get_event_client_context().name)
            return [*await asyncio.gather(step("a"), step("b")), in_thread]

    assert asyncio.run(run()) == ["root.a", "root.b", "root"]
