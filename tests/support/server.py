"""A real Event Manager in a process of its own, for tests from the outside."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


PATIENCE = 100.0
"""Seconds: for what never comes true on a busy machine either. It measures nothing."""


def wait_until(condition, what: str = "the condition", *, seconds: float = PATIENCE):
    """Return the first true value of the condition; fail after the deadline."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"{what} did not come true within {seconds} s"
        time.sleep(0.01)


NO_ANSWER = 300.0
"""Seconds until an answer is not waited for any more: a large backup beside others takes a minute."""
DOCUMENTED_ADDRESS = "http://localhost:8001"
"""Where documents say that the server is; whoever runs the tests may have one of his own there."""


class Reply:
    """The reply to a request: status, headers and the decoded body."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class ServerProcess:
    """`python -m madsci.event_manager.event_server` in a directory of its own."""

    def __init__(self, directory: Path, **environment: str) -> None:
        self.directory = directory
        # Whatever it writes by default is here, and not in the home of whoever runs the tests.
        (directory / ".madsci").mkdir(exist_ok=True)
        self.program = ["-m", "madsci.event_manager.event_server"]
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/"
        self.address = self.url  # what clients are told; a front before the server changes it
        self.database = directory / "events.db"
        self.log = directory / "server.log"
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("EVENT_", "MADSCI_"))}
        self.environment = {
            **inherited,
            "EVENT_SERVER_URL": self.url,
            "EVENT_DB_URL": f"sqlite:///{self.database}",
            "EVENT_CLIENT_SPOOL_DIR": str(directory / "spool"),
            **environment,
        }
        self.process: subprocess.Popen[bytes] | None = None

    def in_place_of_the_documented_one(self, text: str) -> str:
        """Return what a document prints, with the address of this server."""
        assert DOCUMENTED_ADDRESS in text
        return text.replace(DOCUMENTED_ADDRESS, self.url.rstrip("/"))

    def launch(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start the program without waiting for it."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, *self.program, *arguments],
                cwd=self.directory,
                env=self.environment,
                stdout=log,
                stderr=log,
            )
        return self.process

    def start(self) -> ServerProcess:
        """Start the program and wait until it answers."""
        process = self.launch()

        def answers() -> bool:
            assert process.poll() is None, f"the server ended:\n{self.log.read_text()}"
            try:
                return self.request("GET", "health").status == 200
            except OSError:
                return False

        wait_until(answers, "GET /health")
        return self

    def kill(self) -> None:
        """kill -9."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)

    def stop(self) -> int:
        """Ask the program to stop, as an operator does, and return its exit code."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)

    def request(
        self,
        method: str,
        path: str,
        body: bytes | str | None = None,
        headers: dict[str, str] | None = None,
    ) -> Reply:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=NO_ANSWER)
        with contextlib.closing(connection):
            connection.request(method, "/" + path, body, headers or {})
            return Reply(connection.getresponse())

    def get(self, path: str) -> Any:
        reply = self.request("GET", path)
        assert reply.status == 200, reply.body
        return reply.json

    def post(self, path: str, value: Any) -> Reply:
        return self.request("POST", path, json.dumps(value), {"Content-Type": "application/json"})

    def query(self, selector: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Every event that matches, page by page, in the order of the server."""
        cursor = ""
        while True:
            reply = self.post(f"events/query?number=5000{cursor}", selector)
            assert reply.status == 200, reply.body
            yield from reply.json.values()
            if reply.headers["X-Next-Cursor"] is None:
                return
            cursor = "&cursor=" + reply.headers["X-Next-Cursor"]


@contextlib.contextmanager
def running_server(directory: Path, **environment: str) -> Iterator[ServerProcess]:
    """A server that runs for the length of a block."""
    server = ServerProcess(directory, **environment).start()
    try:
        yield server
    finally:
        server.stop()
