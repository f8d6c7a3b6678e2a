"""``POST /events``: a thousand events per request, beside the same rows written without a server."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import apsw
import servers
from events import bulk_bodies, stored_events
from plan import Plan
from table import Goal, Row, Series

from madsci.event_manager.stores.sqlite import schema, terms
from madsci.event_manager.stores.sqlite.codec import INSERT, to_row
from madsci.event_manager.stores.sqlite.file.checkpoint import CHECKPOINT_PAGES

GROUP = "POST /events"
PER_REQUEST = 1000
_CACHE_KIB = 262_144
_MAX_SECONDS = 60


def measure(plan: Plan) -> list[Row]:
    """Return the rows of this group."""
    bodies = bulk_bodies(plan.bulk_events, PER_REQUEST)
    events = list(stored_events(plan.bulk_events))
    rows = [to_row(event, seq) for seq, event in enumerate(events, 1)]
    texts = [terms.terms_of(event) for event in events]
    one = Series(f"durable, {PER_REQUEST} per request, 1 connection", "events/s")
    four = Series(f"durable, {PER_REQUEST} per request, 4 connections", "events/s")
    stub = Series("same server, no store, 1 connection", "events/s")
    offline = Series("same rows offline, executemany", "events/s")
    for repeat in range(plan.repeats):
        folder = plan.folder / f"bulk-{repeat}"
        folder.mkdir()
        offline.samples.append(_offline(folder / "offline.db", rows, texts))
        with servers.event_manager(folder / "one") as server:
            one.samples.append(post(server, bodies, 1))
            check_kept(server, plan.bulk_events)
        with servers.event_manager(folder / "four") as server:
            four.samples.append(post(server, bodies, 4))
            check_kept(server, plan.bulk_events)
        with servers.without_store(folder / "stub") as server:
            stub.samples.append(post(server, bodies, 1))
    return [
        Row(GROUP, one, offline, Goal(">=", 0.5)),
        Row(GROUP, four, offline),
        Row(GROUP, one, stub),
    ]


def post(server: servers.Server, bodies: Sequence[bytes], connections: int) -> float:
    """Send every body once; return events per second."""
    failures: list[str] = []
    threads = [
        threading.Thread(target=_post_some, args=(server.port, bodies[start::connections], failures))
        for start in range(connections)
    ]
    begin = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - begin
    if failures:
        raise RuntimeError(f"{server.name}: {failures[0]}")
    return len(bodies) * PER_REQUEST / seconds


def _post_some(port: int, bodies: Sequence[bytes], failures: list[str]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_MAX_SECONDS)
    deadline = time.monotonic() + _MAX_SECONDS
    try:
        for body in bodies:
            connection.request("POST", "/events", body, {"Content-Type": "application/x-ndjson"})
            reply = json.loads(connection.getresponse().read())
            if reply.get("stored") != PER_REQUEST or time.monotonic() > deadline:
                failures.append(f"a request of {PER_REQUEST} events was too slow, or answered {reply}")
                return
    except (OSError, http.client.HTTPException) as error:
        failures.append(f"{type(error).__name__}: {error}")
    finally:
        connection.close()


def check_kept(server: servers.Server, sent: int) -> None:
    kept = server.get("/health")["total_events"]
    if kept != sent:
        raise RuntimeError(f"{sent} events were sent, the server has {kept}.")


def _offline(path: Path, rows: Sequence[tuple[object, ...]], texts: Sequence[str]) -> float:
    """Insert the rows as fast as SQLite takes them at the same durability; return rows per second."""
    connection = apsw.Connection(str(path))
    try:
        connection.pragma("journal_mode", "WAL")
        connection.pragma("synchronous", "FULL")
        connection.pragma("cache_size", -_CACHE_KIB)
        connection.pragma("wal_autocheckpoint", CHECKPOINT_PAGES)
        schema.prepare(connection, str(path))
        begin = time.perf_counter()
        for start in range(0, len(rows), PER_REQUEST):
            with connection:
                connection.executemany(INSERT, rows[start : start + PER_REQUEST])
                terms.insert(connection, start + 1, texts[start : start + PER_REQUEST])
        return len(rows) / (time.perf_counter() - begin)
    finally:
        connection.close()
