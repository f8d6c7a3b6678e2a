"""A robot's program that imports the client gets the client, not the server."""

from __future__ import annotations

import json
import subprocess
import sys

PROBE = """
import sys
before = set(sys.modules)
import madsci.client.event_client
print(__import__("json").dumps(sorted(sys.modules)))
"""
MAX_MODULES = 350


def modules_of_a_fresh_interpreter() -> list[str]:
    run = subprocess.run(
        [sys.executable, "-c", PROBE], capture_output=True, text=True, check=True, timeout=60
    )
    return json.loads(run.stdout)


def test_importing_the_client_pulls_in_no_server_library():
    roots = {name.split(".")[0] for name in modules_of_a_fresh_interpreter()}
    assert (
        roots & {"fastapi", "starlette", "uvicorn", "uvloop", "apsw", "sqlite3", "pymongo", "structlog"}
        == set()
    )
    assert "madsci.event_manager" not in modules_of_a_fresh_interpreter()


def test_importing_the_client_pulls_in_few_modules():
    assert len(modules_of_a_fresh_interpreter()) <= MAX_MODULES
