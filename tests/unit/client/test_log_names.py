"""Names of log files: any name of a client has one, on any system, and rotated files are told apart."""

from __future__ import annotations

import pytest

from madsci.client.writing.log_names import backups, leftovers, log_file_path
from madsci.common.types.client_config import EventClientConfig


def stem(name: str) -> str:
    path = log_file_path(EventClientConfig(log_dir="logs"), name)
    assert path.parent.name == "logs"
    assert path.suffix == ".log"
    return path.name.removesuffix(".log")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("robot", "robot"),
        ("pkg.mod", "pkg.mod"),
        ('a/b\\c:d*"<e>|\n', "a_b_c_d___e___"),
        ("bidi\u202e\x9b\x7f\ud800", "bidi____"),
        ("", "_"),
        (".", "_"),
        ("..", "__"),
        (" ", "_"),
        ("CON", "_CON"),
        ("nul.tip", "_nul.tip"),
        ("com1 ", "_com1 "),
        ("COM¹", "_COM¹"),
        ("console", "console"),
        ("液体处理", "液体处理"),
    ],
)
def test_names_become_what_every_file_system_takes(name, expected):
    assert stem(name) == expected


@pytest.mark.parametrize("letter", ["a", "ü", "液", "🤖"])
def test_long_names_fit_in_bytes_with_all_endings_and_stay_two(tmp_path, letter):
    first, second = stem(letter * 300 + "1"), stem(letter * 300 + "2")
    assert first != second
    assert stem(letter * 300 + "1") == first
    longest = f"{first}.log.2026-01-31_10-00-00.123456789.gz.part"
    (tmp_path / longest).touch()
    (tmp_path / f".{first}.log.lock").touch()


def names(paths):
    return [path.name for path in paths]


def test_rotated_files_come_the_newest_first_and_those_of_the_other_kind_last(tmp_path):
    log = tmp_path / "lab.log"
    for ending in (
        "1", "2.gz", "10", "2026-01-02", "2026-01-02.1.gz", "2026-01-10_10-00.gz",
        "x", "1.gz.part", "01", "0", "robot.log.1", "2026-1-1", "1.gz.gz",
    ):  # fmt: skip
        (tmp_path / f"lab.log.{ending}").touch()
    (tmp_path / "lab.log.log").touch()
    (tmp_path / "other.log.1").touch()
    numbered = ["lab.log.1", "lab.log.2.gz", "lab.log.10"]
    dated = ["lab.log.2026-01-10_10-00.gz", "lab.log.2026-01-02.1.gz", "lab.log.2026-01-02"]
    assert names(one.path for one in backups(log, by_time=False)) == [*numbered, *dated]
    assert names(one.path for one in backups(log, by_time=True)) == [*dated, *numbered]


def test_what_a_killed_compression_left_is_no_rotated_file(tmp_path):
    log = tmp_path / "lab.log"
    for ending in ("1", "1.gz", "2", "2.gz.part", "3.gz"):
        (tmp_path / f"lab.log.{ending}").touch()
    found = names(one.path for one in backups(log, by_time=False))
    assert found == ["lab.log.1", "lab.log.2", "lab.log.3.gz"]
    assert sorted(names(leftovers(log))) == ["lab.log.1.gz", "lab.log.2.gz.part"]


def test_a_folder_that_is_not_there_holds_no_rotated_files(tmp_path):
    (tmp_path / "taken").touch()
    for folder in ("none", "taken"):
        assert backups(tmp_path / folder / "lab.log", by_time=False) == []
