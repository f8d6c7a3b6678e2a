"""``/health`` answers within a second, whatever else the server does."""

from __future__ import annotations

import http.client
import json
import threading
import time
from contextlib import closing, suppress

import apsw
import pytest

from support.server import running_server, wait_until

pytestmark = pytest.mark.slow

SECONDS = 4.0
"""One second on a quiet machine; the rest is for a busy one."""


def answered(server) -> dict:
    began = time.monotonic()
    reply = server.request("GET", "health")
    assert time.monotonic() - began < SECONDS
    return reply.json


def test_many_slow_questions_hold_up_no_answer_about_health(tmp_path):
    """More of them than there are threads, answered in the server itself."""
    with running_server(tmp_path, EVENT_QUERY_PROCESSES="0", EVENT_QUERY_TIMEOUT_SECONDS="8") as server:
        lines = [json.dumps({"event_data": {"message": "a" * 200, "n": one}}) for one in range(20_000)]
        assert server.request("POST", "events", "\n".join(lines)).json["stored"] == 20_000
        slow = json.dumps({"event_data.message": {"$regex": "(a|aa)*b.*c"}})
        begun = threading.Semaphore(0)

        def ask() -> None:
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
            with suppress(OSError):
                connection.request("POST", "/events/query", slow)
                begun.release()
                connection.getresponse().read()
            connection.close()

        asking = [threading.Thread(target=ask) for _ in range(60)]
        for thread in asking:
            thread.start()
        for _ in asking:
            assert begun.acquire(timeout=20)
        for _ in range(20):
            assert answered(server)["healthy"]
        assert any(thread.is_alive() for thread in asking), "the questions were not slow"
        for thread in asking:
            thread.join(60)


def test_a_program_that_locks_the_file_is_told(server):
    """It holds SQLite's lock, as a careless tool would; nothing can be written until it lets go."""
    with closing(apsw.Connection(str(server.database))) as other:
        other.set_busy_timeout(20_000)  # ms: the server writes by itself, too
        other.execute("BEGIN IMMEDIATE")
        refused = threading.Thread(target=lambda: server.post("event", {}))
        refused.start()
        health = wait_until(lambda: not (state := answered(server))["healthy"] and state)
        assert "events.db" in health["description"]
        other.execute("ROLLBACK")
        refused.join()
        wait_until(lambda: answered(server)["healthy"])
