"""Clocks of servers and clients are set forward and back: nothing is lost, tasks go on, it is told."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from madsci.common.clock import iso, now_us
from support.clocks import DAY, HOUR, STEPS, TEN_YEARS, SetClock
from support.server import ServerProcess, running_server, wait_until

pytestmark = pytest.mark.slow

STOPPED = (0, -signal.SIGTERM)
SET, FUTURE, HELD = "The clock of this server was set", "lies in the future", "Retention is held back"
HOURLY = {
    "EVENT_BACKUP_ENABLED": "true",
    "EVENT_BACKUP_SCHEDULE": "0 * * * *",
    "EVENT_RETENTION_ENABLED": "true",
    "EVENT_RETENTION_CHECK_INTERVAL_HOURS": "1",
}


@pytest.fixture(params=["sqlite", "mongodb"])
def lab(request, tmp_path):
    settings = {}
    if request.param == "mongodb":
        settings["EVENT_DB_URL"] = request.getfixturevalue("mongo_url")
        settings["EVENT_DATABASE_NAME"] = request.getfixturevalue("mongo_database")
    made = Lab(tmp_path, settings)
    yield made
    made.server.stop()


class Lab:
    """A server with hourly tasks, whose clock can be set, and events that its policy may delete."""

    def __init__(self, folder: Path, settings: dict[str, str]) -> None:
        self.clock = SetClock(folder)
        self.acknowledged: list[str] = []
        self.server = ServerProcess(folder, **HOURLY, **settings, **self.clock.environment)

        self.long_ago = iso(now_us() - 90 * DAY * 1_000_000)
        self.base = HOUR // 3 - int(time.time()) % HOUR
        """Seconds by which the right clock of this lab is off: it is twenty past."""
        self.set(0)

    def set(self, seconds: int) -> None:
        """Set the clock so many seconds before or after the right time."""
        self.clock.set(self.base + seconds)

    def off(self, text: str, seconds: int) -> float:
        """Return by how many seconds a time is later than now, by a clock that is off."""
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
        return moment.timestamp() - time.time() - self.base - seconds

    def fill(self) -> None:
        ago = now_us() - 100 * DAY * 1_000_000
        for number in range(5):
            members = {"archived": True, "archived_at": iso(ago), "event_timestamp": iso(ago)}
            self.put({"event_id": f"archived{number}", **members})

    def put(self, event: dict) -> dict:
        reply = self.server.post("event", event)
        assert reply.status == 200, reply.body
        self.acknowledged.append(reply.json["event_id"])
        return reply.json

    def shows(self, seconds: int) -> bool:
        """Whether the server receives events by the clock that was set."""
        return abs(self.off(self.put({})["received_at"], seconds)) < 60

    def tasks(self) -> dict[str, dict]:
        shown = {one["name"]: one for one in self.server.get("health")["tasks"]}
        return {name: shown[name] for name in ("backup", "retention")}

    def told(self, words: str) -> int:
        """How often the log says something; that it is over is not counted."""
        lines = self.server.log.read_text().splitlines()
        return sum(line.count(words) for line in lines if "This is over" not in line)

    def await_tasks(self, seconds: int, before: int = 0) -> None:
        """Both tasks are done for the hour that the clock shows, or held back where that is right.

        ``before`` is where the clock was. What was held back there was done for this hour before.
        """
        retention = "held" if seconds == TEN_YEARS else None if before == TEN_YEARS else "done"

        def are_so() -> bool:
            shown = self.tasks()
            outcomes = {name: one["last_outcome"] for name, one in shown.items()}
            return outcomes == {"backup": "done", "retention": retention} and all(
                self.off(one["next_start"], seconds) < HOUR
                and (one["last_start"] is None or abs(self.off(one["last_start"], seconds)) < HOUR / 2)
                for one in shown.values()
            )

        wait_until(are_so, f"the tasks at {seconds:+d} s: {self.tasks()}")

    def check_all_there(self) -> None:
        """Nothing is missing, or archived that is not old by its own time, and the log is in events."""
        found = {one["event_id"]: one for one in self.server.query({})}
        assert set(self.acknowledged) <= found.keys()
        old = {one for one, event in found.items() if event["event_timestamp"] < self.long_ago}
        assert {one for one, event in found.items() if event["archived"]} <= old
        told = " ".join(one["event_data"].get("message", "") for one in found.values())
        for words in (SET, FUTURE, HELD):
            assert told.count(words) == self.told(words)


def there_and_back() -> Iterator[int]:
    for step in STEPS:
        yield step
        yield 0


def test_a_server_whose_clock_is_set_while_it_runs(lab):
    lab.server.start()
    lab.fill()
    lab.await_tasks(0)
    before = 0
    for seconds in there_and_back():
        words = f"{SET} {'forward' if seconds > before else 'back'} by"
        told = lab.told(words)
        lab.set(seconds)
        wait_until(lambda s=seconds: lab.shows(s), "the step")
        wait_until(lambda w=words, n=told: lab.told(w) > n, "the telling")
        lab.await_tasks(seconds, before)
        before = seconds
    assert (lab.told(SET), lab.told(HELD)) == (2 * len(STEPS), 1)
    assert lab.told(FUTURE) >= len(STEPS)
    lab.check_all_there()
    assert lab.server.stop() in STOPPED


def test_a_server_that_starts_with_a_wrong_clock(lab):
    lab.server.start()
    lab.fill()
    lab.await_tasks(0)
    before = 0
    for seconds in there_and_back():
        lab.server.stop()
        lab.set(seconds)
        lab.server.start()
        assert lab.shows(seconds)
        lab.await_tasks(seconds, before)
        before = seconds
    lab.check_all_there()
    assert (lab.told(FUTURE), lab.told(HELD)) >= (len(STEPS), 1)
    assert lab.server.stop() in STOPPED


CLIENT = r"""
import sys, time
from madsci.client import EventClient

