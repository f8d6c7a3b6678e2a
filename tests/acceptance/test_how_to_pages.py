"""The programs of the how-to pages run as printed, and their events arrive."""

from __future__ import annotations

import gzip
import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from support.server import running_server

pytestmark = pytest.mark.slow

PAGES = Path(__file__).resolve().parents[2] / "docs" / "how-to"


def run_page(name, server, directory):
    """Run the Python of a page, block after block; return its events' data by message."""
    text = (PAGES / f"{name}.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert blocks
    program = directory / "page.py"
    program.write_text("\n".join(blocks), encoding="utf-8")
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
    return {event["event_data"].get("message"): event for event in server.query({})}


def test_context(server, tmp_path):
    events = run_page("log-with-context", server, tmp_path)
    moved = events["Plate moved"]
    assert moved["event_data"] == {
        "message": "Plate moved",
        "plate": "P7",
        "experiment_id": "exp-123",
        "workflow_id": "wf-456",
        "hierarchy": "experiment.workflow.move",
    }
    assert moved["source"] == {"user_id": "ada"}


def test_standard_logging(server, tmp_path):
    event = run_page("use-standard-logging", server, tmp_path)["Pressure at 93 %"]
    assert event["event_type"] == "log_warning"
    assert event["event_data"]["pump"] == "P1"
    assert event["event_data"]["logger"] == "pump.driver"


def test_structlog(server, tmp_path):
    event = run_page("use-structlog", server, tmp_path)["Plate moved"]
    assert event["event_data"] == {"message": "Plate moved", "plate": "P7"}


@pytest.mark.skipif(importlib.util.find_spec("loguru") is None, reason="loguru is not installed")
def test_loguru(server, tmp_path):
    event = run_page("use-loguru", server, tmp_path)["Plate moved"]
    assert event["event_data"]["plate"] == "P7"
    assert event["event_data"]["level_name"] == "SUCCESS"
    assert event["log_level"] == 20


@pytest.mark.skipif(importlib.util.find_spec("pandas") is None, reason="pandas is not installed")
def test_getting_events_out(server, tmp_path):
    events = run_page("get-events-out", server, tmp_path)
    lines = gzip.decompress((tmp_path / "night.ndjson.gz").read_bytes()).splitlines()
    assert {json.loads(line)["event_id"] for line in lines} == {e["event_id"] for e in events.values()}
    header, *rows = (tmp_path / "plates.csv").read_text(encoding="utf-8").splitlines()
    assert header == "event_id,event_timestamp,event_data.plate"
    assert [row.rpartition(",")[2] for row in rows] == ["P7", "P8"]


@pytest.mark.parametrize("page", ["reports", "demo"])
def test_reporting_on_a_lab_that_was_played(server, tmp_path, page):
    url = server.environment["EVENT_SERVER_URL"]
    play = [sys.executable, "-m", "madsci.demo", "--url", url, "--days", "1"]
    subprocess.run(play, check=True, timeout=60, capture_output=True)
    run_page(page, server, tmp_path)


def test_watching(server, tmp_path):
    events = run_page("watch-events", server, tmp_path)
    assert events["Plate dropped"]["event_data"]["plate"] == "P7"


def test_keeping_and_deleting(server, tmp_path):
    events = run_page("keep-and-delete", server, tmp_path)
    assert events["Pump polled"]["archived"] is True
    assert events["Plate moved"]["archived"] is False


def test_backing_up(tmp_path):
    with running_server(tmp_path, EVENT_BACKUP_DIR=str(tmp_path / "backups")) as server:
        events = run_page("back-up-and-restore", server, tmp_path)
        (backup,) = server.get("backup/status")["available_backups"]
    assert events["Plate moved"]["event_data"]["plate"] == "P7"
    assert backup["is_valid"] is True
    assert backup["description"] == "before_the_upgrade"


def test_threads_and_executors(server, tmp_path):
    run_page("threads-and-executors", server, tmp_path)
    plates = {event["event_data"]["plate"]: event["event_data"] for event in server.query({})}
    assert set(plates) == {"P1", "P2", "P3"}
    assert {data["hierarchy"] for data in plates.values()} == {"experiment"}
    assert {data["experiment_id"] for data in plates.values()} == {"exp-123"}


@pytest.mark.skipif(sys.platform == "win32", reason="the executor of the page inherits its client")
def test_processes(server, tmp_path):
    run_page("log-from-processes", server, tmp_path)
    assert {event["event_data"]["plate"] for event in server.query({})} == {"P1", "P2", "P3"}


def test_the_store_of_the_page_keeps_the_whole_contract(tmp_path):
    text = (PAGES / "write-a-store.md").read_text(encoding="utf-8")
    for name, program in re.findall(r"```python\n# (\S+)\n(.*?)```", text, re.DOTALL):
        (tmp_path / name).write_text(program, encoding="utf-8")
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", "test_journal_store.py"],
        cwd=tmp_path,
        env={name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert re.search(r"^1\d\d passed", run.stdout, re.MULTILINE), run.stdout
