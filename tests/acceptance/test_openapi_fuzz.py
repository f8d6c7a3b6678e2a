"""The server keeps to its OpenAPI document, whatever is sent: all checks of schemathesis.

Once served by its own program, once as an application within a user's program and middleware.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from support.behind_middleware import MARK
from support.server import ServerProcess

pytestmark = pytest.mark.slow

TESTS = Path(__file__).resolve().parents[1]
REPEATABLE = ["--generation-deterministic"] if os.environ.get("CI") else []
WITHIN_A_PROGRAM = [str(TESTS / "support" / "behind_middleware.py")]


@pytest.fixture(params=["its own program", "a user's program"])
def fuzzed(request, tmp_path):
    """A server with a store that may be filled and emptied."""
    server = ServerProcess(tmp_path)
    if request.param == "a user's program":
        server.program = WITHIN_A_PROGRAM
    server.start()
    marked = server.post("event", {"event_data": "the first"}).headers[MARK] is not None
    assert marked == (request.param == "a user's program")
    try:
        yield server
    finally:
        server.stop()


def run_schemathesis(server, *arguments):
    """Run all checks against a server; fail with what schemathesis found."""
    run = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli"),
            *("--config-file", TESTS / "data" / "schemathesis.toml"),
            *("run", f"{server.url}openapi.json", "--no-color", *REPEATABLE, *arguments),
        ],
        cwd=server.directory,
        env={**server.environment, "PYTHONPATH": os.pathsep.join([str(TESTS), *sys.path])},
        capture_output=True,
        text=True,
        check=False,
    )
    found = run.stdout.partition(" FAILURES ")[2] or run.stdout
    assert run.returncode == 0, f"{run.stderr}\n{found[-20_000:]}"
    tested = re.search(r"Tested:\s+(\d+)", run.stdout)
    assert tested is not None
    assert int(tested[1]) > 0


@pytest.mark.timeout(3600)
def test_examples_of_each_operation(fuzzed, request):
    """``--examples 1500`` takes half an hour."""
    number = request.config.getoption("examples")
    run_schemathesis(
        fuzzed, f"--max-examples={number}", "--phases=examples,coverage,fuzzing", "--no-shrink"
    )


def test_operations_one_after_another(fuzzed):
    """What one reply says is used in the next request."""
    run_schemathesis(fuzzed, "--max-examples=100", "--phases=stateful", "--no-shrink")
