"""A lab whose file was damaged, from the server's refusal to the server that goes on."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from madsci.event_manager.stores.sqlite.store import SqliteStore
from support.damaged_files import LOG, content, event, noise, zeros
from support.server import ServerProcess

pytestmark = pytest.mark.slow

TOOL = [sys.executable, "-m", "madsci.common.mongodb_migration_tool"]
ADVICE = re.compile(r"python -m (madsci\.common\.mongodb_migration_tool recover --db-url '[^']+')")


def send(server: ServerProcess, first: int, last: int) -> None:
    for number in range(first, last, 20):
        lines = [
            json.dumps({"event_id": event(one).event_id, "event_data": {"message": f"m{one}"}})
            for one in range(number, number + 20)
        ]
        reply = server.request("POST", "events", "\n".join(lines))
        assert reply.status == 200, reply.body


def unanswered(server: ServerProcess, number: int) -> list[int]:
    """Those of the first events that the server does not know."""
    return [
        one for one in range(number)
        if server.request("GET", f"event/{event(one).event_id}").status != 200
    ]  # fmt: skip


def advised(server: ServerProcess) -> list[str]:
    """The command that the server printed, as words."""
    found = ADVICE.search(server.log.read_text())
    assert found is not None, server.log.read_text()
    return [sys.executable, "-m", *shlex.split(found[1])]


def run(server: ServerProcess, command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=server.directory, env=server.environment, capture_output=True, text=True,
        timeout=100, check=False,
    )  # fmt: skip


def test_a_server_that_refuses_a_damaged_file_goes_on_after_the_command_it_advises(tmp_path):
    server = ServerProcess(tmp_path).start()
    send(server, 0, 400)
    server.stop()
    zeros(0, 4096)(server.database)
    assert ServerProcess.launch(server).wait(60) == 1
    assert run(server, [*TOOL, "check", "--db-url", server.environment["EVENT_DB_URL"]]).returncode == 1
    done = run(server, [*advised(server), "--in-place"])
    assert done.returncode == 0, done.stderr
    assert "The server can be started again" in done.stdout
    server.start()
    try:
        assert all(server.get(f"event/{event(one).event_id}") for one in range(400))
        refused = run(server, [*TOOL, "recover", "--db-url", server.environment["EVENT_DB_URL"]])
        assert refused.returncode == 1
        assert "Stop it, and recover again" in refused.stderr
    finally:
        server.stop()


def test_what_a_start_with_a_damaged_log_leaves_out_is_saved_by_the_command_it_prints(tmp_path):
    """The server was killed, its log damaged amid, and it took new events before anybody looked."""
    server = ServerProcess(tmp_path).start()
    send(server, 0, 600)
    server.kill()
    size = Path(f"{server.database}{LOG}").stat().st_size
    noise(size // 2, 40, LOG)(server.database)
    server.start()
    short = [
        one for one in range(600) if server.request("GET", f"event/{event(one).event_id}").status != 200
    ]
    assert short
    send(server, 600, 640)
    server.stop()
    done = run(server, [*advised(server), "--in-place", "--json"])
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    server.start()
    try:
        missing = unanswered(server, 640)
        assert len(missing) < min(len(short), 60)
        assert not missing or report["damaged"] or report["unreadable"]
    finally:
        server.stop()


def test_a_recovery_that_is_killed_leaves_the_old_file_or_the_new_one(tmp_path):
    path = tmp_path / "events.db"
    store = SqliteStore(path)
    for first in range(0, 4_000, 200):
        store.append([event(one) for one in range(first, first + 200)])
    store.close()
    whole = content(path)
    zeros(0, 4096)(path)
    damaged = path.read_bytes()
    command = [*TOOL, "recover", "--db-url", f"sqlite:///{path}"]
    began = time.monotonic()
    subprocess.run([*command, "--to", str(tmp_path / "whole.db")], check=True, capture_output=True)
    seconds = time.monotonic() - began
    killed = done = 0
    for trial in range(24):
        in_place = trial % 2 == 1
        words = ["--in-place"] if in_place else ["--to", str(tmp_path / "saved.db")]
        with subprocess.Popen(
            [*command, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            # The moment of the blow is the test.
            threading.Event().wait(seconds * (0.4 + trial * 0.03))
            process.kill()
            killed += process.wait() == -9
        target = path if in_place else tmp_path / "saved.db"
        if not in_place:
            assert path.read_bytes() == damaged
        if in_place and path.read_bytes() == damaged:
            continue
        if target.exists():
            assert content(target) == whole
            done += 1
            for one in tmp_path.glob("events.db*"):
                one.unlink()
            path.write_bytes(damaged)
            (tmp_path / "saved.db").unlink(missing_ok=True)
            for one in tmp_path.glob("saved.db*"):
                one.unlink()
    assert killed >= 3
    assert subprocess.run([*command, "--in-place"], check=False).returncode == 0
    assert content(path) == whole
    shutil.rmtree(tmp_path)
