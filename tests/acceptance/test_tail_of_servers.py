"""Watching a real server, which is killed, stopped and replaced under those who watch."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import subprocess
import sys
import threading
from datetime import datetime, timedelta, timezone
from itertools import islice

import pytest

from madsci.client.event_client import EventClient
from madsci.common.errors import ServerRefusedError
from support.server import ServerProcess, running_server, wait_until


@contextlib.contextmanager
def client_of(server):
    with EventClient(
        name="watcher",
        event_server=server.url,
        log_file_enabled=False,
        log_console_enabled=False,
        spool_enabled=False,
    ) as client:
        yield client


def post(server, *numbers: int, **members: object) -> None:
    lines = [
        json.dumps({"event_id": f"e{n:05}", "event_data": {"message": f"Plate {n}", "n": n}, **members})
        for n in numbers
    ]
    reply = server.request("POST", "events", "\n".join(lines), {"Content-Type": "application/x-ndjson"})
    assert reply.status == 200, reply.body


def take(events, count: int) -> list[int]:
    return [event.event_data["n"] for event in islice(events, count)]


class Watcher(threading.Thread):
    """Collects what a tail gives in a thread."""

    def __init__(self, tail) -> None:
        super().__init__()
        self.tail = tail
        self.seen: list[int] = []
        self.start()

    def run(self) -> None:
        for event in self.tail:
            self.seen.append(event.event_data["n"])

    def end(self) -> list[int]:
        self.tail.close()
        self.join(30)
        assert not self.is_alive()
        return self.seen


@pytest.mark.slow
@pytest.mark.parametrize("end", ["kill", "stop"])
def test_a_server_that_ends_and_comes_again_leaves_no_gap_and_no_repetition(tmp_path, end):
    server = ServerProcess(tmp_path).start()
    try:
        with client_of(server) as client:
            watcher = Watcher(client.tail())
            for turn in range(2):
                first = turn * 400
                post(server, *range(first, first + 300))
                wait_until(lambda: len(watcher.seen) > first, "the first of them")  # noqa: B023
                post(server, *range(first + 300, first + 400))
                getattr(server, end)()
                server.start()
            post(server, 800)
            wait_until(lambda: len(watcher.seen) > 800, "all events")
            assert watcher.end() == list(range(801))
    finally:
        server.stop()


@pytest.mark.slow
def test_a_server_killed_amid_a_long_history_goes_on_with_it(tmp_path):
    server = ServerProcess(tmp_path).start()
    try:
        for first in range(0, 20_000, 5_000):
            post(server, *range(first, first + 5_000))
        with client_of(server) as client, client.tail(since="start") as tail:
            seen = take(tail, 1_000)
            server.kill()
            server.start()
            seen += [event.event_data["n"] for event in tail.history()]
            assert seen == list(range(20_000))
    finally:
        server.stop()


def test_the_next_run_of_a_program_goes_on_where_the_last_one_stood(server):
    with client_of(server) as client:
        with client.tail() as tail:
            post(server, 1, 2, 3)
            assert take(tail, 2) == [1, 2]
            position = tail.position
        post(server, 4)
    with client_of(server) as client, client.tail(since=position) as tail:
        assert take(tail.history(), 9) == [3, 4]


@pytest.mark.slow
def test_every_way_to_say_where_to_begin(server):
    post(server, 1, 2, 3)
    ago = datetime.now(timezone.utc) - timedelta(hours=1)
    with client_of(server) as client:
        for since, seen in [
            ("start", [1, 2, 3]), ("last:2", [2, 3]), ("-1h", [1, 2, 3]), (ago, [1, 2, 3]),
            ("today", [1, 2, 3]), ("now", []), (None, []), ("+1h", []),
        ]:  # fmt: skip
            with client.tail(since=since) as tail:
                assert take(tail.history(), 9) == seen, since


def test_what_was_deleted_meanwhile_is_counted(server):
    with client_of(server) as client:
        with client.tail() as tail:
            position = tail.position
        post(server, 1, 2, 3)
        client.archive_events(event_ids=["e00001", "e00002"])
        client.purge_events(0, backup=False)
        with client.tail({"event_data.n": {"$exists": True}}, since=position) as tail:
            assert take(tail.history(), 9) == [3]
            assert tail.missed == 2


@pytest.mark.slow
def test_the_server_does_the_choosing(server):
    with client_of(server) as client:
        with client.tail({"event_data.n": {"$mod": [2, 0]}}, level="warning") as tail:
            post(server, 1, 2, log_level="error")
            post(server, 3, 4)
            post(server, 5, 6, log_level="warning")
            assert take(tail, 2) == [2, 6]
            post(server, 2, log_level="error", alert=True)  # an alert is raised on it
            raised = next(tail)
            assert (raised.event_data["n"], raised.alert) == (2, True)
        long = {"event_data.n": {"$in": [*range(3), *(f"{n:0200}" for n in range(900))]}}
        with client.tail(long, since="start") as tail:
            assert take(tail.history(), 9) == [1, 2, 2]


def test_a_selector_that_is_none_is_refused_with_its_reason(server):
    with client_of(server) as client, pytest.raises(ServerRefusedError, match="near"):
        client.tail({"event_data.n": {"$near": 1}})


@pytest.mark.slow
def test_a_position_of_another_store_is_refused_not_guessed(tmp_path):
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    with running_server(tmp_path / "one") as one, client_of(one) as client, client.tail() as tail:
        post(one, 1)
        take(tail, 1)
        position = tail.position
    refused = pytest.raises(ServerRefusedError, match="not one of this event store")
    with running_server(tmp_path / "two") as two, client_of(two) as client, refused:
        client.tail(since=position)


@pytest.mark.slow
def test_asynchronous_programs_watch_beside_their_other_work(server):
    async def run(client):
        async with client.async_tail() as tail:
            await asyncio.to_thread(post, server, 1, 2, 3)
            return [(await anext(tail)).event_data["n"] for _ in range(3)]

    with client_of(server) as client:
        assert asyncio.run(run(client)) == [1, 2, 3]


@pytest.mark.slow
def test_the_terminal_view_shows_what_matches_and_survives_its_server(tmp_path):
    server = ServerProcess(tmp_path).start()
    flags = ["--level", "warning", "--text", "Plate", "--since", "1h"]
    try:
        post(server, 1, 2, log_level="error")
        post(server, 3)
        with subprocess.Popen(
            [sys.executable, "-m", "madsci.event_manager.tail", *flags],
            env=server.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as view:
            assert "Plate 1 n=1" in view.stdout.readline()
            assert "Plate 2 n=2" in view.stdout.readline()
            server.kill()
            server.start()
            post(server, 4, log_level="critical")
            assert "Plate 4 n=4" in view.stdout.readline()
            view.send_signal(signal.SIGINT)
            assert view.wait(30) == 130
            said = view.stderr.read()
        assert "broke off and will be resumed" in said
        assert "goes on" in said
        position = said.rpartition("--since ")[2].strip()
        post(server, 5, log_level="error")
        command = [sys.executable, "-m", "madsci.event_manager.tail", "--json", "--no-follow"]
        run = subprocess.run(
            [*command, "--since", position],
            env=server.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        assert [json.loads(line)["event_data"]["n"] for line in run.stdout.splitlines()] == [5]
    finally:
        server.stop()
