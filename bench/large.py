"""A server with a large store: its start, its memory at rest, and events taken beside a backup."""

from __future__ import annotations

import contextlib
import http.client
import shutil
import threading
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import servers
from busy import carried, fill, note, paced
from events import encoded_events
from plan import Plan
from table import Goal, Row, Series

from support.processes import family, memory_of

GROUP = "large"
_REST_SECONDS = 3.0
"""After a question of each kind, until the memory is read."""
_SHARE = 0.4
"""Of what the machine carries: nearer to that, answers wait for each other, whatever else goes on."""


def measure(plan: Plan) -> list[Row]:
    """Return the rows of this group."""
    size = max(plan.store_sizes)
    folder = plan.folder / "large"
    folder.mkdir()
    fill(folder, size)
    millions = f"{size // 1000} k stored"
    start = Series(f"start until /health answers, {millions}", "s")
    empty = Series("of an empty store", "s")
    memory = Series(f"memory at rest with its processes, {millions}", "MB")
    alone = [Series("alone, p50", "ms"), Series("alone, p99", "ms")]
    beside = [Series("beside a backup, p50", "ms"), Series("beside a backup, p99", "ms")]
    bodies = list(islice(encoded_events(size + 20_000, seed=2), size, None))
    for repeat in range(plan.repeats):
        empty.samples.append(_start_seconds(plan.folder / f"empty-{repeat}"))
        begin = time.perf_counter()
        with servers.event_manager(folder, EVENT_BACKUP_DIR=str(folder / "backups")) as server:
            server.get("/health")
            start.samples.append(time.perf_counter() - begin)
            for path in ("/events?number=100", "/events/count", "/events/histogram"):
                server.get(path)
            time.sleep(_REST_SECONDS)
            memory.samples.append(sum(map(memory_of, family(server.pid))) / 1e6)
            _await_rest(server)
            pace = int(_SHARE * carried(server.port, bodies, f"c{repeat}"))
            note(alone, paced(server.port, bodies, plan.load_seconds, f"a{repeat}", pace))
            with _backups(server.port):
                note(beside, paced(server.port, bodies, plan.load_seconds, f"b{repeat}", pace))
        shutil.rmtree(folder / "backups")
    return [
        Row(GROUP, start, empty, Goal("<=", 1.3)),
        Row(GROUP, memory, None, Goal("<=", 150, on_value=True)),
        Row(GROUP, beside[0], alone[0]),
        Row(GROUP, beside[1], alone[1], Goal("<=", 3)),
    ]


def _await_rest(server: servers.Server) -> None:
    """Wait until what a start has left to do is done: looking for damage, reading the feed."""
    while any(task["running"] for task in server.get("/health")["tasks"]) or any(
        one["lag"] for one in server.get("/followers")["followers"]
    ):
        time.sleep(1.0)


def _start_seconds(folder: Path) -> float:
    begin = time.perf_counter()
    with servers.event_manager(folder) as server:
        server.get("/health")
        return time.perf_counter() - begin


@contextlib.contextmanager
def _backups(port: int) -> Iterator[None]:
    """Make one backup after the other for the length of a block."""
    over = threading.Event()

    def back_up() -> None:
        while not over.is_set():
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
            connection.request("POST", "/backup")
            connection.getresponse().read()
            connection.close()

    thread = threading.Thread(target=back_up)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
