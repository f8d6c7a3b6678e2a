"""Damaged spool files: what is whole arrives, what is missing is told, and nothing else is."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import spool_damage
from support.peers import WELL, BadPeer, running_peer
from support.server import wait_until

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="kills forked processes")

BATCH = 40

# Forks a new process for each order that it reads, so that none has to import anything: it logs numbers
# up to one and is killed, or logs half, waits for a file, and goes on; or it delivers what others left.
PROGRAM = """
import json, logging, os, signal, sys, time
from pathlib import Path
from madsci.client.event_client import EventClient
logging.disable(logging.CRITICAL)

def text(number):
    return "x" * (number * 7 % 200)

def log(client, returned, first, last):
    for number in range(first, last):
        client.info("moved", number=number, text=text(number))
        os.write(returned, str(number).encode() + b"\\n")

def run(what, url, directory, count):
    client = EventClient(
        name="robot", event_server_url=url, spool_dir=directory, log_file_enabled=False,
        log_console_enabled=False, spool_max_bytes=400_000, batch_max_events=BATCH,
        flush_interval_seconds=0.005, retry_backoff_factor=0.01, close_timeout_seconds=30,
    )
    if what != "deliver":
        returned = os.open(f"{directory}.returned", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
        half = count if what == "die" else count // 2
        log(client, returned, 0, half)
        if what == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        Path(f"{directory}.half").touch()
        while not os.path.exists(f"{directory}.damaged"):
            time.sleep(0.002)
        log(client, returned, half, count)
    client.info("end")
    while True:
        files = [name for _, _, names in os.walk(directory) for name in names]
        if client.flush(5) and len([name for name in files if name.endswith(".lock")]) <= 1:
            break
        time.sleep(0.01)
    client.flush(5)  # what is told of losses
    stats = client.stats()
    client.close()
    Path(f"{directory}.lost").write_text(str(stats.lost))

for order in sys.stdin:
    what, url, directory, count = order.split()
    child = os.fork()
    if child == 0:
        run(what, url, directory, int(count))
        os._exit(0)
    print(child, flush=True)
    print(os.waitpid(child, 0)[1], flush=True)
"""


class Drill:
    """One spool, and who writes to it and reads it."""

    def __init__(self, processes: subprocess.Popen[str], peer: BadPeer, directory: Path) -> None:
        self.processes, self.peer, self.directory = processes, peer, directory
        self.accepted = 0
        self.unanswered = 0
        """Events that may be at the server, or on their way, unknown to the client that was killed."""
        peer.mood = self.mood

    def mood(self) -> str | int:
        self.accepted -= 1
        return WELL if self.accepted >= 0 else 503

    def begin(self, what: str, count: int = 0) -> None:
        print(what, self.peer.url, self.directory, count, file=self.processes.stdin, flush=True)
        self.processes.stdout.readline()

    def end(self) -> int:
        return int(self.processes.stdout.readline())

    def files(self, pattern: str) -> list[Path]:
        return sorted(self.directory.glob(f"*/{pattern}"))

    def contents(self) -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in self.files("*.events")}

    def damage_one(self, pattern: str, kind, seed: int) -> set[bytes]:
        """Damage a file; return the events that are whole."""
        before = self.contents()
        paths = self.files(pattern)
        if paths:
            spool_damage.damage(random.Random(seed).choice(paths), kind, seed)
        return spool_damage.whole_events(before)

    def check(self, whole: set[bytes]) -> tuple[int, int]:
        """Return how many events are missing, and of how many the server was told."""
        data = self.peer.data()
        arrived = {one["number"] for one in data if "number" in one}
        for one in data:
            if "number" in one:
                assert one["text"] == "x" * (one["number"] * 7 % 200)
        expected = {json.loads(body)["event_id"] for body in whole}
        assert expected <= set(self.peer.arrived), "an event that was whole did not arrive"
        logged = {
            int(line)
            for line in Path(f"{self.directory}.returned").read_text().splitlines()
        }  # fmt: skip
        told = sum(one.get("lost_events", 0) for one in data)
        assert told == int(Path(f"{self.directory}.lost").read_text())
        assert self.files("*.events") == self.files("*.lock") == []
        return len(logged - arrived), told


@pytest.fixture
def drills(tmp_path) -> Iterator:
    with contextlib.ExitStack() as stack:
        processes = stack.enter_context(
            subprocess.Popen(
                [sys.executable, "-c", f"BATCH = {BATCH}\n{PROGRAM}"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        )
        stack.callback(processes.stdin.close)

        def make(number: int) -> Drill:
            peer = stack.enter_context(running_peer(BadPeer()))
            return Drill(processes, peer, tmp_path / f"spool{number}")

        yield make


def long_form(count: int):
    return pytest.param(count, marks=pytest.mark.slow)


@pytest.mark.parametrize("trials", [8, long_form(100)])
def test_what_killed_processes_left_and_somebody_damaged_is_delivered_or_told(drills, trials):
    for seed in range(trials):
        drill, chance = drills(seed), random.Random(seed)
        drill.accepted = chance.choice((0, 0, 1, 3, 8))
        drill.unanswered = BATCH
        drill.begin("die", chance.choice((1, 9, 200, 700)))
        assert drill.end() == signal.SIGKILL
        pattern = "*.lock" if seed % 4 == 3 else "*.events"
        whole = drill.damage_one(pattern, spool_damage.KINDS[seed % 5], seed)
        drill.accepted = 10**9
        drill.begin("deliver")
        assert drill.end() == 0
        missing, told = drill.check(whole)
        assert missing <= told <= missing + drill.unanswered, seed


@pytest.mark.parametrize("trials", [8, long_form(50)])
def test_what_is_damaged_under_a_client_is_delivered_or_told(drills, trials):
    for seed in range(trials):
        drill, chance = drills(seed), random.Random(seed)
        drill.accepted = chance.choice((0, 0, 1, 3, 8))
        drill.begin("continue", chance.choice((2, 20, 200, 700)))
        wait_until(Path(f"{drill.directory}.half").exists)
        pattern = "*.lock" if seed % 4 == 3 else "*.events"
        whole = drill.damage_one(pattern, spool_damage.KINDS[seed % 5], seed)
        Path(f"{drill.directory}.damaged").touch()
        drill.accepted = 10**9
        assert drill.end() == 0
        missing, told = drill.check(whole)
        assert missing <= told <= missing + drill.unanswered, seed


@pytest.mark.parametrize("trials", [4, long_form(30)])
def test_processes_that_were_killed_at_any_moment_have_lost_nothing(drills, trials):
    for seed in range(trials):
        drill, chance = drills(seed), random.Random(seed)
        drill.accepted = chance.choice((0, 3, 10**9))
        drill.begin("die", chance.randrange(1, 900))
        assert drill.end() == signal.SIGKILL
        whole = spool_damage.whole_events(drill.contents())
        drill.accepted = 10**9
        drill.begin("deliver")
        assert drill.end() == 0
        assert drill.check(whole) == (0, 0)


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="nothing is left to tell of it")
def test_a_whole_folder_that_somebody_deletes_after_a_kill_is_told(drills):
    drill = drills(0)
    drill.begin("die", 100)
    assert drill.end() == signal.SIGKILL
    shutil.rmtree(drill.directory)
    drill.accepted = 10**9
    drill.begin("deliver")
    assert drill.end() == 0
    assert drill.check(set()) == (100, 100)


@pytest.mark.parametrize("trials", [2, long_form(20)])
def test_a_folder_that_is_deleted_under_a_client_is_made_again_and_nothing_is_lost(drills, trials):
    for seed in range(trials):
        drill = drills(seed)
        drill.begin("continue", random.Random(seed).randrange(20, 110))  # one segment
        wait_until(Path(f"{drill.directory}.half").exists)
        before = drill.contents()
        shutil.rmtree(drill.directory)
        Path(f"{drill.directory}.damaged").touch()
        wait_until(lambda drill=drill, before=before: len(drill.contents()) > len(before))
        drill.accepted = 10**9
        assert drill.end() == 0
        assert drill.check(whole_of(before)) == (0, 0)


def whole_of(contents: dict[Path, bytes]) -> set[bytes]:
    return {line[line.index(b"{") :] for content in contents.values() for line in content.splitlines()}
