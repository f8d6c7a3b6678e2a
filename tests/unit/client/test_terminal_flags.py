"""The flags of the terminal view."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from madsci.client.terminal.command_line import USAGE, Wanted, read_command_line
from madsci.common.errors import SettingsError


def test_without_flags_the_last_ten_and_what_comes_are_shown():
    assert read_command_line([]) == Wanted()
    assert Wanted().since == "last:10"


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("1h", "-1h"),
        ("90m", "-90m"),
        ("1h30m", "-1h30m"),
        ("-1h", "-1h"),
        ("today", "today"),
        ("2026-11-23", "2026-11-23"),
        ("2026-11-23T14:00:00Z", "2026-11-23T14:00:00Z"),
        ("last:100", "last:100"),
        ("start", "start"),
        ("01m84hx3ctds9p8a5qkcma1tvt-7", "01m84hx3ctds9p8a5qkcma1tvt-7"),
    ],
)
def test_a_length_of_time_is_that_long_ago_and_the_rest_means_what_questions_mean(given, meant):
    assert read_command_line(["--since", given]).since == meant
    assert read_command_line([f"--since={given}"]).since == meant


def test_words_and_a_selector_hold_together():
    selector = '{"source.node_id": "arm-1"}'
    words = {"$text": {"$search": "gripper jammed"}}
    assert read_command_line(["--text", "gripper jammed"]).selector == words
    assert read_command_line(["--selector", selector]).selector == {"source.node_id": "arm-1"}
    both = read_command_line(["--selector", selector, "--text=gripper jammed"])
    assert both.selector == {"$and": [words, {"source.node_id": "arm-1"}]}


def test_switches_stand_alone():
    wanted = read_command_line(
        ["--json", "--level", "warning", "--no-follow", "--url", "http://lab:8001"]
    )
    assert (wanted.as_json, wanted.follows, wanted.level) == (True, False, "warning")
    assert wanted.url == "http://lab:8001"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--levle", "warning"], "did you mean --level"),
        (["--since"], "has no value"),
        (["--since", " "], "has no value"),
        (["--text", "--json"], "has no value"),
        (["warning"], "is not a flag"),
        (["--selector", "{'a': 1}"], "is not JSON"),
        (["--selector", "[1]"], "JSON object"),
        (["--selector", "[" * 100_000], "is not JSON"),
    ],
)
def test_a_wrong_flag_is_told_in_a_sentence(words, sentence):
    with pytest.raises(SettingsError, match=sentence) as caught:
        read_command_line(words)
    assert len(caught.value.message) < 400


def test_the_help_and_the_page_name_every_flag():
    page = Path(__file__).parents[3].joinpath("docs/how-to/watch-events.md").read_text(encoding="utf-8")
    flags = re.findall(r"^  (--[a-z-]+)", USAGE, re.MULTILINE)
    assert len(flags) == 7
    assert [flag for flag in flags if f"`{flag}" not in page] == []
