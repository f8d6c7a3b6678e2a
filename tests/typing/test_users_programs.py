"""A program that uses the client passes the strict type checkers of its author, and mistakes do not.

Users have no plugin of pydantic in mypy, and pyright knows none.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
SOURCE = HERE.parents[1] / "src"
PROGRAM = HERE / "program_of_a_user.py"
MISTAKES = HERE / "mistakes_of_a_user.py"
WRONG_LINES = [
    number
    for number, line in enumerate(MISTAKES.read_text(encoding="utf-8").splitlines(), start=1)
    if line.endswith("# mistake")
]


def run(command: list[object], folder: Path) -> str:
    ran = subprocess.run(
        [str(word) for word in command],
        cwd=folder, capture_output=True, text=True, check=False, timeout=110,
    )  # fmt: skip
    assert ran.returncode in (0, 1), ran.stderr
    return ran.stdout


def mypy(program: Path, folder: Path) -> list[tuple[int, str]]:
    """What mypy tells of the program, by line, with a user's settings: ``strict`` and no plugin."""
    (folder / "mypy.ini").write_text(
        f"[mypy]\nstrict = true\nmypy_path = {SOURCE}\nnamespace_packages = true\n"
        "explicit_package_bases = true\n"
        # The library's own lines are checked with our settings; errors in them are no user's.
        "[mypy-madsci.*]\nfollow_imports = silent\n"
    )
    command = [sys.executable, "-m", "mypy", "--config-file", folder / "mypy.ini", "--no-color-output"]
    told = run([*command, "--cache-dir", folder / "cache", program], folder)
    found = re.findall(rf"^.*{program.name}:(\d+): error: (.*)$", told, re.MULTILINE)
    assert found or "Success" in told, told
    return [(int(line), message) for line, message in found]


def pyright(program: Path, folder: Path) -> list[tuple[int, str]]:
    """What pyright tells of the program, by line, in its strict mode."""
    shutil.copy(program, folder)  # pyright takes nothing from outside of its project's folder
    settings = {
        "include": [program.name], "extraPaths": [str(SOURCE)], "typeCheckingMode": "strict",
    }  # fmt: skip
    (folder / "pyrightconfig.json").write_text(json.dumps(settings))
    command = [sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable]
    told = json.loads(run([*command, "--project", folder / "pyrightconfig.json"], folder))
    assert told["summary"]["filesAnalyzed"] == 1
    return [
        (each["range"]["start"]["line"] + 1, each["message"])
        for each in told["generalDiagnostics"]
        if each["severity"] == "error"
    ]


@pytest.mark.parametrize("check", [mypy, pyright])
def test_a_users_program_is_right(check, tmp_path):
    assert check(PROGRAM, tmp_path) == []


@pytest.mark.parametrize("check", [mypy, pyright])
def test_each_mistake_is_found_and_nothing_else(check, tmp_path):
    assert sorted({line for line, _ in check(MISTAKES, tmp_path)}) == WRONG_LINES
