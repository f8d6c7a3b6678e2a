"""``POST /event`` at a steady pace, alone and while others ask heavy questions of the same server."""

from __future__ import annotations

import contextlib
import http.client
import json
import multiprocessing
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import servers
from events import encoded_events, stored_events
from plan import Plan
from table import Goal, Row, Series

from madsci.event_manager.stores.sqlite.store import SqliteStore

GROUP = "busy"
_processes = multiprocessing.get_context("fork")
_Answered = Any
_SENDERS = 4
_PER_SECOND = 1_000
_FILL_BATCH = 5_000
_HEAVY = (
    ("POST", "/events/query", {"event_data.message": {"$regex": "jam+ed .*twice$"}}),
    ("GET", "/events/facets", None),
    ("GET", "/events/histogram?by=node", None),
    ("POST", "/events/query?number=10000", {"event_data.volume_ul": {"$gt": 1}}),
    ("GET", "/events/export?format=csv", None),
)


def measure(plan: Plan) -> list[Row]:
    """Return the rows of this group."""
    folder = plan.folder / "busy"
    folder.mkdir()
    size = max(plan.store_sizes) // 5
    fill(folder, size)
    alone = [Series("alone, p50", "ms"), Series("alone, p99", "ms")]
    busy = [Series("with heavy questions, p50", "ms"), Series("with heavy questions, p99", "ms")]
    asked = Series(f"heavy questions answered meanwhile, {size // 1000} k stored", "/s")
    with servers.event_manager(folder) as server:
        bodies = list(islice(encoded_events(size + 20_000, seed=2), size, None))
        for repeat in range(plan.repeats):
            note(alone, paced(server.port, bodies, plan.load_seconds, f"a{repeat}"))
            with _heavy_questions(server.port) as answered:
                begin = time.monotonic()
                note(busy, paced(server.port, bodies, plan.load_seconds, f"b{repeat}"))
                asked.samples.append(answered.value / (time.monotonic() - begin))
    return [
        Row(GROUP, busy[0], alone[0]),
        Row(GROUP, busy[1], alone[1], Goal("<=", 2)),
        Row(GROUP, asked),
    ]


def fill(folder: object, size: int) -> None:
    """Make a store of so many events in a folder."""
    store = SqliteStore(folder / "events.db", integrity_seconds=0)  # type: ignore[operator]
    events = stored_events(size)
    while batch := list(islice(events, _FILL_BATCH)):
        store.append(batch)
    store.close()


def note(series: Sequence[Series], times: list[float]) -> None:
    times.sort()
    for one, share in zip(series, (0.5, 0.99), strict=True):
        one.samples.append(times[int(len(times) * share)] * 1000)


def paced(
    port: int, bodies: list[bytes], seconds: int, tag: str, per_second: int = _PER_SECOND
) -> list[float]:
    """Send events on several connections, each on schedule; return how late each answer was."""
    times: list[float] = []
    count = per_second * seconds * 2 // _SENDERS
    threads = [
        threading.Thread(
            target=_send_on_schedule,
            args=(port, bodies[number::_SENDERS][:count], f"{tag}-{number}", times, per_second),
        )
        for number in range(_SENDERS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return times


def carried(port: int, bodies: list[bytes], tag: str) -> int:
    """Return how many events a second the same connections bring in, each as fast as it is answered."""
    begin = time.perf_counter()
    sent = paced(port, bodies, 1, tag, per_second=2 * _PER_SECOND)
    return min(2 * _PER_SECOND, int(len(sent) / (time.perf_counter() - begin)))


def _send_on_schedule(
    port: int, bodies: list[bytes], tag: str, times: list[float], per_second: int
) -> None:
    own: list[float] = []
    with contextlib.closing(socket.create_connection(("127.0.0.1", port), 30)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        begin = time.perf_counter()
        for number, body in enumerate(bodies):
            event = body.replace(b'"event_id":"', f'"event_id":"{tag}-'.encode(), 1)
            due = begin + number * _SENDERS / per_second
            wait = due - time.perf_counter()
            if wait > 0:
                time.sleep(wait)
            head = f"POST /event HTTP/1.1\r\nHost: x\r\nContent-Length: {len(event)}\r\n\r\n"
            connection.sendall(head.encode() + event)
            reply = connection.recv(65_536)
            if not reply.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(f"POST /event was answered with {reply[:200]!r}.")
            own.append(time.perf_counter() - max(due, begin))
    times.extend(own)


@contextlib.contextmanager
def _heavy_questions(port: int) -> Iterator[_Answered]:
    """Ask heavy questions on two connections for the length of a block; yields what was answered.

    Each connection is a process of its own: in this one, reading the answers would hold up the senders.
    """
    answered: _Answered = _processes.Value("i", 0)
    askers = [
        _processes.Process(
            target=_ask, args=(port, _HEAVY[turn:] + _HEAVY[:turn], answered), daemon=True
        )
        for turn in (0, 2)
    ]
    for asker in askers:
        asker.start()
    try:
        yield answered
    finally:
        for asker in askers:
            asker.terminate()
            asker.join()


def _ask(port: int, questions: Sequence[tuple[str, str, object]], answered: _Answered) -> None:
    while True:
        for method, path, body in questions:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            connection.request(method, path, None if body is None else json.dumps(body))
            reply = connection.getresponse()
            while reply.read(1 << 20):
                pass
            connection.close()
            with answered.get_lock():
                answered.value += 1
