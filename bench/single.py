"""``POST /event``: one event per request, durable, beside servers that do less."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from statistics import median

import http_load
import servers
from events import encoded_events
from plan import Plan
from table import Goal, Row, Series

GROUP = "POST /event"
_SERVERS = (
    servers.event_manager,
    servers.without_store,
    servers.plain_fastapi,
    servers.bare_asgi,
)
_GOAL_CONNECTIONS = 64
_FSYNC_SECONDS = 1.0


def measure(plan: Plan) -> list[Row]:
    """Return the rows of this group."""
    results = _Results(plan)
    templates = http_load.write_templates(plan.folder)
    for repeat in range(plan.repeats):
        folder = plan.folder / f"single-{repeat}"
        with contextlib.ExitStack() as stack:
            running = [stack.enter_context(start(folder / start.__name__)) for start in _SERVERS]
            for server in running:
                http_load.post_events(server.port, 16, 1, plan.max_requests, templates)
            for connections in plan.connections:
                for server in running:
                    load = http_load.post_events(
                        server.port, connections, plan.load_seconds, plan.max_requests, templates
                    )
                    results.note(connections, server.name, load)
                if connections == 1:
                    results.note_raw(folder)
            _check_kept(running[0], results.sent(running[0].name))
        results.forget_sent()
    return results.rows()


def _check_kept(server: servers.Server, sent: int) -> None:
    """A number is worth nothing if the events are not there."""
    kept = server.get("/health")["total_events"]
    if kept < sent:
        raise RuntimeError(f"{sent} events were acknowledged, the server has {kept}.")


class _Results:
    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._rates: dict[tuple[int, str], Series] = {}
        self._p50: dict[tuple[int, str], Series] = {}
        self._p99: dict[tuple[int, str], Series] = {}
        self._raw = Series("append + fdatasync of the same bytes", "/s")
        self._raw_p50 = Series("append + fdatasync, p50", "ms")
        self._sent: dict[str, int] = {}

    def note(self, connections: int, server: str, load: http_load.Load) -> None:
        key = (connections, server)
        plural = "" if connections == 1 else "s"
        name = server if server != "Event Manager" else f"durable, {connections} connection{plural}"
        for table, suffix, unit, figure in (
            (self._rates, "", "/s", load.per_second),
            (self._p50, ", p50", "ms", load.p50),
            (self._p99, ", p99", "ms", load.p99),
        ):
            table.setdefault(key, Series(name + suffix, unit)).samples.append(figure)
        self._sent[server] = self._sent.get(server, 0) + load.requests

    def note_raw(self, folder: Path) -> None:
        rate, p50 = _raw_appends(folder / "raw")
        self._raw.samples.append(rate)
        self._raw_p50.samples.append(p50)

    def sent(self, server: str) -> int:
        return self._sent[server]

    def forget_sent(self) -> None:
        self._sent.clear()

    def rows(self) -> list[Row]:
        rows: list[Row] = []
        for connections in self._plan.connections:
            own = (connections, "Event Manager")
            has_goal = connections == _GOAL_CONNECTIONS
            goals = (Goal(">=", 0.35), Goal(">=", 2.0), None) if has_goal else (None,) * 3
            anchors = [key for key in self._rates if key[0] == connections and key != own]
            rows += [
                Row(GROUP, self._rates[own], self._rates[anchor], goal)
                for anchor, goal in zip(anchors, goals, strict=True)
            ]
            limit = Goal("<=", 30, on_value=True) if has_goal else None
            rows += [
                Row(GROUP, self._p50[own], self._p50[anchors[0]]),
                Row(GROUP, self._p99[own], self._p99[anchors[0]], limit),
            ]
            if connections == 1:
                rows.append(Row(GROUP, self._rates[own], self._raw))
                rows.append(Row(GROUP, self._p50[own], self._raw_p50))
        return rows


def _raw_appends(path: Path) -> tuple[float, float]:
    """Append events to a file, each on disk before the next; return the rate and the p50 in ms."""
    bodies = list(encoded_events(20_000))
    times: list[int] = []
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        start = last = time.perf_counter_ns()
        for body in bodies:
            os.write(file, body)
            os.fdatasync(file)
            now = time.perf_counter_ns()
            times.append(now - last)
            last = now
            if now - start > _FSYNC_SECONDS * 1e9:
                break
    finally:
        os.close(file)
    return len(times) / (last - start) * 1e9, median(times) / 1e6
