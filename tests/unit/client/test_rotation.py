"""Rotation, step by step: when a period ends, whose claim it is, and which old files may be touched."""

from __future__ import annotations

import errno
import gzip
import os
import stat
import subprocess
import sys
import time
from datetime import datetime, timezone

import pytest

from madsci.client.writing.log_file import LogFile
from madsci.client.writing.rotation import Rotation
from madsci.common.types.client_config import EventClientConfig

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps what is open")


def config(**settings) -> EventClientConfig:
    return EventClientConfig(**{"log_max_bytes": 1024, **settings})


@pytest.mark.parametrize(
    ("when", "interval", "end"),
    [
        ("S", 1, "2026-11-26T10:20:31"),
        ("S", 30, "2026-11-26T10:21:00"),
        ("M", 1, "2026-11-26T10:21:00"),
        ("H", 6, "2026-11-26T12:00:00"),
        ("D", 1, "2026-11-27T00:00:00"),
        ("midnight", 1, "2026-11-27T00:00:00"),
        ("W3", 1, "2026-11-27T00:00:00"),  # it is a Thursday
        ("W2", 1, "2026-12-03T00:00:00"),
        ("W6", 1, "2026-11-30T00:00:00"),
    ],
)
def test_periods_end_at_the_same_moment_for_everyone(tmp_path, when, interval, end):
    rotation = Rotation(
        tmp_path / "a.log",
        config(log_rotation_type="time", log_rotation_when=when, log_rotation_interval=interval),
    )
    moment = datetime(2026, 11, 26, 10, 20, 30, 500_000, timezone.utc).timestamp()
    found = datetime.fromtimestamp(rotation.end_of_period(moment), timezone.utc)
    assert found.isoformat() == f"{end}+00:00"
    after = rotation.end_of_period(found.timestamp())
    assert after - found.timestamp() == rotation.end_of_period(after) - after


def test_a_turn_is_one_at_a_time_and_leaves_no_file(tmp_path):
    rotation, other = (Rotation(tmp_path / "a.log", config()) for _ in range(2))
    claim = rotation.take_claim()
    assert claim is not None
    assert rotation.take_claim() is None
    assert other.take_claim() is None
    claim.end()
    assert list(tmp_path.iterdir()) == []
    later = other.take_claim()
    assert later is not None
    later.end()


@posix
def test_a_turn_ends_though_its_folder_was_deleted(tmp_path):
    folder = tmp_path / "logs"
    folder.mkdir()
    rotation = Rotation(folder / "a.log", config())
    claim = rotation.take_claim()
    assert claim is not None
    (folder / ".a.log.lock").unlink()
    folder.rmdir()
    folder.mkdir()
    second = rotation.take_claim()
    claim.end()
    assert rotation.take_claim() is None  # the second one's file was left alone
    assert second is not None
    second.end()


@posix
@pytest.mark.parametrize("count", [0, 3])
def test_a_file_that_somebody_has_open_is_neither_compressed_nor_deleted(tmp_path, count):
    path = tmp_path / "a.log"
    settings = config(log_backup_count=count)
    idle = LogFile(path, settings)
    idle.write(b"idle" * 250)
    busy = LogFile(path, settings)
    busy.write(b"busy" * 250)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["a.log", "a.log.1"]
    time.sleep(0.02)
    idle.write(b"late")  # finds that it was moved
    assert path.read_bytes().endswith(b"\nlate\n")
    busy.write(b"busy" * 250)
    rotated = [entry for entry in tmp_path.iterdir() if entry != path]
    assert len(rotated) == (2 if count else 1)
    del idle, busy


@posix
def test_a_compressed_file_keeps_time_and_rights_of_the_plain_one(tmp_path):
    path = tmp_path / "a.log"
    file = LogFile(path, config())
    file.write(b"x" * 1000)
    path.chmod(0o640)
    os.utime(path, (1_000_000, 1_000_000))
    file.write(b"x" * 1000)
    packed = tmp_path / "a.log.1.gz"
    assert gzip.decompress(packed.read_bytes()) == b"x" * 1000 + b"\n"
    assert packed.stat().st_mtime == 1_000_000
    assert stat.S_IMODE(packed.stat().st_mode) == stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_gap_that_a_killed_rotation_left_is_filled(tmp_path):
    path = tmp_path / "a.log"
    file = LogFile(path, config(log_compression_enabled=False))
    (tmp_path / "a.log.1").write_text("newer")
    (tmp_path / "a.log.3").write_text("older")
    (tmp_path / "a.log.1.gz.part").touch()
    file.write(b"x" * 1000)
    file.write(b"y" * 1000)
    found = {entry.name: entry.read_bytes()[:5] for entry in tmp_path.iterdir()}
    assert found == {
        "a.log": b"yyyyy", "a.log.1": b"xxxxx", "a.log.2": b"newer", "a.log.3": b"older",
    }  # fmt: skip


