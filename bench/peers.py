"""Questions of two servers that keep the same events: ours, and VictoriaLogs, a column store for logs.

Both are asked over HTTP, one connection each, in turns. What they find is compared before it is timed.
LogsQL is described at https://docs.victoriametrics.com/victorialogs/logsql/.
"""

from __future__ import annotations

import http.client
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlencode

import servers
from busy import fill
from events import (
    EVENTS_PER_SAMPLE,
    EVENTS_PER_WORKFLOW,
    NODES,
    RARE_EVERY,
    bulk_bodies,
    sample_name,
    workflow_name,
)
from plan import Plan
from reads import milliseconds
from table import Row, Series

GROUP = "peers"
_PROGRAM = "victoria-logs"
_PER_BODY = 10_000
_STREAM = "all events as JSON lines"


def what_is_missing() -> str:
    """Return how to get the other server; nothing when there is one."""
    if shutil.which(_PROGRAM):
        return ""
    return (
        "The group peers needs victoria-logs on PATH: with Go 1.26 or newer, go install"
        " github.com/VictoriaMetrics/VictoriaLogs/app/victoria-logs@latest"
    )


@dataclass(frozen=True)
class _Question:
    """One question in both languages, and how many events or groups either has to find."""

    path: str
    body: object
    logsql: str
    found: int | None
    told_by: str = "event_id"
    """The member by which two lists of events are compared."""


def measure(plan: Plan) -> list[Row]:
    """Return the rows of this group."""
    size = max(plan.store_sizes)
    folder = plan.folder / "peers"
    folder.mkdir()
    fill(folder, size)
    questions = _questions(size)
    ours = {what: Series(f"{what}, {size // 1000} k stored", "ms") for what in questions}
    theirs = {what: Series("VictoriaLogs", "ms") for what in questions}
    with (
        servers.event_manager(folder) as own,
        _victoria_logs(plan, size) as other,
        _connected(own) as mine,
        _connected(other) as their,
    ):
        for what, question in questions.items():
            _compare(what, question, mine, their)
        for _ in range(plan.repeats):
            for what, question in questions.items():
                ours[what].samples.append(milliseconds(partial(_ask, mine, question)))
                theirs[what].samples.append(milliseconds(partial(_ask_logs, their, question)))
    return [Row(GROUP, ours[what], theirs[what]) for what in questions]


