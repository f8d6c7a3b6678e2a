"""The Client code block of the mission's document, run as it is printed there, but for the address."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from support.server import running_server

MISSION = Path(__file__).resolve().parents[3] / "shared" / "mission" / "event-manager-readme.txt"
NODE = "01JJ4S0WNGEF5FQAZG5KDGJRBV"

# The block logs an error with exc_info=True, so it runs while an exception is being handled. What
# follows the block asks what its last lines ask, and shows the answers.
RUNNER = """
import json, sys
block = compile(open(sys.argv[1]).read(), "mission", "exec")
namespace = {}
try:
    raise RuntimeError("the gripper is jammed")
except RuntimeError:
    exec(block, namespace)
client = namespace["event_client"]
client.flush()
print(json.dumps({
    "alerted": namespace["event"].event_id,
    "latest": [e.model_dump(mode="json") for e in client.get_events(number=50).values()],
    "of_node": [e.event_id for e in client.query_events({"source": {"node_id": sys.argv[2]}}).values()],
}))
"""


def client_block() -> str:
    text = MISSION.read_text(encoding="utf-8")
    start = text.index("from madsci.client.event_client import EventClient\n")
    end = text.index("Logging with Context", start)
    return text[start:end]


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """What the server holds after the block, and what the client was answered."""
    if not MISSION.is_file():
        pytest.skip(f"needs the mission's document at {MISSION}")
    directory = tmp_path_factory.mktemp("mission")
    with running_server(directory) as server:
        server.post("event", {"event_id": "of-the-node", "source": {"node_id": NODE}, "log_level": 10})
        block = directory / "block.py"
        block.write_text(server.in_place_of_the_documented_one(client_block()), encoding="utf-8")
        run = subprocess.run(
            [sys.executable, "-c", RUNNER, str(block), NODE],
            cwd=directory,
            env=server.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert run.returncode == 0, run.stderr
        yield {"stored": list(server.query({})), **json.loads(run.stdout.splitlines()[-1])}


def with_message(answers: dict, message: str) -> dict:
    (event,) = [
        event
        for event in answers["stored"]
        if isinstance(event["event_data"], dict) and event["event_data"].get("message") == message
    ]
    return event


pytestmark = pytest.mark.mission


def test_every_event_arrives_once(answers):
    """Six log calls (the debug one is below the client's level), one event logged and alerted on."""
    messages = sorted(
        event["event_data"]["message"]
        for event in answers["stored"]
        if isinstance(event["event_data"], dict) and "message" in event["event_data"]
    )
    assert messages == [
        "All subsequent logs include experiment_id",
        "Error occurred",
        "This logs a simple string at the INFO level",
        "Warning with structured data",
        "Workflow completed",
    ]
    assert len(answers["stored"]) == len(messages) + 2  # the node's and the alerted one


def test_the_type_that_was_given_is_the_type_of_the_event(answers):
    event = with_message(answers, "Workflow completed")
    assert event["event_type"] == "workflow_complete"
    assert event["event_data"]["workflow_id"] == "wf-123"
    assert event["event_data"]["duration_ms"] == 1500


def test_bound_context_is_in_the_data_of_later_events_only(answers):
    assert with_message(answers, "All subsequent logs include experiment_id")["event_data"] == {
        "message": "All subsequent logs include experiment_id",
        "experiment_id": "exp-456",
    }
    assert "experiment_id" not in with_message(answers, "Workflow completed")["event_data"]


def test_the_traceback_is_there(answers):
    event = with_message(answers, "Error occurred")
    assert event["log_level"] == 40
    assert "RuntimeError: the gripper is jammed" in event["event_data"]["traceback"]
    assert event["event_data"]["exception_type"].endswith("RuntimeError")


def test_logging_and_alerting_on_one_event_stores_one_event_with_the_flag_raised(answers):
    (event,) = [event for event in answers["stored"] if event["_id"] == answers["alerted"]]
    assert event["alert"] is True
    assert event["event_type"] == "node_create"
    assert event["log_level"] == 10
    assert event["event_data"] == "This logs a NODE_CREATE event at the DEBUG level."


def test_the_latest_events_come_back_newest_first(answers):
    stored = [event["_id"] for event in answers["stored"]]
    assert [event["event_id"] for event in answers["latest"]] == stored
    assert all(event["event_timestamp"].endswith("Z") for event in answers["latest"])


def test_the_events_of_a_node_are_found(answers):
    assert answers["of_node"] == ["of-the-node"]
