"""Files are known by more than their number, and opened only where they are files."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from madsci.common.own_file import NotAFileError, OwnFile

pytestmark = pytest.mark.skipif(os.name != "posix", reason="POSIX only")
APPENDING = os.O_CREAT | os.O_RDWR | os.O_APPEND


@pytest.fixture
def file(tmp_path):
    file = OwnFile(tmp_path / "ours", APPENDING)
    yield file
    file.close()


def make_link(path):
    path.with_name("target").write_text("of somebody else")
    path.symlink_to("target")


@pytest.mark.parametrize(
    "make", [os.mkfifo, os.mkdir, make_link, lambda path: path.symlink_to("/dev/null")]
)
@pytest.mark.parametrize("flags", [os.O_RDONLY, os.O_WRONLY, APPENDING])
def test_links_pipes_folders_and_devices_are_refused_at_once(tmp_path, make, flags):
    make(tmp_path / "strange")
    with pytest.raises(NotAFileError):
        OwnFile(tmp_path / "strange", flags)


def test_devices_are_refused():
    with pytest.raises(NotAFileError):
        OwnFile("/dev/null", os.O_WRONLY)


def test_bytes_of_several_writers_are_appended(file, tmp_path):
    other = OwnFile(tmp_path / "ours", APPENDING)
    for number in range(4):
        (file if number % 2 else other).append(b"%d" % number)
    os.write(file.number, b"amid")  # as a signal handler does
    file.append(b"4")
    assert (tmp_path / "ours").read_bytes() == b"0123amid4"
    other.close()


@pytest.mark.parametrize("written", [b"", b"before"])
def test_a_number_that_means_another_file_is_neither_written_to_nor_closed(file, tmp_path, written):
    if written:
        file.append(written)
    number = file.number
    with (tmp_path / "theirs").open("wb") as theirs:
        os.dup2(theirs.fileno(), number)
    assert not file.is_ours
    with pytest.raises(OSError, match="not its own"):
        file.append(b"x")
    file.close()
    assert os.write(number, b"still open") == 10
    os.close(number)
    assert (tmp_path / "theirs").read_bytes() == b"still open"
    assert (tmp_path / "ours").read_bytes() == written


def test_a_number_that_is_nobody_s_is_not_written_to(file):
    file.append(b"x")
    os.close(file.number)
    with pytest.raises(OSError, match="not its own"):
        file.append(b"y")


def test_no_number_of_a_standard_stream_that_was_closed_is_taken(tmp_path):
    program = (
        "import os, sys; from madsci.common.own_file import OwnFile\n"
        "os.close(0); os.close(1)\n"
        "file = OwnFile(sys.argv[1], os.O_CREAT | os.O_RDWR | os.O_APPEND)\n"
        "sys.exit(0 if file.number > 2 else 1)"
    )
    run = subprocess.run([sys.executable, "-c", program, tmp_path / "ours"], check=False)
    assert run.returncode == 0
