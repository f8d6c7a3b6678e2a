"""Servers in trouble: what they say of it, and what must hold when it is over."""

from __future__ import annotations

import time

from support.load import Load
from support.server import Reply, ServerProcess, wait_until

SECOND = 4.0
"""Within a second, and what a busy machine adds."""


def health(server: ServerProcess) -> Reply:
    began = time.monotonic()
    reply = server.request("GET", "health")
    assert time.monotonic() - began < SECOND
    return reply


def becomes_unhealthy(server: ServerProcess, words: str, seconds: float = SECOND) -> None:
    reply = wait_until(
        lambda: (reply := health(server)).status == 503 and reply, "an unhealthy state", seconds=seconds
    )
    assert reply.json["healthy"] is False
    assert words in reply.json["description"]


def becomes_healthy(server: ServerProcess) -> None:
    wait_until(lambda: health(server).status == 200, "a healthy state")


def takes_events(server: ServerProcess) -> bool:
    return server.post("event", {"event_data": {"message": "x" * 500}}).status == 200


def launched(server: ServerProcess) -> None:
    """Start the program and wait until it answers, whatever it answers."""
    process = server.launch()

    def answers() -> bool:
        assert process.poll() is None, f"exit code {process.returncode}: {server.log.read_text()}"
        try:
            return bool(server.request("GET", "health"))
        except OSError:
            return False

    wait_until(answers, "an answer")


def gets(load: Load, number: int) -> None:
    """Wait until so many more events were acknowledged."""
    before = len(load.acknowledged)
    wait_until(lambda: len(load.acknowledged) > before + number, "acknowledged events")


def has_all(server: ServerProcess, load: Load) -> None:
    acknowledged = set(load.acknowledged)  # before those are asked for that come meanwhile
    stored = {event["_id"] for event in server.query({})}
    assert acknowledged - stored == set(), "acknowledged events are missing"


def tells(server: ServerProcess, number: int, words: str) -> None:
    """Wait until the log has said something for the n-th time."""
    wait_until(lambda: server.log.read_text().count(words) == number, f"{words!r} in the log")