def test_two_files_of_one_period_have_two_names(tmp_path):
    path = tmp_path / "a.log"
    settings = config(log_rotation_type="time", log_compression_enabled=False)
    long_ago = datetime(2026, 1, 31, 12, tzinfo=timezone.utc).timestamp()
    for number in range(3):
        path.write_text(f"{number}\n")
        os.utime(path, (long_ago, long_ago))
        LogFile(path, settings).write(b"{}")
    found = {entry.name: entry.read_bytes() for entry in tmp_path.iterdir()}
    assert found == {
        "a.log": b"{}\n",
        "a.log.2026-01-31": b"0\n",
        "a.log.2026-01-31.1": b"1\n",
        "a.log.2026-01-31.2": b"2\n",
    }


def test_a_rotation_that_fails_is_told_once_and_the_file_grows_on(tmp_path, capsys):
    path = tmp_path / "a.log"
    file = LogFile(path, config())
    (tmp_path / ".a.log.lock").mkdir()
    for _ in range(10):
        file.write(b"x" * 1000)
    assert path.stat().st_size == 10_010
    assert capsys.readouterr().err.count("cannot be rotated and grows on") == 1


@posix
def test_where_there_are_no_locks_the_file_is_not_rotated_and_that_is_told_once(
    tmp_path, capsys, monkeypatch
):
    fcntl = pytest.importorskip("fcntl")

    def refuse(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    path = tmp_path / "a.log"
    for _ in range(2):
        file = LogFile(path, config())
        for _ in range(5):
            file.write(b"x" * 1000)
        assert capsys.readouterr().err.count("cannot be locked") == 1
    assert path.stat().st_size == 10_010
    assert list(tmp_path.iterdir()) == [path]


@posix
def test_a_disk_that_is_full_is_told_to_the_caller(tmp_path):
    path = tmp_path / "a.log"
    path.symlink_to("/dev/full")
    file = LogFile(path, config())
    for _ in range(3):
        with pytest.raises(OSError, match="No space"):
            file.write(b"x" * 1000)


@posix
def test_a_pipe_in_the_place_of_the_log_holds_nobody_up(tmp_path):
    path = tmp_path / "a.log"
    os.mkfifo(path)
    file = LogFile(path, config())

    def fill():
        for _ in range(1000):
            file.write(b"x" * 1000)

    with pytest.raises(BlockingIOError):
        fill()


@posix
def test_a_number_that_the_program_reused_is_not_written_to(tmp_path):
    file = LogFile(tmp_path / "a.log", config())
    file.write(b"before")
    assert file._file is not None
    with (tmp_path / "own").open("wb") as own:
        os.dup2(own.fileno(), file._file.number)
        file.write(b"after")
        file.write(b"later")
    assert (tmp_path / "own").read_bytes() == b""
    assert (tmp_path / "a.log").read_bytes() == b"before\nafter\nlater\n"


def test_half_a_line_of_a_killed_writer_is_ended_before_the_next(tmp_path):
    path = tmp_path / "a.log"
    path.write_bytes(b'{"event_id":"half')
    LogFile(path, config()).write(b"{}")
    assert path.read_bytes() == b'{"event_id":"half\n{}\n'


@posix
def test_the_log_takes_no_number_of_a_standard_stream_that_was_closed(tmp_path):
    program = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from madsci.client.writing.log_file import LogFile\n"
        "from madsci.common.types.client_config import EventClientConfig\n"
        "for number in (0, 1, 2): os.close(number)\n"
        "file = LogFile(Path('a.log'), EventClientConfig(log_max_bytes=1024))\n"
        "os._exit(0 if file._file.number > 2 else 1)\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=False, timeout=30)
    assert ended.returncode == 0
