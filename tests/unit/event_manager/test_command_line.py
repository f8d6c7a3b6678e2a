"""``madsci`` runs the program that its first word names."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from madsci.event_manager.command_line import main


def test_a_word_runs_its_program_with_the_rest(capsys):
    assert main(["demo", "--help"]) == 0
    assert "--truth" in capsys.readouterr().out


def test_without_a_command_it_says_what_there_is(capsys):
    assert main([]) == 2
    assert main(["--help"]) == 0
    said = capsys.readouterr().out
    assert said.count("demo") == said.count("tail") == 2


def test_a_misspelt_command_names_the_nearest_one(capsys):
    assert main(["dmeo"]) == 2
    assert capsys.readouterr().err == "madsci has no command 'dmeo'. Did you mean demo?\n"


@pytest.mark.parametrize("word", ["demo", "tail"])
def test_the_installed_command_runs_every_program(word):
    command = Path(sys.executable).parent / "madsci"
    shown = subprocess.run([command, word, "--help"], capture_output=True, text=True, check=True)
    assert "--url" in shown.stdout
