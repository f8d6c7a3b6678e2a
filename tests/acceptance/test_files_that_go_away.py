"""Under load, the data of a running server are deleted, moved, replaced or emptied."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from support.load import Load
from support.server import ServerProcess, running_server, wait_until

pytestmark = pytest.mark.slow

THREADS = 3
SECONDS = 4.0
"""Until the server says that it is not well: one second, and what a busy machine adds."""


def deleted_file(folder: Path) -> None:
    (folder / "events.db").unlink()


def moved_file(folder: Path) -> None:
    (folder / "events.db").rename(folder / "elsewhere.db")


def replaced_file(folder: Path) -> None:
    (folder / "other.db").write_bytes(b"something else" * 1000)
    (folder / "other.db").replace(folder / "events.db")


def emptied_file(folder: Path) -> None:
    os.truncate(folder / "events.db", 0)


def deleted_log(folder: Path) -> None:
    (folder / "events.db-wal").unlink()


def deleted_folder(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)  # the server may write into it meanwhile
    shutil.rmtree(folder, ignore_errors=True)


def moved_folder(folder: Path) -> None:
    folder.rename(folder.with_name("moved"))


FAULTS = [
    deleted_file, moved_file, replaced_file, emptied_file, deleted_log, deleted_folder, moved_folder,
]  # fmt: skip


def go_through(tmp_path: Path, fault: Callable[[Path], None]) -> None:
    folder = tmp_path / "data"
    environment = {"EVENT_DB_URL": f"sqlite:///{folder / 'events.db'}"}
    with running_server(tmp_path, **environment) as server:
        acknowledged = load_through(server, folder, fault)
    if fault is replaced_file:  # as its message says
        for ending in ("", "-wal", "-shm"):
            Path(f"{folder / 'events.db'}{ending}").unlink(missing_ok=True)
    server.log.write_text("")  # what the next start says
    with running_server(tmp_path, **environment) as server:
        missing = acknowledged - {event["_id"] for event in server.query({})}
        if missing:
            assert fault in (emptied_file, deleted_log), f"{len(missing)} events are missing"
            assert "are missing" in server.log.read_text()
            (told,) = server.query({"event_type": "log_error"})
            assert "are missing" in told["event_data"]["message"]
            assert told["alert"]


def by_thread(load: Load) -> list[int]:
    """How many events each thread has sent; it sends the next when the last were answered."""
    threads = Counter(name.partition("-")[0] for name in load.sent.copy())
    return [threads[str(number)] for number in range(THREADS)]


def load_through(server: ServerProcess, folder: Path, fault: Callable[[Path], None]) -> set[str]:
    """Send events while the fault happens; return those that were acknowledged."""
    with Load(server, threads=THREADS) as load:
        wait_until(lambda: len(load.acknowledged) > 200, "some events")
        fault(folder)
        health = wait_until(
            lambda: (reply := server.request("GET", "health")).status == 503 and reply.json,
            "an unhealthy state", seconds=SECONDS,
        )  # fmt: skip
        begun = by_thread(load)
        wait_until(
            lambda: all(now > then for now, then in zip(by_thread(load), begun, strict=True)),
            "replies to what was under way",
        )
        acknowledged = set(load.acknowledged)
        begun = len(load.sent)
        wait_until(lambda: len(load.sent) > begun + 200, "more events")
    assert set(load.acknowledged) == acknowledged
    assert "events.db" in health["description"]
    assert "restart" in health["description"] or "damaged" in health["description"]
    return acknowledged


@pytest.mark.parametrize("fault", FAULTS)
def test_what_was_acknowledged_is_found_or_named_by_the_next_start(tmp_path, fault):
    go_through(tmp_path, fault)


@pytest.mark.parametrize("fault", FAULTS)
def test_again_and_again(tmp_path, fault):
    for number in range(3):
        folder = tmp_path / str(number)
        folder.mkdir()
        go_through(folder, fault)
