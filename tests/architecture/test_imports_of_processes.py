"""What processes import that there are many of: robots' programs, and those that answer questions."""

from __future__ import annotations

import json
import subprocess
import sys

PROBE = """
import sys
before = set(sys.modules)
import {module}
print(__import__("json").dumps(sorted(sys.modules)))
"""
CLIENT, WORKER = "madsci.client.event_client", "madsci.event_manager.search.worker"
SERVER = "madsci.event_manager.event_server"
MAX_MODULES = 350


def modules_of_a_fresh_interpreter(module: str) -> list[str]:
    run = subprocess.run(
        [sys.executable, "-c", PROBE.replace("{module}", module)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return json.loads(run.stdout)


def test_importing_the_client_pulls_in_no_server_library():
    roots = {name.split(".")[0] for name in modules_of_a_fresh_interpreter(CLIENT)}
    assert (
        roots & {"fastapi", "starlette", "uvicorn", "uvloop", "apsw", "sqlite3", "pymongo", "structlog"}
        == set()
    )
    assert "madsci.event_manager" not in modules_of_a_fresh_interpreter(CLIENT)


def test_importing_the_client_pulls_in_few_modules():
    assert len(modules_of_a_fresh_interpreter(CLIENT)) <= MAX_MODULES


def test_a_process_for_questions_pulls_in_nothing_that_takes_long_to_load():
    """The first question waits for it, and each of them takes memory."""
    roots = {name.split(".")[0] for name in modules_of_a_fresh_interpreter(WORKER)}
    assert (
        roots
        & {"fastapi", "starlette", "uvicorn", "pydantic", "pymongo", "pyarrow", "numpy", "asyncio"}
        == set()
    )


def test_a_server_pulls_in_no_library_of_what_it_may_never_be_asked_for():
    """Arrays are for reports, of which others make most, drivers for stores that it does not have."""
    roots = {name.split(".")[0] for name in modules_of_a_fresh_interpreter(SERVER)}
    assert roots & {"numpy", "pyarrow", "pymongo", "apprise"} == set()
