"""Real server processes on free ports of this machine, each in a folder of its own; always ended."""

from __future__ import annotations

import contextlib
import ctypes
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_HERE = Path(__file__).parent
sys.path.append(str(_HERE.parent / "tests"))  # for what the tests have, too
_START_SECONDS = 60
_STOP_SECONDS = 30
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Server:
    """A server that answers."""

    name: str
    port: int
    pid: int

    def get(self, path: str) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", path)
            reply = connection.getresponse()
            return json.loads(reply.read())
        finally:
            connection.close()


@contextlib.contextmanager
def event_manager(folder: Path, *, files: int | None = None, **variables: str) -> Iterator[Server]:
    """Run the Event Manager as a user starts it, with its store in the folder unless told otherwise.

    ``files`` is how many it may have open, by ``ulimit -n``.
    """
    command = [sys.executable, "-m", "madsci.event_manager.event_server"]
    if files is not None:
        command = ["sh", "-c", f'ulimit -n {files} && exec "$0" "$@"', *command]
    settings = {"EVENT_DB_URL": f"sqlite:///{folder}/events.db", **variables}
    with _running("Event Manager", command, folder, settings) as it:
        yield it


@contextlib.contextmanager
def without_store(folder: Path) -> Iterator[Server]:
    """Run the same server with its store stubbed out."""
    command = [sys.executable, str(_HERE / "stub_server.py")]
    with _running("same server, no store", command, folder, {}) as it:
        yield it


@contextlib.contextmanager
def followed(folder: Path) -> Iterator[Server]:
    """Run the same server with three followers of its feed."""
    command = [sys.executable, str(_HERE / "following_server.py")]
    settings = {"EVENT_DB_URL": f"sqlite:///{folder}/events.db"}
    with _running("Event Manager, followed", command, folder, settings) as it:
        yield it


@contextlib.contextmanager
def plain_fastapi(folder: Path) -> Iterator[Server]:
    """Run FastAPI with a pydantic model."""
    command = [sys.executable, str(_HERE / "plain_fastapi.py"), "PORT"]
    with _running("FastAPI + pydantic, no store", command, folder, {}) as it:
        yield it


@contextlib.contextmanager
def bare_asgi(folder: Path) -> Iterator[Server]:
    """Run uvicorn with next to nothing behind it."""
    command = [sys.executable, str(_HERE / "bare_asgi.py"), "PORT"]
    with _running("bare uvicorn", command, folder, {}) as it:
        yield it


@contextlib.contextmanager
def victoria_logs(program: str, folder: Path) -> Iterator[Server]:
    """Run VictoriaLogs as it is, but that events may be of any age."""
    address, store = "-httpListenAddr=127.0.0.1:PORT", f"-storageDataPath={folder}/data"
    command = [program, address, store, "-retentionPeriod=100y"]
    with _running("VictoriaLogs", command, folder, {}) as it:
        yield it


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def _running(
    name: str, command: Sequence[str], folder: Path, variables: dict[str, str]
) -> Iterator[Server]:
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("EVENT_")}
    with (folder / "server.log").open("w+") as log:
        process = subprocess.Popen(
            [word.replace("PORT", str(port)) for word in command],
            cwd=folder,
            env={**inherited, **variables, "EVENT_SERVER_URL": f"http://127.0.0.1:{port}/"},
            stdout=log,
            stderr=subprocess.STDOUT,
            preexec_fn=_end_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509
        )
        try:
            _await_answer(name, process, port, folder / "server.log")
            yield Server(name, port, process.pid)
        finally:
            _end(process)


def _end_with_parent() -> None:
    """Ask the kernel to end this process should the benchmark be killed."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _await_answer(name: str, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise RuntimeError(f"The server {name!r} did not start: {log.read_text()[-2000:]}")


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
