"""50,000 events made from this machine's own package log go in by curl and are found again."""

from __future__ import annotations

import json
import re
import subprocess
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from support.server import running_server

EVENTS = 50_000
PACKAGE_LOG = Path("/var/log/dpkg.log")
LINE = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) (\S+) (.*)")
LEVELS = {"status": 10, "install": 20, "upgrade": 20, "configure": 20, "remove": 30, "purge": 40}


def log_lines() -> list[tuple[datetime, str, str]]:
    """The lines of the log as time, action and text; those of the interpreter's files elsewhere."""
    if PACKAGE_LOG.is_file():
        found = [LINE.fullmatch(line) for line in PACKAGE_LOG.read_text(encoding="utf-8").splitlines()]
        lines = [
            (datetime.fromisoformat(match[1]).replace(tzinfo=timezone.utc), match[2], match[3])
            for match in found
            if match
        ]
    else:
        files = sorted(Path(json.__file__).parents[1].glob("*.py"))
        lines = [
            (datetime.fromtimestamp(file.stat().st_mtime, timezone.utc), "install", str(file))
            for file in files
        ]
    assert lines
    return lines


def events() -> list[dict]:
    """The log as events, repeated on shifted days, in an order that is not that of time."""
    lines = log_lines()
    made = []
    for number in range(EVENTS):
        repetition, index = divmod(number, len(lines))
        moment, action, text = lines[index]
        made.append(
            {
                "event_id": f"line-{number:06d}",
                "event_type": "log_info",
                "log_level": LEVELS.get(action, 20),
                "event_timestamp": (moment - timedelta(days=400 * repetition)).isoformat(),
                "source": {"node_id": "package-manager"},
                "event_data": {
                    "message": f"{action} {text}",
                    "action": action,
                    "package": text.split(" ")[0],
                },
            }
        )
    return made


def moment_of(event) -> datetime:
    return datetime.fromisoformat(event["event_timestamp"])


def expected(chosen) -> list[str]:
    """Ids in the order of replies: by time, then by id, newest first."""
    return [
        event["event_id"]
        for event in sorted(
            chosen,
            key=lambda event: (moment_of(event), event["event_id"]),
            reverse=True,
        )
    ]


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    """A server that was given the events as one file, twice."""
    directory = tmp_path_factory.mktemp("real")
    sent = events()
    file = directory / "events.ndjson"
    file.write_text("".join(json.dumps(event) + "\n" for event in sent), encoding="utf-8")
    with running_server(directory) as server:
        replies = [
            json.loads(
                subprocess.run(
                    [
                        "curl",
                        "-sS",
                        "--fail-with-body",
                        "--data-binary",
                        f"@{file}",
                        f"{server.url}events",
                    ],
                    capture_output=True,
                    check=True,
                    timeout=120,
                ).stdout
            )
            for _ in range(2)
        ]
        yield server, sent, replies


def test_every_event_is_stored_once_however_often_the_file_is_sent(loaded):
    server, _, (first, second) = loaded
    assert (first["received"], first["stored"], first["duplicate"], first["rejected"]) == (
        EVENTS,
        EVENTS,
        0,
        0,
    )
    assert (second["stored"], second["duplicate"]) == (0, EVENTS)
    assert server.get("health")["total_events"] == EVENTS


def test_all_come_back_in_order_page_by_page(loaded):
    server, sent, _ = loaded
    assert [event["_id"] for event in server.query({})] == expected(sent)


@pytest.mark.slow
def test_a_time_range_comes_back_in_order(loaded):
    server, sent, _ = loaded
    times = sorted(map(moment_of, sent))
    start, end = times[EVENTS // 3], times[EVENTS // 2]
    chosen = [
        event for event in sent if start <= datetime.fromisoformat(event["event_timestamp"]) <= end
    ]
    selector = {"event_timestamp": {"$gte": start.isoformat(), "$lte": end.isoformat()}}
    assert [event["_id"] for event in server.query(selector)] == expected(chosen)


@pytest.mark.slow
def test_a_time_range_comes_back_by_get_events_and_its_cursor(loaded):
    server, sent, _ = loaded
    times = sorted(map(moment_of, sent))
    start = times[-9_000]
    chosen = [event for event in sent if moment_of(event) >= start]
    got: list[str] = []
    query = f"events?number=2500&start_time={start:%Y-%m-%dT%H:%M:%SZ}"
    cursor = ""
    while cursor is not None:
        reply = server.request("GET", query + (f"&cursor={cursor}" if cursor else ""))
        got.extend(reply.json)
        cursor = reply.headers["X-Next-Cursor"]
    assert got == expected(chosen)


def test_a_level_comes_back_in_order(loaded):
    server, sent, _ = loaded
    chosen = [event for event in sent if event["log_level"] >= 20]
    assert [event["_id"] for event in server.query({"log_level": {"$gte": "INFO"}})] == expected(chosen)


def test_a_text_field_comes_back_in_order(loaded):
    server, sent, _ = loaded
    package = sent[EVENTS // 7]["event_data"]["package"]
    chosen = [event for event in sent if event["event_data"]["package"] == package]
    found = list(server.query({"event_data.package": package}))
    assert [event["_id"] for event in found] == expected(chosen)
    by_id = {event["event_id"]: event for event in chosen}
    assert all(event["event_data"] == by_id[event["_id"]]["event_data"] for event in found)
