"""Starts, backups and slow readers of a store that is too large to be checked before it is served."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from madsci.event_manager.model.stored_event import StoredEvent
from madsci.event_manager.stores.sqlite.store import SqliteStore
from support.processes import children, state_of
from support.server import ServerProcess, wait_until

SIZE = 900
"""Events of 100 KB, which make 90 MB."""
LONG = '{"message":"large","text":"' + "x" * 100_000 + '"}'
NDJSON = {"Content-Type": "application/x-ndjson"}
READER = """
import os, signal, sys, apsw
file = apsw.Connection(sys.argv[1], flags=apsw.SQLITE_OPEN_READONLY)
file.execute("BEGIN")
file.execute("SELECT count(*) FROM events").fetchall()
os.kill(os.getpid(), signal.SIGSTOP)
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="stops processes and looks into /proc"),
]


@pytest.fixture(scope="module")
def original(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("large") / "events.db"
    with closing(SqliteStore(path)) as store:
        for start in range(0, SIZE, 50):
            store.append([stored(number) for number in range(start, start + 50)])
    assert path.stat().st_size > 80_000_000
    return path


def stored(number: int) -> StoredEvent:
    return StoredEvent(f"{number:026}", "log_info", 20, False, number, 1, {"node_id": "n"}, LONG)


@pytest.fixture
def server(original, tmp_path) -> Iterator[ServerProcess]:
    for ending in ("", ".acknowledged"):
        shutil.copyfile(f"{original}{ending}", f"{tmp_path / 'events.db'}{ending}")
    server = ServerProcess(
        tmp_path,
        EVENT_BACKUP_DIR=str(tmp_path / "backups"),
        EVENT_INTEGRITY_CHECK_SECONDS="0.02",  # so that a quick machine leaves most of it for later
    )
    yield server
    server.stop()


def small(number: int) -> dict:
    return {
        "event_id": f"small-{number}", "event_type": "log_info", "log_level": 20,
        "event_data": {"message": "small"},
    }  # fmt: skip


def send_large(server: ServerProcess, name: str, batches: int) -> None:
    """Send 2.5 MB so many times; every time it must be taken."""
    for batch in range(batches):
        lines = "\n".join(
            f'{{"event_id": "{name}-{batch}-{n}", "event_type": "log_info", "event_data": {LONG}}}'
            for n in range(25)
        )
        reply = server.request("POST", "events", lines, NDJSON)
        assert reply.status == 200, reply.body


def log_size(server: ServerProcess) -> int:
    with contextlib.suppress(FileNotFoundError):
        return Path(f"{server.database}-wal").stat().st_size
    return 0


def leaf_of(path: Path, tree: str, kind: str = "leaf") -> int:
    with closing(apsw.Connection(f"{path.as_uri()}?immutable=1", flags=65)) as file:
        sql = "SELECT pageno FROM dbstat WHERE name = ? AND pagetype = ? LIMIT 1 OFFSET 1"
        return file.execute(sql, (tree, kind)).get


def health(server: ServerProcess) -> dict:
    return json.loads(server.request("GET", "health").body)


def verification(server: ServerProcess) -> dict:
    return next(one for one in health(server)["tasks"] if one["name"] == "verification")


def test_what_is_checked_after_the_start_is_found_whole(server):
    server.start()
    wait_until(lambda: verification(server)["last_outcome"] == "done", "the check")
    assert health(server)["healthy"]
    assert server.get("events/count")["count"] == SIZE


def test_a_torn_page_is_found_beside_the_service_and_told_everywhere(server):
    page = leaf_of(server.database, "events")
    with server.database.open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(b"\xff" * 4096)
    process = server.launch()
    wait_until(lambda: answers(server), "the server")
    said = wait_until(lambda: (now := health(server))["troubles"] and now, "the finding")
    assert any("events.db is damaged" in one and "recover" in one for one in said["troubles"])
    assert server.request("GET", "health").status == 503
    assert server.post("event", small(1)).status == 200  # a recorder goes on
    assert server.get("event/small-1")["event_data"]["message"] == "small"
    assert "events.db is damaged" in server.log.read_text()

    def alert() -> bool:
        newest = server.get("events?number=10").values()
        return any(one["alert"] and "recover" in one["event_data"]["message"] for one in newest)

    wait_until(alert, "the alert")
    assert process.poll() is None


def test_where_a_used_page_counts_as_free_nothing_more_is_written(server):
    page = leaf_of(server.database, "events")
    with server.database.open("r+b") as file:
        file.seek(32)
        file.write(page.to_bytes(4, "big") + (1).to_bytes(4, "big"))
    server.launch()
    wait_until(lambda: answers(server), "the server")
    wait_until(lambda: server.request("GET", "health").status == 503, "the finding")
    before = server.database.read_bytes()
    reply = server.post("event", small(1))
    assert reply.status >= 500
    assert "might be written over others" in reply.json["detail"]
    assert server.get("event/" + f"{SIZE - 1:026}")["log_level"] == 20
    server.stop()
    assert server.database.read_bytes() == before


def test_kill_9_of_the_check_or_of_the_server_amid_it_harms_nothing(server):
    server.launch()
    wait_until(lambda: answers(server), "the server")
    [worker, *_] = wait_until(lambda: children(server.process.pid), "the process that checks")
    os.kill(worker, signal.SIGSTOP)  # amid its work
    assert server.post("event", small(1)).status == 200
    os.kill(worker, signal.SIGKILL)
    assert server.post("event", small(2)).status == 200
    wait_until(lambda: verification(server)["last_outcome"] == "done", "another check", seconds=80)
    assert health(server)["healthy"]
    server.kill()
    server.launch()
    wait_until(lambda: children(server.process.pid), "the process that checks")
    server.kill()
    server.start()
    assert server.get("events/count")["count"] == SIZE + 2


def test_a_reader_that_stands_still_holds_up_nobody_and_is_named(server):
    server.start()
    reader = subprocess.Popen([sys.executable, "-c", READER, str(server.database)])
    try:
        wait_until(lambda: state_of(reader.pid) == "T", "the reader")
        send_large(server, "held", 60)
        assert log_size(server) > 130_000_000
        name = f"process {reader.pid} ("
        told = wait_until(lambda: [one for one in health(server)["warnings"] if name in one], "it")
        assert "Nothing is lost or held up by that" in told[0]
        wait_until(lambda: "grows, since somebody" in server.log.read_text(), "the log's line")
        assert health(server)["healthy"]
    finally:
        reader.kill()
        reader.wait()
    wait_until(lambda: not health(server)["warnings"], "the end of it")

    def is_short() -> bool:
        send_large(server, os.urandom(8).hex(), 1)
        return log_size(server) < 80_000_000

    wait_until(is_short, "a short log")
    assert server.get("events/count")["count"] >= SIZE + 1_500


def test_a_backup_of_a_large_store_under_load_refuses_nothing_and_leaves_a_short_log(server):
    server.start()
    done = threading.Event()
    made: list[dict] = []

    def back_up() -> None:
        try:
            for _ in range(3):
                reply = server.request("POST", "backup")
                assert reply.status == 200, reply.body
                made.append(reply.json)
        finally:
            done.set()

    thread = threading.Thread(target=back_up)
    thread.start()
    sent, longest = 0, 0
    while not done.is_set():
        send_large(server, f"load-{sent}", 1)
        sent += 1
        longest = max(longest, log_size(server))
    thread.join()
    assert len(made) == 3
    assert [one["events"] for one in made] == sorted(one["events"] for one in made)
    assert SIZE <= made[0]["events"] <= SIZE + 25 * sent
    # What came while one backup was made, and a log of usual length.
    assert longest < 80_000_000 + sent * 3_000_000
    wait_until(lambda: send_large(server, os.urandom(8).hex(), 1) or log_size(server) < 80_000_000)
    assert server.get("events/count")["count"] >= SIZE + 25 * sent


def answers(server: ServerProcess) -> bool:
    with contextlib.suppress(OSError):
        server.request("GET", "health")
        return True
    return False
