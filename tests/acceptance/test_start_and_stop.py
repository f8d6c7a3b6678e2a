"""Starting and stopping the server, as a person at a terminal does."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys

import pytest

from support.processes import ARE_TOLD, children
from support.server import ServerProcess, running_server, wait_until


def test_the_server_says_where_it_listens_where_the_data_lie_and_where_the_pages_are(server):
    said = server.log.read_text()
    assert server.url in said
    assert str(server.database) in said
    assert "0 in" in said
    assert f"{server.url}docs" in said


def test_without_configuration_the_data_lie_under_dot_madsci_of_the_lab(tmp_path):
    server = ServerProcess(tmp_path)  # makes the folder
    del server.environment["EVENT_DB_URL"]
    try:
        server.start()
        assert server.post("event", {"event_data": "kept"}).status == 200
        assert (tmp_path / ".madsci" / "events" / "events.db").is_file()
    finally:
        server.stop()


def test_events_are_still_there_after_a_restart_and_the_manager_keeps_its_id(tmp_path):
    with running_server(tmp_path) as server:
        sent = server.post("event", {"event_data": "before"}).json
        first = server.get("definition")
    with running_server(tmp_path) as server:
        assert server.get(f"event/{sent['_id']}") == sent
        assert server.get("definition") == first
        assert sent["source"] == {"manager_id": first["manager_id"]}
        assert "1 in" in server.log.read_text().splitlines()[-2]


def test_a_second_server_on_the_same_file_refuses_in_a_sentence(server):
    second = ServerProcess(server.directory)
    second.log = server.directory / "second.log"
    assert second.launch().wait(30) == 1
    said = second.log.read_text()
    assert "is open in another Event Manager" in said
    assert "EVENT_DB_URL" in said
    assert "Traceback" not in said
    assert server.get("health")["healthy"]


def test_a_second_server_on_the_same_port_refuses_in_a_sentence(server, tmp_path_factory):
    second = ServerProcess(tmp_path_factory.mktemp("second"))
    second.environment["EVENT_SERVER_URL"] = server.url
    assert second.launch().wait(30) == 1
    said = second.log.read_text()
    assert f"cannot listen on {server.url}" in said
    assert "EVENT_SERVER_URL" in said
    assert "Traceback" not in said


def test_a_wrong_setting_is_answered_by_its_name_value_and_remedy(tmp_path):
    server = ServerProcess(tmp_path, EVENT_ALERT_LEVEL="loudest", EVENT_INGEST_QUEUE_EVENTS="none")
    assert server.launch().wait(30) == 1
    said = server.log.read_text()
    assert "EVENT_ALERT_LEVEL" in said
    assert "'loudest'" in said
    assert "EVENT_INGEST_QUEUE_EVENTS" in said
    assert "Traceback" not in said


@pytest.mark.slow
def test_a_password_in_the_database_url_is_shown_nowhere(tmp_path):
    server = ServerProcess(tmp_path, EVENT_DB_URL="mongodb://lab:s3cret@db.invalid/events")
    assert server.launch().wait(30) == 1
    assert "s3cret" not in server.log.read_text()
    assert "No MongoDB server answers" in server.log.read_text()


def test_a_setting_without_effect_is_told_at_the_start(tmp_path):
    with running_server(tmp_path, EVENT_ALRET_LEVEL="ERROR", EVENT_UVICORN_WORKERS="4") as server:
        said = server.log.read_text()
    assert "EVENT_ALERT_LEVEL" in said
    assert "EVENT_UVICORN_WORKERS" in said


def test_stopping_is_clean_and_leaves_one_file_with_every_event(tmp_path):
    server = ServerProcess(tmp_path).start()
    lines = "\n".join(json.dumps({"event_data": number}) for number in range(5000))
    assert server.request("POST", "events", lines).json["stored"] == 5000
    assert server.stop() in (0, -15)
    assert not (tmp_path / "events.db-wal").exists()
    assert "Traceback" not in server.log.read_text()
    with running_server(tmp_path) as server:
        assert server.get("health")["total_events"] == 5000


_HEAD = b"POST /events HTTP/1.1\r\nHost: test\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n"


def _begun(server: ServerProcess) -> socket.socket:
    """Return a connection whose request the server is at, and waits for the rest of."""
    connection = socket.create_connection(("127.0.0.1", server.port))
    connection.sendall(_HEAD)
    assert connection.recv(65_536).startswith(b"HTTP/1.1 100")
    connection.sendall(b"[")
    return connection


def test_who_does_not_get_on_with_a_request_does_not_hold_up_a_stop(tmp_path):
    with running_server(tmp_path) as server:
        with _begun(server) as stalled:
            server.process.send_signal(signal.SIGTERM)
            assert stalled.recv(65_536).startswith(b"HTTP/1.1 408")
        assert server.process.wait(20) in (0, -15)
    assert "Traceback" not in server.log.read_text()


def test_whoever_asks_twice_for_a_stop_does_not_wait_for_others(tmp_path):
    with running_server(tmp_path, EVENT_BODY_TIMEOUT_SECONDS="600") as server:
        with _begun(server) as slow:
            server.process.send_signal(signal.SIGINT)
            wait_until(lambda: not _is_listening(server.port), "it takes nobody any more")
            server.process.send_signal(signal.SIGINT)
            assert slow.recv(65_536).startswith(b"HTTP/1.1 503")
        assert server.process.wait(20) == 0
    assert "Traceback" not in server.log.read_text()


def _is_listening(port: int) -> bool:
    with contextlib.suppress(ConnectionError):
        socket.create_connection(("127.0.0.1", port)).close()
        return True
    return False


def test_a_start_that_somebody_ends_at_the_terminal_ends_without_a_word(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        host, port = silent.getsockname()
        server = ServerProcess(tmp_path, EVENT_DB_URL=f"mongodb://{host}:{port}/events")
        process = server.launch()
        silent.accept()[0].close()  # it opens its store
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 128 + signal.SIGINT
    assert "Traceback" not in server.log.read_text()


@pytest.mark.skipif(not ARE_TOLD, reason="looks for processes in /proc")
def test_a_process_that_the_system_ends_says_where_it_was(tmp_path):
    """SIGBUS comes where a mapped file of SQLite has no room on its disk, or that cannot be read."""
    with running_server(tmp_path) as server:
        assert server.get("events/count")["count"] == 0
        pid = server.process.pid
        os.kill(children(pid)[0], signal.SIGBUS)
        wait_until(lambda: server.log.read_text().count("Bus error") == 1, "what the worker says")
        assert "search/worker.py" in server.log.read_text()
        assert server.get("events/count")["count"] == 0
        os.kill(pid, signal.SIGBUS)
        assert server.process.wait(30) == -signal.SIGBUS
        told = server.log.read_text()
        assert told.count("Fatal Python error: Bus error") == 2
        assert "event_server.py" in told


def test_help_lists_the_settings():
    run = subprocess.run(
        [sys.executable, "-m", "madsci.event_manager.event_server", "--help"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert "--server-url" in run.stdout
    assert "EVENT_DB_URL" in run.stdout


def test_an_unknown_flag_is_told_with_the_one_that_may_be_meant():
    command = [sys.executable, "-m", "madsci.event_manager.event_server", "--server_ulr", "x"]
    run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert run.returncode == 1
    assert "Unknown flag --server-ulr; did you mean --server-url?" in run.stderr
