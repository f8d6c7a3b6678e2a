"""Events of a program that gives no name are known under that of its module or script."""

import subprocess
import sys

import pytest

PROGRAM = "from madsci.common.calling import caller_name\nprint(caller_name())\n"


@pytest.fixture
def programs(tmp_path):
    """A folder with a script, a package and a module in it."""
    package = tmp_path / "lab"
    package.mkdir()
    (package / "__init__.py").touch()
    for path in (tmp_path / "measure.py", package / "__main__.py", package / "arm.py"):
        path.write_text(PROGRAM)
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["measure.py"], "measure"),
        (["-m", "measure"], "measure"),
        (["-m", "lab.arm"], "lab.arm"),
        (["-m", "lab"], "lab"),
        (["lab"], "lab"),
        (["lab/arm.py"], "arm"),
        (["-c", PROGRAM], "python"),
        (["-c", "import measure"], "measure"),
        (["-"], "python"),
    ],
)
def test_a_program_is_named_after_its_script_or_module(programs, arguments, name):
    run = subprocess.run(
        [sys.executable, *arguments],
        input=PROGRAM, cwd=programs, capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert run.stdout.split() == [name]


@pytest.mark.parametrize("method", ["spawn", "forkserver", "fork"])
def test_children_of_multiprocessing_have_the_name_of_the_script(tmp_path, method):
    if sys.platform == "win32" and method != "spawn":
        pytest.skip("Windows only spawns")
    (tmp_path / "measure.py").write_text(
        "import multiprocessing\n"
        "from madsci.client.event_client import EventClient\n"
        "def work():\n"
        "    print(EventClient(log_file_enabled=False).name, flush=True)\n"
        "if __name__ == '__main__':\n"
        f"    child = multiprocessing.get_context('{method}').Process(target=work)\n"
        "    child.start()\n"
        "    child.join()\n"
    )
    run = subprocess.run(
        [sys.executable, tmp_path / "measure.py"],
        cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert run.stdout.split() == ["measure"]
