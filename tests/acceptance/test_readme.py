"""The README's programs run as printed, but for the address, and what it points to is there."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from support.server import ServerProcess, running_server, wait_until

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def run(arguments, server, directory):
    return subprocess.run(
        arguments,
        cwd=directory,
        env=server.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )


def test_the_program_of_the_readme_finds_the_event_that_it_sent(tmp_path):
    (program,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    with running_server(tmp_path) as server:
        program = server.in_place_of_the_documented_one(program)
        assert (
            run([sys.executable, "-c", program], server, tmp_path)
            .stdout.strip()
            .endswith("Plate moved")
        )
        types = [event["event_type"] for event in server.query({})]
        assert types == ["workflow_complete", "log_info"]


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
def test_every_curl_of_the_readme_succeeds(tmp_path):
    (commands,) = re.findall(r"```sh\n(curl .*?)```", README, re.DOTALL)
    (tmp_path / "events.ndjson").write_text('{"event_data": "first"}\n{"event_data": "second"}\n')
    with running_server(tmp_path) as server:
        for command in server.in_place_of_the_documented_one(commands).splitlines():
            run(["sh", "-c", f"{command} --fail --silent --show-error"], server, tmp_path)
        assert len(list(server.query({}))) == 3
        assert (tmp_path / "events.csv").read_text().count("\n") == 4  # a header and three events


@pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")
def test_make_serve_says_what_the_readme_prints(tmp_path):
    """It serves where the environment says. Nothing is installed: the Python of these tests has it."""
    python, installed = tmp_path / "venv" / "bin" / "python", tmp_path / "venv" / ".serve"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')
    python.chmod(0o755)
    server = ServerProcess(tmp_path)
    make = [
        "make",
        f"--directory={ROOT}",
        f"VENV={tmp_path / 'venv'}",
        f"--old-file={installed}",
        "serve",
    ]
    with server.log.open("wb") as log:
        process = subprocess.Popen(
            make, env=server.environment, stdout=log, stderr=log, start_new_session=True
        )
    try:
        wait_until(lambda: "pages" in server.log.read_text() or process.poll() is not None, "the start")
        (printed,) = re.findall(r"```text\n(MADSci.*?)```", README, re.DOTALL)
        printed = server.in_place_of_the_documented_one(printed)
        printed = printed.replace("/home/ann/lab/.madsci/events/events.db", str(server.database))
        assert printed in server.log.read_text()
    finally:
        with contextlib.suppress(ProcessLookupError):  # it has ended, and the log says why
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)


def test_what_the_readme_points_to_is_there():
    targets = [target for target in re.findall(r"\]\(([^)]+)\)", README) if "://" not in target]
    assert targets
    assert [one for one in targets if not (ROOT / one.partition("#")[0]).exists()] == []


def test_the_make_targets_of_the_readme_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in set(re.findall(r"^make (\S+)", README, re.MULTILINE)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
