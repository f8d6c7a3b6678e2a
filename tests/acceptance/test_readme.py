"""The README's program runs as printed, and what it points to is there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from support.server import server_at_the_usual_port

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_program_of_the_readme_finds_the_event_that_it_sent(tmp_path):
    (program,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    with server_at_the_usual_port(tmp_path) as server:
        run = subprocess.run(
            [sys.executable, "-c", program],
            cwd=tmp_path,
            env=server.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        assert run.stdout.strip().endswith("Plate moved")
        types = [event["event_type"] for event in server.query({})]
        assert types == ["workflow_complete", "log_info"]


def test_what_the_readme_points_to_is_there():
    targets = [target for target in re.findall(r"\]\(([^)]+)\)", README) if "://" not in target]
    assert targets
    assert [target for target in targets if not (ROOT / target).exists()] == []


def test_the_make_targets_of_the_readme_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in set(re.findall(r"^make (\S+)", README, re.MULTILINE)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
