"""Questions to a running server: files of any size, copies, and the processes that answer."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest

from madsci.client.event_client import EventClient
from support.processes import ARE_TOLD, children, is_running
from support.server import running_server, wait_until

EVENTS = 30_000


def lines(count: int) -> bytes:
    return b"\n".join(
        json.dumps(
            {
                "_id": f"e{number:06}",
                "event_timestamp": 1_767_225_600 + number,
                "log_level": 30 if number % 100 == 0 else 20,
                "source": {"node_id": f"n{number % 5}"},
                "event_data": {"message": f"Plate {number} moved", "text": "x" * 300},
            }
        ).encode()
        for number in range(count)
    )


@pytest.fixture(scope="module")
def full_server(tmp_path_factory):
    """A running Event Manager with some megabytes of events."""
    with running_server(tmp_path_factory.mktemp("full")) as server:
        assert server.request("POST", "events", lines(EVENTS)).status == 200
        yield server


def peak_memory_of(pid: int) -> int:
    """The most memory that a process has held, in bytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


@pytest.mark.slow
def test_pages_of_large_events_take_little_memory_and_lead_to_all_of_them(tmp_path):
    """Of 20 events of 15.9 MB a reply holds one, also where all of them were asked for."""
    with running_server(tmp_path) as server:
        for number in range(20):
            data = {"event_id": f"e{number:02}", "event_data": {"z": "z" * 15_900_000}}
            assert server.request("POST", "event", json.dumps(data).encode()).status == 200
        pid = server.process.pid
        for method, path, body in (("GET", "events", None), ("POST", "events/query", b"{}")):
            Path(f"/proc/{pid}/clear_refs").write_text("5")  # the peak begins anew
            before = peak_memory_of(pid)
            found, cursor = [], ""
            while True:
                reply = server.request(method, f"{path}?number=100{cursor}", body)
                assert reply.status == 200
                found += reply.json
                if not (following := reply.headers.get("X-Next-Cursor")):
                    break
                cursor = f"&cursor={following}"
            assert sorted(found) == [f"e{number:02}" for number in range(20)]
            assert peak_memory_of(pid) - before < 150_000_000
            assert all(peak_memory_of(child) < 300_000_000 for child in children(pid))


@pytest.mark.slow
def test_a_store_is_copied_by_export_and_import(full_server, tmp_path):
    with running_server(tmp_path) as other:
        source = EventClient(name="source", event_server=full_server.url, log_dir=tmp_path / "logs")
        copy = EventClient(name="copy", event_server=other.url, log_dir=tmp_path / "logs")
        source.export(tmp_path / "all.ndjson.gz", progress=False)
        report = copy.import_events(tmp_path / "all.ndjson.gz", progress=False)
        assert (report.stored, report.rejected) == (EVENTS, 0)
        assert copy.count_events() == EVENTS
        for path in ("events/export?format=csv", "events/histogram?by=level", "events/facets"):
            assert other.request("GET", path).body == full_server.request("GET", path).body
        assert copy.import_events(tmp_path / "all.ndjson.gz", progress=False).duplicate == EVENTS
        source.close()
        copy.close()


def test_events_are_iterated_in_order_over_many_pages(full_server, tmp_path):
    with EventClient(name="reader", event_server=full_server.url, log_dir=tmp_path) as client:
        names = [event.event_id for event in client.iter_events({"log_level": 30})]
        assert names == [f"e{number:06}" for number in range(EVENTS - 100, -1, -100)]


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads memory from /proc")
def test_streams_take_no_memory_in_proportion_to_what_they_send(full_server):
    pid = full_server.process.pid
    full_server.get("health")
    before = peak_memory_of(pid)
    for path in ("events/export", "events/export?format=csv"):
        assert len(full_server.request("GET", path).body) > EVENTS * 300
    assert peak_memory_of(pid) - before < 30_000_000
    assert max(peak_memory_of(child) for child in children(pid)) < 150_000_000


@pytest.mark.slow
def test_streams_that_nobody_reads_to_the_end_are_given_up(full_server):
    """More of them than may run at once: each ends when its client goes away."""
    for _ in range(8):
        with socket.create_connection(("127.0.0.1", full_server.port), 10) as connection:
            connection.sendall(b"GET /events/export HTTP/1.1\r\nHost: x\r\n\r\n")
            assert connection.recv(100).startswith(b"HTTP/1.1 200")
        wait_until(lambda: full_server.request("GET", "events/count").status == 200, "an answer")

    def streams_again() -> bool:
        return full_server.request("GET", "events/export?fields=alert").status == 200

    wait_until(streams_again, "a place for a stream")


@pytest.mark.slow
@pytest.mark.skipif(not ARE_TOLD, reason="looks for processes in /proc")
def test_the_processes_that_answer_end_with_a_killed_server(tmp_path):
    with running_server(tmp_path) as server:
        server.request("POST", "events", lines(100))
        assert server.get("events/count") == {"count": 100}
        answering = children(server.process.pid)
        assert answering
        server.kill()
        wait_until(lambda: not any(map(is_running, answering)), "the end of the processes")
        server.start()
        assert server.get("events/count") == {"count": 100}


@pytest.mark.skipif(not ARE_TOLD, reason="looks for processes in /proc")
def test_a_killed_process_costs_one_question_at_most(full_server):
    full_server.get("events/count")
    for child in children(full_server.process.pid):
        os.kill(child, 9)
    assert full_server.request("GET", "health").status == 200
    wait_until(lambda: full_server.request("GET", "events/count").status == 200, "an answer")
