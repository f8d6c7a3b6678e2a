"""An honest sender beside everything that a lab's network sends without meaning well.

``bench/hostile.py`` runs the same for longer, and tells how quick the honest are beside it.
"""

from __future__ import annotations

import json
import sys

import pytest

from support.processes import LOOK, watched_memory
from support.rude import Crowd, Honest
from support.server import ServerProcess, wait_until

SECONDS = 60
FILES = 256
"""Open files that the server is allowed, as where nobody has raised the limit."""
MEMORY = 400_000_000
"""Bytes of the server and its processes together."""

# Runs the server as `python -m` does, within the limit.
LIMITED = f"""
import resource, runpy
resource.setrlimit(resource.RLIMIT_NOFILE, ({FILES}, {FILES}))
runpy.run_module("madsci.event_manager.event_server", run_name="__main__", alter_sys=True)
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc"),
]


@pytest.fixture(scope="module")
def hours(tmp_path_factory):
    """What was seen while all of them were there."""
    server = ServerProcess(tmp_path_factory.mktemp("hostile"))
    server.program = ["-c", LIMITED]
    server.start()
    try:
        lines = [json.dumps({"event_data": {"message": "a" * 500, "n": one}}) for one in range(20_000)]
        assert server.request("POST", "events", "\n".join(lines)).json["stored"] == 20_000
        with (
            watched_memory(server.process.pid) as sizes,
            Honest(server.port) as honest,
            Crowd(server.port) as crowd,
        ):
            wait_until(lambda: LOOK * len(sizes) >= SECONDS, "the hour", seconds=3 * SECONDS)
        yield honest, crowd, sizes, server
    finally:
        server.stop()


def test_no_honest_event_is_refused(hours):
    honest, _, _, _ = hours
    assert honest.sending.seconds
    assert honest.sending.refused == []


def test_health_is_always_answered(hours):
    honest, _, _, _ = hours
    assert honest.health.seconds
    assert honest.health.refused == []


def test_nobody_is_answered_with_a_mistake_of_the_server(hours):
    _, crowd, _, server = hours
    assert crowd.of_the_server == set()
    assert "Traceback" not in server.log.read_text()


def test_memory_stays_bounded(hours):
    _, _, sizes, _ = hours
    assert max(sizes) <= MEMORY


def test_afterwards_it_answers_as_before(hours):
    _, _, _, server = hours
    assert server.get("health")["healthy"]
    assert server.post("event", {"event_id": "afterwards"}).status == 200
    assert [one["event_id"] for one in server.query({"event_id": "afterwards"})] == ["afterwards"]
