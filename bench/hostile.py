"""An honest sender alone, and beside everything rude at once: ``python bench/hostile.py [MINUTES]``.

The clients are those of tests/acceptance/test_hostile_hours.py. They share the cores with the server,
and give way to it. What that alone costs is measured beside as many processes that only spin. Ceilings
stand beside the figures; the exit code is 1 if one is broken.
"""

from __future__ import annotations

import http.client
import json
import sys
import tempfile
import time
from pathlib import Path

from servers import event_manager

from support.processes import busy_cores, watched_memory
from support.rude import RUDENESS, Crowd, Honest

FILES = 256
ALONE_SECONDS = 20
EVENTS = 20_000


def main() -> int:
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 10.0
    with tempfile.TemporaryDirectory() as name, event_manager(Path(name), files=FILES) as server:
        fill(server.port)
        with Honest(server.port) as alone:
            time.sleep(ALONE_SECONDS)
        with busy_cores(len(RUDENESS)), Honest(server.port) as sharing:
            time.sleep(ALONE_SECONDS)
        with (
            watched_memory(server.pid) as sizes,
            Honest(server.port) as beside,
            Crowd(server.port) as crowd,
        ):
            time.sleep(60 * minutes)
    print(f"alone:\n  {alone.sending}\n  {alone.health}")
    print(f"beside processes that spin:\n  {sharing.sending}\n  {sharing.health}")
    print(f"beside, for {minutes:g} minutes:\n  {beside.sending}\n  {beside.health}")
    for kind, seen in crowd.seen.items():
        print(f"  {kind}: {seen}")
    rows = [
        ("memory, MB", max(sizes) / 1e6, 400.0),
        ("p99 of POST /event, times alone", beside.sending.at(0.99) / alone.sending.at(0.99), 5.0),
        ("the same, times beside busy cores", beside.sending.at(0.99) / sharing.sending.at(0.99), 5.0),
        ("p99 of GET /health, ms", beside.health.at(0.99), 50.0),
        ("honest events refused", float(len(beside.sending.refused)), 0.0),
        ("/health not answered", float(len(beside.health.refused)), 0.0),
        ("kinds of 5xx but 503 and 504", float(len(crowd.of_the_server)), 0.0),
    ]
    for what, figure, ceiling in rows:
        verdict = "" if figure <= ceiling else "  BROKEN"
        print(f"{what:36} {figure:10.1f}  ceiling {ceiling:g}{verdict}")
    return int(any(figure > ceiling for _, figure, ceiling in rows))


def fill(port: int) -> None:
    """Give the server events that replies can be long of."""
    lines = [json.dumps({"event_data": {"message": "a" * 500, "n": one}}) for one in range(EVENTS)]
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("POST", "/events", "\n".join(lines))
    reply = connection.getresponse()
    reply.read()
    connection.close()
    if reply.status != 200:
        raise SystemExit(f"The server could not be filled: {reply.status}.")


if __name__ == "__main__":
    sys.exit(main())