def _questions(size: int) -> dict[str, _Question]:
    trace = f"{size // 2 // EVENTS_PER_SAMPLE + 1:032x}"
    workflow, sample = workflow_name(size // 2), sample_name(size // 2)
    regex = "grip+er (?i:JAMMED)$"
    rare = size // RARE_EVERY
    return {
        "all of one trace": _query({"trace_id": trace}, f'trace_id:="{trace}"', EVENTS_PER_SAMPLE),
        "all of one workflow": _query(
            {"event_data.workflow_id": workflow},
            f'event_data.workflow_id:="{workflow}"',
            EVENTS_PER_WORKFLOW,
        ),
        "all of one sample, no index": _query(
            {"event_data.sample": sample}, f'event_data.sample:="{sample}"', EVENTS_PER_SAMPLE
        ),
        "latest 100": _query({}, "* | sort by (_time desc) limit 100", 100, number=100),
        "latest 100 of one node": _query(
            {"source.node_id": NODES[7]},
            f'source.node_id:="{NODES[7]}" | sort by (_time desc) limit 100',
            100,
            number=100,
        ),
        "slowest 100": _Question(
            "/events/query",
            {"selector": {}, "sort": "-event_data.duration_ms", "limit": 100},
            "* | sort by (event_data.duration_ms desc) limit 100",
            100,
            told_by="event_data.duration_ms",  # of many that took as long either takes some
        ),
        "count of a rare word": _count({"$text": {"$search": "jammed"}}, "jammed", rare),
        "count of a regular expression": _count(
            {"event_data.message": {"$regex": regex}},
            f"_msg:~{json.dumps(regex)}",
            rare,
        ),
        "count of level 40": _count({"log_level": 40}, 'log_level:="40"', None),
        "top 10 nodes": _top("node", "source.node_id"),
        "top 10 workflows": _top("workflow", "event_data.workflow_id"),
        "all types": _top("type", "event_type", groups=5),
        _STREAM: _Question("/events/export?format=ndjson", None, "*", size),
    }


def _query(selector: object, logsql: str, found: int, number: int = 1_000) -> _Question:
    return _Question(f"/events/query?number={number}", selector, logsql, found)


def _count(selector: object, logsql: str, found: int | None) -> _Question:
    return _Question("/events/count", selector, f"{logsql} | stats count() n", found)


def _top(by: str, field: str, groups: int = 10) -> _Question:
    logsql = f"* | stats by ({field}) count() n | sort by (n desc) limit 10"
    return _Question(f"/events/facets?by={by}&top=10", {}, logsql, groups)


def _compare(
    what: str,
    question: _Question,
    mine: http.client.HTTPConnection,
    their: http.client.HTTPConnection,
) -> None:
    """Look that both find the same."""
    own_reply, lines = _ask(mine, question), _ask_logs(their, question).splitlines()
    name = "n" if "stats" in question.logsql else question.told_by
    other = [str(json.loads(line)[name]) for line in lines]
    if what == _STREAM:
        own = [str(json.loads(line)[name]) for line in own_reply.splitlines()]
    else:
        own = _told(json.loads(own_reply), name)
    if sorted(own) != sorted(other):
        raise RuntimeError(f"{what}: {len(own)} and {len(other)} found, {own[:3]} and {other[:3]}.")
    number = int(own[0]) if question.path == "/events/count" else len(own)
    if question.found not in (None, number):
        raise RuntimeError(f"{what}: {number} found instead of {question.found}.")


def _told(answer: Any, member: str) -> list[str]:
    """Return what tells events or groups of an answer of ours apart."""
    if "count" in answer:
        return [str(answer["count"])]
    if "facets" in answer:
        return [str(one["count"]) for facet in answer["facets"].values() for one in facet["values"]]
    return [str(_value(event, member)) for event in answer.values()]


def _value(event: Any, member: str) -> Any:
    for name in member.split("."):
        event = event[name]
    return event


@contextmanager
def _connected(server: servers.Server) -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
    try:
        yield connection
    finally:
        connection.close()


def _ask(connection: http.client.HTTPConnection, question: _Question) -> bytes:
    method = "GET" if question.body is None else "POST"
    body = None if question.body is None else json.dumps(question.body)
    return _reply(connection, method, question.path, body)


def _ask_logs(connection: http.client.HTTPConnection, question: _Question) -> bytes:
    form = urlencode({"query": question.logsql})
    return _reply(connection, "POST", "/select/logsql/query", form)


def _reply(
    connection: http.client.HTTPConnection, method: str, path: str, body: str | bytes | None
) -> bytes:
    kind = "application/x-www-form-urlencoded" if path.startswith("/select") else "application/json"
    connection.request(method, path, body, {"Content-Type": kind})
    reply = connection.getresponse()
    read = reply.read()
    if reply.status != 200:
        raise RuntimeError(
            f"{method} {path} {body!r:.200} was answered with {reply.status}: {read!r:.300}"
        )
    return read


@contextmanager
def _victoria_logs(plan: Plan, size: int) -> Iterator[servers.Server]:
    """Run VictoriaLogs with the same events, and as much memory as it takes."""
    with servers.victoria_logs(_PROGRAM, plan.folder / "victoria-logs") as server:
        with _connected(server) as connection:
            form = urlencode(
                {
                    "_stream_fields": "event_type",
                    "_time_field": "event_timestamp",
                    "_msg_field": "event_data.message",
                }
            )
            for body in bulk_bodies(size, _PER_BODY):
                _reply(connection, "POST", f"/insert/jsonline?{form}", body)
            _reply(connection, "GET", "/internal/force_flush", None)
        yield server
