"""Askers that leave, processes that die or hang, readers that stop: everybody else is answered."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import random
import signal
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from support.processes import children, is_running, seconds_of_core
from support.questions import HOPELESS
from support.server import ServerProcess, running_server, wait_until

EVENTS = 20_000
SEED = 20_261_126


@pytest.fixture(scope="module")
def lab(tmp_path_factory) -> Iterator[ServerProcess]:
    """A server with events in which one can look for long."""
    with filled_server(tmp_path_factory.mktemp("lab")) as server:
        yield server


@contextlib.contextmanager
def filled_server(folder: Path, **settings: str) -> Iterator[ServerProcess]:
    with running_server(folder, **settings) as server:
        message = "a" * 200
        lines = [
            json.dumps({"_id": f"e{one}", "event_data": {"message": message, "n": one % 100}})
            for one in range(EVENTS)
        ]
        assert server.request("POST", "events", "\n".join(lines)).json["stored"] == EVENTS
        yield server


def at_work(server: ServerProcess) -> bool:
    """Whether a process is at a question, as its time of a core tells within a second."""
    before = {pid: seconds_of_core(pid) for pid in children(server.process.pid)}
    deadline = time.monotonic() + 1.0
    while time.monotonic() < deadline:
        time.sleep(0.05)
        if any(seconds_of_core(pid) > spent for pid, spent in before.items()):
            return True
    return False


@contextlib.contextmanager
def askers(
    server: ServerProcess, number: int, path: str, body: object = None
) -> Iterator[list[socket.socket]]:
    """Connections on which something was asked, and nobody reads; closed at the end."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(begun(server, path, body)) for _ in range(number)]


def begun(server: ServerProcess, path: str, body: object) -> socket.socket:
    method = "GET" if body is None else "POST"
    asking = socket.create_connection(("127.0.0.1", server.port), timeout=60)
    text = b"" if body is None else json.dumps(body).encode()
    head = f"{method} /{path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(text)}\r\n"
    asking.sendall(head.encode() + b"Content-Type: application/json\r\n\r\n" + text)
    return asking


def count(server: ServerProcess, selector: object) -> int:
    reply = server.post("events/count", selector)
    assert reply.status == 200, reply.body
    return int(reply.json["count"])


@pytest.mark.slow
def test_questions_whose_askers_left_are_ended_and_leave_no_work_behind(lab):
    """As many as a forgotten dashboard sends; the running ones end, and so do those that wait."""
    with askers(lab, 200, "events/count", HOPELESS):
        wait_until(lambda: at_work(lab), "a question that is under way")
    assert count(lab, {"event_data.n": 7}) == EVENTS / 100
    wait_until(lambda: not at_work(lab), "the end of all work")


def test_a_quick_question_is_answered_while_slow_ones_take_all_their_time(lab):
    with askers(lab, 30, "events/count", HOPELESS):
        wait_until(lambda: at_work(lab), "a question that is under way")
        for one in range(5):
            assert count(lab, {"_id": f"e{one}"}) == 1
            assert len(lab.get("events?number=20")) == 20
            assert lab.get(f"event/e{one}")["event_data"]["n"] == one
        wait_until(lambda: at_work(lab), "slow ones that are still at work")


def ask_while_killing(server: ServerProcess, rounds: int) -> None:
    """Kill a process in each round of questions, so that none of them meets it more than once."""
    chance = random.Random(SEED)
    killed = []
    with ThreadPoolExecutor(4) as threads:
        for _ in range(rounds):
            wait_until(lambda: children(server.process.pid), "a process to be killed")
            asked = [threads.submit(count, server, {"event_data.n": n}) for n in range(12)]
            with contextlib.suppress(ProcessLookupError, IndexError):
                os.kill(chance.choice(children(server.process.pid)), signal.SIGKILL)
                killed.append(asked)
            assert [one.result() for one in asked] == [EVENTS // 100] * len(asked)
    assert killed


@pytest.mark.slow
def test_processes_that_are_killed_amid_questions_fail_none_of_them(lab):
    ask_while_killing(lab, 10)


@pytest.mark.slow
def test_processes_that_are_killed_for_long_amid_questions_fail_none_of_them(lab):
    ask_while_killing(lab, 100)


@pytest.mark.slow
def test_processes_that_hang_are_ended_when_who_asked_them_leaves(lab):
    assert count(lab, {"event_data.n": 1}) == EVENTS / 100
    hanging = children(lab.process.pid)
    for pid in hanging:
        os.kill(pid, signal.SIGSTOP)
    # As many questions as there are places: one of them meets each process that hangs.
    with askers(lab, 3, "events/count", {"event_data.n": 2}):
        assert len(lab.get("events?number=20")) == 20
        assert lab.get("health")["healthy"]
        time.sleep(0.5)
    assert count(lab, {"event_data.n": 3}) == EVENTS / 100


def exported(server: ServerProcess) -> int:
    reply = server.request("GET", "events/export")
    return reply.body.count(b"\n") if reply.status == 200 else -reply.status


@pytest.mark.slow
def test_readers_that_stop_hold_up_no_other_export(tmp_path):
    with (
        filled_server(tmp_path, EVENT_QUERY_TIMEOUT_SECONDS="3") as server,
        askers(server, 4, "events/export") as stopped,
    ):
        for one in stopped:
            assert one.recv(12) == b"HTTP/1.1 200"
        wait_until(lambda: exported(server) == EVENTS, "an export beside readers that stopped")


@pytest.mark.slow
def test_an_export_whose_reader_leaves_ends(lab):
    with askers(lab, 4, "events/export") as leaving:
        for one in leaving:
            assert one.recv(12) == b"HTTP/1.1 200"
    assert wait_until(lambda: exported(lab) == EVENTS, "another export")
    wait_until(lambda: not at_work(lab), "the end of all work")


@pytest.mark.slow
def test_a_server_stops_amid_questions_and_leaves_no_process(tmp_path):
    with filled_server(tmp_path, EVENT_SHUTDOWN_TIMEOUT_SECONDS="1") as server:
        with askers(server, 5, "events/count", HOPELESS), askers(server, 1, "events/export") as files:
            wait_until(lambda: at_work(server), "a question that is under way")
            assert files[0].recv(12) == b"HTTP/1.1 200"
            pids = children(server.process.pid)
            assert server.stop() in (0, -signal.SIGTERM)
        assert pids
        wait_until(lambda: not any(map(is_running, pids)), "the end of all")


def test_a_connection_that_stays_gets_its_answer_after_others_have_left(lab):
    """Watching who leaves takes nothing of the next request on the same connection."""
    connection = http.client.HTTPConnection("127.0.0.1", lab.port, timeout=60)
    with contextlib.closing(connection):
        for one in range(20):
            body = json.dumps({"event_data.n": one})
            connection.request("POST", "/events/count", body, {"Content-Type": "application/json"})
            assert json.loads(connection.getresponse().read()) == {"count": EVENTS // 100}
            connection.request("GET", "/events?number=3")
            assert len(json.loads(connection.getresponse().read())) == 3
