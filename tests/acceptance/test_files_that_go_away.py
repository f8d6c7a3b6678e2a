"""Under load, the data of a running server are deleted, moved, replaced or emptied."""

from __future__ import annotations

import http.client
import itertools
import os
import shutil
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from typing_extensions import Self

from support.server import ServerProcess, wait_until

SECONDS = 1.5
"""Until the server says that it is not well: one second, and what a busy machine adds."""


class Sender:
    """Posts events from threads until it is told to stop; knows which were acknowledged, and when."""

    def __init__(self, server: ServerProcess) -> None:
        self.acknowledged: list[tuple[float, str]] = []
        self._server = server
        self._numbers = itertools.count()
        self._is_over = threading.Event()
        self._threads = [threading.Thread(target=self._send) for _ in range(4)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        for thread in self._threads:
            thread.join()

    def _send(self) -> None:
        while not self._is_over.is_set():
            name = f"event-{next(self._numbers)}"
            with suppress(OSError, http.client.HTTPException):
                if self._server.post("event", {"_id": name, "event_data": {"n": name}}).status == 200:
                    self.acknowledged.append((time.monotonic(), name))


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
    server = ServerProcess(tmp_path)
    folder = tmp_path / "data"
    server.environment["EVENT_DB_URL"] = f"sqlite:///{folder / 'events.db'}"
    server.start()
    with Sender(server) as sender:
        wait_until(lambda: len(sender.acknowledged) > 200, what="some events")
        fault(folder)
        began = time.monotonic()
        health = wait_until(
            lambda: (reply := server.request("GET", "health")).status == 503 and reply.json, SECONDS,
            "an unhealthy state",
        )  # fmt: skip
    assert "events.db" in health["description"]
    assert "restart" in health["description"] or "damaged" in health["description"]
    assert max(moment for moment, _ in sender.acknowledged) < began + SECONDS
    assert server.post("event", {"event_data": {}}).status == 503
    acknowledged = {name for _, name in sender.acknowledged}
    server.stop()
    server.log.write_text("")  # what the next start says

    if fault is replaced_file:  # as its message says
        (folder / "events.db").unlink()
        for ending in ("-wal", "-shm"):
            Path(f"{folder / 'events.db'}{ending}").unlink(missing_ok=True)
    server.start()
    found = {event["_id"] for event in server.query({})}
    if missing := acknowledged - found:
        assert fault in (emptied_file, deleted_log), f"{len(missing)} events are missing"
        assert "are missing" in server.log.read_text()
        (told,) = server.query({"event_type": "log_error"})
        assert "are missing" in told["event_data"]["message"]
    server.stop()


@pytest.mark.parametrize("fault", FAULTS)
def test_what_was_acknowledged_is_found_or_named_by_the_next_start(tmp_path, fault):
    go_through(tmp_path, fault)


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_again_and_again(tmp_path, fault):
    for number in range(3):
        folder = tmp_path / str(number)
        folder.mkdir()
        go_through(folder, fault)
