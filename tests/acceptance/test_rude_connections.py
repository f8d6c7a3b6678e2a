"""A real server beside those who do not behave: slow, endless, silent, half gone."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.server import ServerProcess, running_server, wait_until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="asks /proc and the limits of Unix")

HEAD = b"POST /events HTTP/1.1\r\nHost: test\r\n"


_MAIN = "import sys; {}; from madsci.event_manager.event_server import main; sys.exit(main())"
LOOPS = {"uvloop": "pass", "asyncio": "sys.modules['uvloop'] = None"}


class LimitedServer(ServerProcess):
    """A server on a loop of that name that may open few files, and may not ask for more."""

    loop = "uvloop"

    def launch(self, *arguments: str) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            program = _MAIN.format(LOOPS[self.loop])
            self.process = subprocess.Popen(
                ["bash", "-c", f'ulimit -n 256; exec {sys.executable} -c "{program}"', *arguments],
                cwd=self.directory,
                env=self.environment,
                stdout=log,
                stderr=log,
            )
        return self.process


def sockets_of(server: ServerProcess) -> int:
    assert server.process is not None
    found = 0
    for one in Path(f"/proc/{server.process.pid}/fd").iterdir():
        with contextlib.suppress(OSError):  # it is closed just now
            found += str(one.readlink()).startswith("socket:")
    return found


def memory(server: ServerProcess) -> float:
    """The resident memory of the server, in MB."""
    assert server.process is not None
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


class Sender:
    """Sends single events over a connection while a block runs; each has to be stored."""

    def __init__(self, server: ServerProcess) -> None:
        self.server = server
        self.times: list[float] = []
        self.failures: list[str] = []
        self.repeated = 0
        self.peak = 0.0
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._send), threading.Thread(target=self._watch)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Let one more event through, however short the block was; then look at all of them."""
        before = len(self.times)
        wait_until(lambda: len(self.times) > before or not self._threads[0].is_alive())
        self._stop.set()
        for thread in self._threads:
            thread.join()
        assert self.failures == []
        assert self.times
        assert self.repeated <= 1 + len(self.times) // 10

    def _watch(self) -> None:
        while not self._stop.wait(0.02):
            self.peak = max(self.peak, memory(self.server))

    def _send(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
        with contextlib.closing(connection):
            while not self._stop.wait(0.005):
                body = json.dumps({"_id": f"honest-{len(self.times)}"})
                begin = time.perf_counter()
                try:
                    status = self._post(connection, body)
                except (OSError, http.client.HTTPException):
                    # As every client has to: what was kept open may have been closed meanwhile.
                    self.repeated += 1
                    connection.close()
                    status = self._post(connection, body)
                if status != 200:
                    self.failures.append(f"{status} for {body}")
                self.times.append(time.perf_counter() - begin)

    def _post(self, connection: http.client.HTTPConnection, body: str) -> int:
        connection.request("POST", "/event", body)
        reply = connection.getresponse()
        reply.read()
        return reply.status


@contextlib.contextmanager
def sending(server: ServerProcess) -> Iterator[Sender]:
    sender = Sender(server)
    sender.start()
    try:
        yield sender
    finally:
        sender.stop()


def open_socket(server: ServerProcess, data: bytes = b"", *, room: int = 0) -> socket.socket:
    """Connect and send; ``room`` is what the system takes for a reader that does not read."""
    one = socket.socket()
    one.settimeout(30)
    if room:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
    one.connect(("127.0.0.1", server.port))
    one.sendall(data)
    return one


def answer(one: socket.socket) -> bytes:
    """Everything that comes until the server closes."""
    parts = []
    with contextlib.suppress(ConnectionError):
        while part := one.recv(65_536):
            parts.append(part)
    return b"".join(parts)


@contextlib.contextmanager
def closing(sockets: list[socket.socket]) -> Iterator[None]:
    try:
        yield
    finally:
        for one in sockets:
            one.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    bounds = {
        "EVENT_HEAD_TIMEOUT_SECONDS": "1",
        "EVENT_BODY_TIMEOUT_SECONDS": "1",
        "EVENT_REPLY_TIMEOUT_SECONDS": "1",
        "EVENT_IDLE_TIMEOUT_SECONDS": "5",
        "EVENT_INGEST_QUEUE_BYTES": "40000000",
    }
    with running_server(tmp_path_factory.mktemp("rude"), **bounds) as it:
        yield it


def test_endless_heads_take_no_memory(server):
    before = memory(server)
    with sending(server) as sender:
        sockets = [open_socket(server, b"GET / HTTP/1.1\r\n") for _ in range(8)]
        with closing(sockets):
            for one in sockets:
                with contextlib.suppress(ConnectionError):
                    for _ in range(1000):
                        one.sendall(b"a: " + b"x" * 100_000)
                assert answer(one).startswith((b"HTTP/1.1 431", b""))
    assert sender.peak - before < 60


@pytest.mark.slow
def test_slow_heads_and_idle_connections_are_closed(server):
    with sending(server):
        slow = [open_socket(server, b"GET /health HT") for _ in range(200)]
        idle = [open_socket(server) for _ in range(200)]
        with closing(slow + idle):
            for one in slow:
                assert answer(one).startswith(b"HTTP/1.1 408")
            for one in idle:
                assert answer(one) == b""


@pytest.mark.slow
def test_stalled_bodies_shut_nobody_out_and_are_dropped(server):
    half = HEAD + b"Content-Length: 20000000\r\n\r\n" + b" " * 19_000_000
    event = json.dumps({"event_data": "x" * 1_000_000})
    with sending(server):
        stalled = [open_socket(server, half) for _ in range(2)]
        with closing(stalled):
            wait_until(lambda: server.request("POST", "event", event).status == 200, "room")
            for one in stalled:
                assert answer(one).startswith((b"HTTP/1.1 408", b"HTTP/1.1 503"))


@pytest.mark.slow
def test_a_reader_that_stops_is_closed(server):
    server.post("events", [{"event_data": "x" * 100_000} for _ in range(100)])
    question = b"GET /events?number=100 HTTP/1.1\r\nHost: test\r\n\r\n"
    with sending(server):
        before = sockets_of(server)
        stopped = [open_socket(server, question, room=65_536) for _ in range(5)]
        with closing(stopped):
            wait_until(lambda: sockets_of(server) >= before + 5, "the readers")
            wait_until(lambda: sockets_of(server) <= before + 1, "the end of all but the sender")
            for one in stopped:
                assert len(answer(one)) < 10_000_000


@pytest.mark.slow
@pytest.mark.parametrize(
    "body",
    [b"{}\n" * 1_000_000, b"[" + b"{}," * 1_000_000 + b"{}]", b" " * 67_000_000, b"{}" * 30_000_000],
    ids=["lines", "array", "blank", "one line"],
)
def test_a_bomb_is_refused_and_takes_little(server, body):
    packed = gzip.compress(body)
    before = memory(server)
    with sending(server) as sender:
        for _ in range(3):
            reply = server.request("POST", "events", packed, {"Content-Encoding": "gzip"})
            assert reply.status in (400, 413, 422, 503)
    assert sender.peak - before < 250


def test_a_client_that_closes_its_side_is_answered(server):
    one = open_socket(server, b"GET /health HTTP/1.1\r\nHost: test\r\n\r\n")
    with closing([one]):
        one.shutdown(socket.SHUT_WR)
        assert answer(one).startswith(b"HTTP/1.1 200")


@pytest.mark.slow
def test_a_client_that_leaves_half_way_leaves_nothing_behind(server):
    with sending(server):
        for size in (1, 100_000, 10_000_000):
            one = open_socket(server, HEAD + b"Content-Length: 20000000\r\n\r\n" + b"x" * size)
            one.close()
        for _ in range(50):
            open_socket(server, b"GET /events HTTP/1.1\r\nHost: test\r\n\r\n").close()
    big = json.dumps([{"event_data": "x" * 1_000_000}] * 35)
    wait_until(lambda: server.request("POST", "events", big).status == 200, "room for a large body")


def test_requests_sent_far_ahead_take_no_memory(server):
    before = memory(server)
    with sending(server) as sender:
        ahead = [
            open_socket(server, b"GET /definition HTTP/1.1\r\nHost: test\r\n\r\n" * 5_000)
            for _ in range(20)
        ]
        with closing(ahead):
            for one in ahead:
                assert b"HTTP/1.1 200" in answer(one)
    assert sender.peak - before < 60


@pytest.mark.slow
@pytest.mark.parametrize("loop", LOOPS)
def test_with_few_open_files_two_thousand_idle_connections_shut_nobody_out(tmp_path, loop):
    server = LimitedServer(tmp_path)
    server.loop = loop
    server.start()
    try:
        idle: list[socket.socket] = []
        with closing(idle), sending(server):
            for _ in range(2_000):
                idle.append(open_socket(server))
                if len(idle) % 100 == 0:
                    assert server.request("GET", "health").status == 200
            assert server.request("POST", "events/query", b"{}").status == 200
        assert "Traceback" not in server.log.read_text()
        assert "system resource" not in server.log.read_text()
    finally:
        server.stop()


@pytest.mark.slow
def test_batches_beside_other_senders_are_not_turned_away(tmp_path):
    body = b'{"event_data":{"message":"one of many"}}\n' * 5_000
    with running_server(tmp_path, EVENT_INGEST_QUEUE_EVENTS="6000") as server:
        statuses: list[int] = []

        def send() -> None:
            statuses.extend(server.request("POST", "events", body).status for _ in range(5))

        with sending(server) as sender:
            threads = [threading.Thread(target=send) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert statuses == [200] * 20
        health = server.get("health")
        assert health["total_events"] >= 100_000 + len(sender.times)
