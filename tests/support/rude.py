"""Clients that mean no good, each kind in a process of its own, beside an honest sender.

As a program, ``python rude.py KIND PORT COUNT`` keeps ``COUNT`` connections of a kind busy until its
standard input ends, then prints how often it was answered with which status.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import gzip
import http.client
import json
import os
import random
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from typing_extensions import Self

Seen = collections.Counter[str]

HOST = b"Host: 127.0.0.1\r\n"
SLOW_QUESTION = b'{"event_data.message": {"$regex": "(a|aa)*b.*c"}}'
BOMBS = {
    "/events": gzip.compress(b"{}\n" * 1_000_000, 9),
    "/event": gzip.compress(b'{"event_data": "' + b"a" * 200_000_000 + b'"}', 9),
    "/events/query": gzip.compress(b'{"event_id": {"$in": [' + b'"a",' * 4_000_000 + b'"a"]}}', 9),
}
"""A body of a few kilobytes for each path, which is hundreds of megabytes unpacked."""


def _post(path: str, body: bytes, *headers: bytes) -> bytes:
    lines = b"".join(one + b"\r\n" for one in headers)
    head = f"POST {path} HTTP/1.1\r\n".encode() + HOST + lines
    return head + f"Content-Length: {len(body)}\r\n\r\n".encode() + body


async def _slow_head(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
    """A head that never ends, a line at a time."""
    writer.write(b"GET /health HTTP/1.1\r\n" + HOST)
    while not reader.at_eof():
        writer.write(b"X-Slow: " + b"a" * 1_000 + b"\r\n")
        await writer.drain()
        if await _replied(reader, 0.2):
            return


async def _stalled_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, turn: int) -> None:
    """A body that is promised, begun, and not sent; some are large, some trickle."""
    path, size = (("/events", 30_000_000), ("/event", 1_000_000), ("/events/query", 500_000))[turn % 3]
    writer.write(
        f"POST {path} HTTP/1.1\r\n".encode() + HOST + f"Content-Length: {size}\r\n\r\n".encode()
    )
    while not reader.at_eof():
        if turn % 2:
            writer.write(b" ")
        await writer.drain()
        if await _replied(reader, 1.0):
            return


async def _stopped_reader(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, turn: int
) -> None:
    """A reply that is asked for and not read."""
    path = ("/events/export", "/events?number=10000", "/events/export?format=csv")[turn % 3]
    writer.write(f"GET {path} HTTP/1.1\r\n".encode() + HOST + b"\r\n")
    await writer.drain()
    with contextlib.suppress(AttributeError):
        writer.transport.pause_reading()
    await asyncio.sleep(10)


async def _abandoned_question(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int
) -> None:
    """A question that takes long, whose asker goes away."""
    writer.write(_post("/events/query", SLOW_QUESTION))
    await writer.drain()
    await _replied(reader, 0.5)


async def _bomb(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, turn: int) -> None:
    path = list(BOMBS)[turn % len(BOMBS)]
    writer.write(_post(path, BOMBS[path], b"Content-Encoding: gzip"))
    await writer.drain()
    await _replied(reader, 30)


async def _idle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, turn: int) -> None:
    """A connection without a request, or with none after the first."""
    if turn % 2:
        writer.write(b"GET /health HTTP/1.1\r\n" + HOST + b"\r\n")
        await writer.drain()
    await _replied(reader, 60)
    await _replied(reader, 60)


KINDS = {
    "slow heads": _slow_head,
    "stalled bodies": _stalled_body,
    "stopped readers": _stopped_reader,
    "abandoned questions": _abandoned_question,
    "bombs": _bomb,
    "idle": _idle,
}
RUDENESS = {
    "slow heads": 500,
    "stalled bodies": 100,
    "stopped readers": 30,
    "abandoned questions": 200,
    "bombs": 8,
    "idle": 2_000,
}
"""Connections of each kind at once."""

_TRIES = 3
"""As any client of HTTP, whose kept connections may be closed by the server at any time."""
_REST = 1.0
"""Seconds until who was shown the door comes back, about; sooner, opening it takes the machine.
They know nothing of each other, and so do not come in step."""

_statuses: Seen = collections.Counter()


async def _replied(reader: asyncio.StreamReader, seconds: float) -> bool:
    """Tell whether a reply came, or the end; count its status."""
    try:
        line = await asyncio.wait_for(reader.read(4_096), seconds)
    except (TimeoutError, asyncio.TimeoutError):
        return False
    _statuses[line[9:12].decode("latin-1") if line.startswith(b"HTTP/1.1 ") else "closed"] += 1
    return True


async def _keep_on(kind: str, port: int, number: int) -> None:
    turn = number
    await asyncio.sleep(random.uniform(0, _REST))
    while True:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            _statuses["not connected"] += 1
            await asyncio.sleep(0.5)
            continue
        with contextlib.suppress(OSError):
            await KINDS[kind](reader, writer, turn)
        writer.transport.abort()
        turn += 1
        await asyncio.sleep(random.uniform(0.5, 1.5) * _REST)


async def _run(kind: str, port: int, count: int) -> None:
    running = [asyncio.create_task(_keep_on(kind, port, number)) for number in range(count)]
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    print(json.dumps(_statuses), flush=True)  # noqa: T201 - what the program is for
    os._exit(int(any(task.done() for task in running)))  # it owes nobody a farewell


class Crowd:
    """All kinds at once, for the length of a block; ``seen`` are the statuses afterwards, by kind."""

    def __init__(self, port: int, counts: dict[str, int] | None = None) -> None:
        self.seen: dict[str, dict[str, int]] = {}
        self._port = port
        self._counts = RUDENESS if counts is None else counts
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        for kind, count in self._counts.items():
            self._processes[kind] = subprocess.Popen(
                [sys.executable, __file__, kind, str(self._port), str(count)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
        return self

    def __exit__(self, *_: object) -> None:
        for kind, process in self._processes.items():
            try:
                said, _error = process.communicate(b"", timeout=30)
                self.seen[kind] = json.loads(said)
                assert process.returncode == 0, f"some of the {kind} gave up: {self.seen[kind]}"
            finally:
                process.kill()

    @property
    def of_the_server(self) -> set[str]:
        """The statuses by which the server said that a mistake is its own."""
        statuses = {status for seen in self.seen.values() for status in seen}
        return {status for status in statuses if status.startswith("5")} - {"503", "504"}


@dataclass
class Measured:
    """What an honest client met: times in seconds, and what was not answered with 200."""

    name: str
    seconds: list[float] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    dropped: int = 0
    """Connections that ended before a reply; the request was repeated on a new one."""

    def at(self, share: float) -> float:
        """Return the time that this share of the requests did not take longer than, in ms."""
        ordered = sorted(self.seconds)
        return 1_000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))]

    def __str__(self) -> str:
        times = ", ".join(f"p{share:g} {self.at(share / 100):.1f} ms" for share in (50, 99, 100))
        refused = " ".join([str(len(self.refused)), "refused", *sorted(set(self.refused))])
        return (
            f"{self.name}: {len(self.seconds)} requests, {times}, {refused},"
            f" {self.dropped} connections dropped"
        )


class Honest:
    """Threads that send single events, and one that asks for /health, for the length of a block."""

    def __init__(self, port: int, senders: int = 4, pause: float = 0.02) -> None:
        self.sending = Measured("POST /event")
        self.health = Measured("GET /health")
        self._port = port
        self._pause = pause
        self._over = threading.Event()
        body = json.dumps({"event_type": "log_info", "event_data": {"message": "honest"}})
        ask: list[Callable[[], None]] = [lambda: self._ask(self.health, "GET", "/health", None)]
        send: list[Callable[[], None]] = [
            lambda: self._ask(self.sending, "POST", "/event", body)
        ] * senders
        self._threads = [threading.Thread(target=one) for one in ask + send]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(90)

    def _ask(self, measured: Measured, method: str, path: str, body: str | None) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        with contextlib.closing(connection):
            while not self._over.wait(self._pause):
                began = time.perf_counter()
                status = self._answer(measured, connection, method, path, body)
                measured.seconds.append(time.perf_counter() - began)
                if status != "200":
                    measured.refused.append(status)

    def _answer(
        self,
        measured: Measured,
        connection: http.client.HTTPConnection,
        method: str,
        path: str,
        body: str | None,
    ) -> str:
        """Return the status, or the last error where a new connection does not help either."""
        said = ""
        for _ in range(_TRIES):
            try:
                connection.request(method, path, body)
                reply = connection.getresponse()
                reply.read()
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                measured.dropped += 1
                said = repr(error)
            else:
                return str(reply.status)
        return said


def _step_back() -> None:
    """Leave the cores to the server: elsewhere the rude have machines of their own."""
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


def main() -> None:
    _, kind, port, count = sys.argv
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    _step_back()
    asyncio.run(_run(kind, int(port), int(count)))


if __name__ == "__main__":
    main()