client = EventClient(name="robot", event_server=sys.argv[1])
print("ready", flush=True)
number = 0
for word in sys.stdin:
    if word == "log\n":
        for one in range(20):
            client.info("moved", step=number, one=one)
        number += 1
    print(time.time(), flush=True)
client.close()
"""
_EACH = 20


class Client:
    """A program that logs twenty events when it is told to, by a clock that can be set."""

    def __init__(self, server: ServerProcess, clock: SetClock) -> None:
        self.clock = clock
        self.process = subprocess.Popen(
            [sys.executable, "-c", CLIENT, server.url], cwd=server.directory, text=True,
            env={**server.environment, **clock.environment},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        assert self.process.stdout.readline() == "ready\n"

    def log_at(self, seconds: int) -> None:
        """Log once its clock is off by so many seconds."""
        self.clock.set(seconds)
        wait_until(lambda: abs(self.ask("time") - time.time() - seconds) < 60, "the step")
        self.ask("log")

    def ask(self, word: str) -> float:
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def end(self) -> None:
        self.process.stdin.close()
        assert self.process.wait(60) == 0
        self.process.stdout.close()


def arrived(server: ServerProcess) -> list[tuple[int, int]]:
    found = server.query({"event_data.step": {"$exists": True}})
    return sorted((one["event_data"]["step"], one["event_data"]["one"]) for one in found)


def wanted(steps: int) -> list[tuple[int, int]]:
    return [(step, one) for step in range(steps) for one in range(_EACH)]


def test_a_client_whose_clock_is_set_while_it_runs_delivers_everything_once(tmp_path):
    clock = SetClock(tmp_path)
    with running_server(tmp_path) as server:
        client = Client(server, clock)
        settings = list(there_and_back())
        for number, seconds in enumerate(settings):
            client.log_at(seconds)
            wait_until(lambda n=number: len(arrived(server)) == (n + 1) * _EACH, "the events")
        client.end()
        assert arrived(server) == wanted(len(settings))
        in_ten_years = iso(now_us() + (TEN_YEARS - DAY) * 1_000_000)
        moments = [one["event_timestamp"] for one in server.query({"event_data.step": 4})]
        assert all(moment > in_ten_years for moment in moments)


def test_what_waited_through_steps_of_the_clock_is_delivered_by_the_next_program(tmp_path):
    """The server is away, and each program ends before it is back."""
    clock = SetClock(tmp_path)
    server = ServerProcess(tmp_path)
    for seconds in STEPS:
        client = Client(server, clock)
        client.log_at(seconds)
        client.process.kill()
        client.process.wait(10)
        client.process.stdin.close()
        client.process.stdout.close()
    clock.set(0)
    server.start()
    client = Client(server, clock)
    wait_until(lambda: len(arrived(server)) == len(STEPS) * _EACH, "what waited")
    client.end()
    assert server.stop() in STOPPED
