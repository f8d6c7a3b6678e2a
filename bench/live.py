"""Watching events as they come: ``python bench/live.py [SECONDS]``.

A sender gives the server 1,000 events a second, first while nobody watches, then beside 100 streams of
all of them, then beside 1,000 streams that wait for something else. The streams are read by a process
of their own, which notes how long after their receipt events were there. Ceilings stand beside the
figures; the exit code is 1 if one is broken.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import multiprocessing
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import datetime
from multiprocessing.connection import Connection
from pathlib import Path
from urllib.parse import quote

from servers import Server, event_manager
from typing_extensions import Self

RATE = 1_000
TOGETHER = 10
"""Events of one request."""
MESSAGE = "Plate moved from the hotel to the reader. " * 5
_TICKS = os.sysconf("SC_CLK_TCK")
_STAMP = b'"received_at":"'


class Sender:
    """Sends at a steady rate from a thread for the length of a block; knows how long replies took."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.seconds: list[float] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(60)

    def _run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        body = json.dumps([{"event_data": {"message": MESSAGE}}] * TOGETHER)
        due = time.perf_counter()
        while not self._over.is_set():
            due += TOGETHER / RATE
            time.sleep(max(0.0, due - time.perf_counter()))
            began = time.perf_counter()
            connection.request("POST", "/events", body)
            connection.getresponse().read()
            self.seconds.append(time.perf_counter() - began)

    def at(self, share: float) -> float:
        """Return the time in ms that this share of the requests did not take longer than."""
        return 1_000 * sorted(self.seconds)[int(share * (len(self.seconds) - 1))]


async def _watch(
    port: int, path: str, started: asyncio.Semaphore, seen: list[int], late: list[float]
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**24)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
    await reader.readuntil(b"\r\n\r\n")
    started.release()
    rest = b""
    while part := await reader.read(2**20):
        now = time.time()
        part = rest + part
        at = -1
        while (next_at := part.find(_STAMP, at + 1)) >= 0 and len(part) >= next_at + 43:
            at = next_at
            seen[0] += 1
            if seen[0] % 97 == 0:  # reading each would be more work than the server has
                text = part[at + 15 : at + 41].decode()
                late.append(now - datetime.fromisoformat(text + "+00:00").timestamp())
        rest = part[-60:] if at < 0 else part[at + 15 :][-60:]


def _watchers(port: int, path: str, count: int, pipe: Connection) -> None:
    seen, late = [0], list[float]()

    async def run() -> None:
        started = asyncio.Semaphore(0)
        tasks = [asyncio.create_task(_watch(port, path, started, seen, late)) for _ in range(count)]
        for _ in range(count):
            await started.acquire()
        pipe.send(None)
        await asyncio.get_running_loop().run_in_executor(None, pipe.recv)
        for task in tasks:
            task.cancel()

    os.nice(5)
    asyncio.run(run())
    pipe.send((seen[0], sorted(late)))


@contextlib.contextmanager
def watchers(port: int, path: str, count: int) -> Iterator[list[tuple[int, list[float]]]]:
    """Read streams for the length of a block; how many events came and how late is known afterwards."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.Process(target=_watchers, args=(port, path, count, theirs))
    process.start()
    ours.recv()
    result: list[tuple[int, list[float]]] = []
    yield result
    ours.send(None)
    result.append(ours.recv())
    process.join(30)


def core_seconds(server: Server) -> float:
    fields = Path(f"/proc/{server.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def main() -> int:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 20.0
    never = "/events/stream?selector=" + quote('{"event_data.message": "never"}')
    rows: list[tuple[str, float, float]] = []
    with tempfile.TemporaryDirectory() as name, event_manager(Path(name)) as server:

        def measured(path: str, count: int) -> tuple[float, float, int, list[float]]:
            with contextlib.ExitStack() as stack:
                result = (
                    stack.enter_context(watchers(server.port, path, count)) if count else [(0, [0.0])]
                )
                sender = stack.enter_context(Sender(server.port))
                time.sleep(1)
                before = core_seconds(server)
                time.sleep(seconds)
                used = (core_seconds(server) - before) / seconds
            return used, sender.at(0.99), *result[-1]

        alone, p99_alone, _, _ = measured("", 0)
        used, p99, seen, late = measured("/events/stream", 100)
        idle, p99_idle, _, _ = measured(never, 1_000)
        rows = [
            ("core used by the sender alone, %", 100 * alone, 100.0),
            ("more beside 100 streams, %", 100 * (used - alone), 15.0),
            ("events that the streams had, thousands", seen / 1_000, float("inf")),
            ("delivery p50, ms", 1_000 * late[len(late) // 2], 250.0),
            ("delivery p99, ms", 1_000 * late[int(0.99 * (len(late) - 1))], 250.0),
            ("POST /events p99 beside 100 streams, times alone", p99 / p99_alone, 3.0),
            ("more beside 1,000 idle streams, %", 100 * (idle - alone), 15.0),
            ("POST /events p99 beside those, times alone", p99_idle / p99_alone, 3.0),
        ]
    for what, figure, ceiling in rows:
        verdict = "" if figure <= ceiling else "  BROKEN"
        print(f"{what:50} {figure:10.1f}  ceiling {ceiling:g}{verdict}")
    return int(any(figure > ceiling for _, figure, ceiling in rows))


if __name__ == "__main__":
    sys.exit(main())
