"""The Logging with Context block of the mission's document, run as it is printed there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from support.server import running_server

MISSION = Path(__file__).resolve().parents[3] / "shared" / "mission" / "event-manager-readme.txt"

# The block defines a function of a library; what follows calls it, inside a context and outside.
CALLS = """
utility_function()
with event_client_context(name="caller", caller_id="c-1"):
    utility_function()
"""

pytestmark = pytest.mark.mission


def context_block() -> str:
    text = MISSION.read_text(encoding="utf-8")
    start = text.index("from madsci.common.context import event_client_context")
    end = text.index("See the Logging Guide", start)
    return text[start:end]


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """What the server holds after the block, by message, and what stood on the console."""
    if not MISSION.is_file():
        pytest.skip(f"needs the mission's document at {MISSION}")
    directory = tmp_path_factory.mktemp("mission")
    program = directory / "block.py"
    program.write_text(context_block() + CALLS, encoding="utf-8")
    with running_server(directory) as server:
        run = subprocess.run(
            [sys.executable, str(program)],
            cwd=directory,
            env=server.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert run.returncode == 0, run.stderr
        stored = sorted(server.query({}), key=lambda event: event["_id"])
    return [event["event_data"] for event in stored], run.stderr


def test_everything_that_was_logged_is_stored_with_the_data_of_its_contexts(ran):
    stored, _ = ran
    assert stored == [
        {"message": "Starting experiment", "experiment_id": "exp-123", "hierarchy": "my_experiment"},
        {
            "message": "Running workflow",
            "experiment_id": "exp-123",
            "workflow_id": "wf-456",
            "hierarchy": "my_experiment.workflow",
        },
        {"message": "Utility running"},
        {"message": "Utility running", "caller_id": "c-1", "hierarchy": "caller"},
    ]


def test_the_place_stands_in_the_local_line(ran):
    _, console = ran
    (line,) = [line for line in console.splitlines() if "Running workflow" in line]
    assert "hierarchy=my_experiment.workflow" in line
    assert "experiment_id=exp-123" in line
