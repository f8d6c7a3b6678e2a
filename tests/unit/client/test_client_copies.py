"""Clients go where the objects go that hold them: into copies, and into other processes."""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys

import pytest

from madsci.client.event_client import EventClient
from madsci.client.testing import RecordingTransport, capture_events
from madsci.common.context import MadsciContext, event_client_context, get_event_client_context
from madsci.common.ownership import ownership_context
from madsci.common.settings import REDACTED
from madsci.common.types.event_types import EventClientConfig, EventManagerSettings


@pytest.fixture
def client(tmp_path):
    with EventClient(name="robot", log_dir=tmp_path, log_console_enabled=False) as made:
        yield made


@pytest.mark.parametrize("way", [copy.copy, copy.deepcopy])
def test_a_copy_logs_the_bound_data_through_the_outputs_of_the_original(client, way):
    holder = [client.bind(plate="P7")]
    (copied,) = way(holder) if way is copy.deepcopy else [way(holder[0])]
    with capture_events() as events:
        copied.info("moved")
    assert events[0].event_data == {"message": "moved", "plate": "P7"}
    assert copied.logfile == client.logfile


@pytest.mark.parametrize("way", [copy.copy, copy.deepcopy])
def test_closing_a_copy_leaves_the_original_open(way):
    transport = RecordingTransport()
    with EventClient(transport=transport, log_file_enabled=False, log_console_enabled=False) as client:
        way(client).close()
        assert not transport.is_closed


def test_a_pickled_client_has_the_same_settings_and_data(client):
    bound = client.bind(plate="P7", where={"deck": (1, 2)}, broken=lambda: None)
    copied = pickle.loads(pickle.dumps(bound))
    assert (copied.name, copied.config) == ("robot", client.config)
    with capture_events() as events:
        bound.info("moved")
        copied.info("moved")
    assert events[0].event_data == events[1].event_data
    copied.close()


def test_a_pickled_client_writes_from_another_process(client, tmp_path):
    (tmp_path / "client.pickle").write_bytes(pickle.dumps(client.bind(plate="P7")))
    program = (
        "import pickle, sys\n"
        "with pickle.load(open(sys.argv[1], 'rb')) as client: client.info('from the child')\n"
    )
    subprocess.run([sys.executable, "-c", program, tmp_path / "client.pickle"], check=True, timeout=60)
    assert "from the child" in client.logfile.read_text()


def test_a_client_of_an_unnamed_program_keeps_its_name_in_another_module(tmp_path):
    client = EventClient(log_dir=tmp_path, log_console_enabled=False)
    copied = pickle.loads(pickle.dumps(client))
    assert copied.name == client.name == __name__
    assert copied.config.name is None


@pytest.mark.parametrize("way", [copy.copy, copy.deepcopy, lambda it: pickle.loads(pickle.dumps(it))])
def test_settings_can_be_copied_and_pickled_too(way, monkeypatch):
    for made in (
        EventClientConfig(name="robot", event_server_headers={"X-Key": "k"}),
        EventManagerSettings(alert_level="WARNING"),
        MadsciContext(event_server_url="http://127.0.0.1:1"),
    ):
        assert way(made) == made


@pytest.mark.parametrize("way", [copy.copy, copy.deepcopy, lambda it: pickle.loads(pickle.dumps(it))])
def test_contexts_can_be_copied_and_pickled_too(client, way):
    with (
        event_client_context(name="run", client=client, plate="P7"),
        ownership_context(node_id="n") as ids,
    ):
        context = get_event_client_context()
        copied = way(context)
        assert (copied.hierarchy, copied.metadata) == (["run"], {"plate": "P7"})
        assert copied.client.name == "robot"
        assert way(ids) == ids


def test_the_text_of_a_client_shows_bound_data_without_secrets_and_within_bounds():
    client = EventClient(
        name="robot", event_server="http://me:hunter2@127.0.0.1:1", log_file_enabled=False,
        log_console_enabled=False, spool_enabled=False,
    )  # fmt: skip
    assert repr(client) == "EventClient(name='robot', event_server='http://127.0.0.1:1/')"
    shown = repr(client.bind(plate="P7", password="sesame", deep={"api_key": "k1"}, frame="y" * 10_000))
    assert "'plate': 'P7'" in shown
    assert f"'password': '{REDACTED}'" in shown
    assert "k1" not in shown
    assert len(shown) < 1000
    client.close(0)


def test_the_password_of_the_servers_url_is_in_no_record(tmp_path):
    (tmp_path / "program.py").write_text(
        "import json\n"
        "from madsci.client.event_client import EventClient\n"
        "client = EventClient(\n"
        "    event_server='http://me:hunter2@127.0.0.1:1', log_dir='.', log_level='DEBUG',\n"
        "    spool_dir='.', close_timeout_seconds=0.1)\n"
        "client.info('moved')\n"
        "client.flush(0.3)\n"
        "print(client, client.config, client.event_server, client.stats(), client.logger)\n"
        "print(json.dumps(client.config.masked()))\n"
        "for ask in (client.get_events, lambda: client.session.get('health')):\n"
        "    try:\n"
        "        ask()\n"
        "    except Exception as error:\n"
        "        print(repr(error), repr(error.__cause__))\n"
    )
    run = subprocess.run(
        [sys.executable, "program.py"],
        cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60,
        env={**os.environ, "EVENT_CLIENT_RETRY_ENABLED": "false"},
    )  # fmt: skip
    assert run.stdout.count("http://127.0.0.1:1") >= 3
    texts = [run.stdout, run.stderr, (tmp_path / "program.log").read_text()]
    assert [text for text in texts if "hunter2" in text] == []
    assert [path for path in tmp_path.rglob("*") if "hunter2" in str(path)] == []


def test_an_unknown_keyword_is_told_once_and_the_client_works(capsys, tmp_path):
    for _ in range(2):
        EventClient(nmae="robot", retry_allowed_methods=["GET"], log_dir=tmp_path).info("works")
    told = [line for line in capsys.readouterr().err.splitlines() if "EventClient Warning" in line]
    nmae, methods = told
    assert "argument nmae of EventClient is not a setting" in nmae
    assert "Did you mean name?" in nmae
    assert "argument retry_allowed_methods of EventClient is not implemented in this version" in methods
