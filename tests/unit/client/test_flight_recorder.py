"""What a process knew of its lane outlives its kill, and is cleared away when nobody needs it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from madsci.client.spool.cursor import Cursor
from madsci.client.spool.flight_recorder import (
    FOLDER,
    FlightRecorder,
    forget_deleted_directories,
    recorded_lanes,
)
from madsci.client.spool.losses import Losses

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="there is no such memory here")
CURSOR = Cursor(3, 4096, 70, 90, 2, Losses(7, 100, 200))
NOBODY = 2**22 + 1
"""No process has this number."""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "memory").mkdir()
    return tmp_path / "memory"


@pytest.fixture
def directory(tmp_path):
    (tmp_path / "spool").mkdir()
    return tmp_path / "spool"


def begun(directory, token, folder):
    recorder = FlightRecorder(directory, token, folder)
    recorder.begin(5)
    return recorder


def test_a_killed_process_leaves_its_count_and_cursor(directory, folder):
    program = f"""
import os, signal
from pathlib import Path
from madsci.client.spool.flight_recorder import *
from madsci.client.spool.cursor import Cursor
from madsci.client.spool.losses import Losses
recorder = FlightRecorder(Path({str(directory)!r}), "01A-{NOBODY}", Path({str(folder)!r}))
recorder.begin(5)
recorder.remember({CURSOR!r})
recorder.written[0] = 12345
os.kill(os.getpid(), signal.SIGKILL)
"""
    killed = subprocess.run([sys.executable, "-c", program], check=False)
    assert killed.returncode == -signal.SIGKILL
    heir = FlightRecorder(directory, f"01A-{NOBODY}", folder)
    assert heir.recall() == CURSOR
    assert heir.written[0] == 12345
    heir.delete()
    assert list(folder.iterdir()) == []


def test_a_page_that_cannot_be_had_is_done_without(directory, folder):
    recorder = FlightRecorder(directory, "01A-1", folder / "missing")
    recorder.begin(5)
    recorder.remember(CURSOR)
    assert recorder.written[0] == 5
    assert recorder.recall() is None
    recorder.delete()


def test_a_page_of_another_size_is_not_used(directory, folder):
    begun(directory, "01A-1", folder)
    (page,) = folder.iterdir()
    page.write_bytes(b"short")
    heir = FlightRecorder(directory, "01A-1", folder)
    assert heir.recall() is None
    assert heir.written[0] == 0


def test_pages_are_private(directory, folder):
    begun(directory, "01A-1", folder)
    (page,) = folder.iterdir()
    assert page.stat().st_mode & 0o777 == 0o600


def test_lanes_of_ended_processes_of_a_directory_are_listed(directory, folder):
    begun(directory, f"01A-{NOBODY}", folder)
    begun(directory, f"01B-{os.getpid()}", folder)
    begun(Path("/elsewhere"), f"01C-{NOBODY}", folder)
    assert recorded_lanes(directory, folder) == [f"01A-{NOBODY}"]


def test_pages_of_deleted_directories_are_forgotten_in_time(directory, folder):
    other = directory.with_name("other")
    begun(other, f"01A-{NOBODY}", folder)
    begun(other, f"01B-{os.getpid()}", folder)
    begun(directory, f"01C-{NOBODY}", folder)
    directory.rmdir()
    forget_deleted_directories(directory, folder)
    assert len(list(folder.iterdir())) == 3  # whoever was killed may be started again
    for path in folder.iterdir():
        os.utime(path, (0, 0))
    forget_deleted_directories(directory, folder)  # one's own may be made again
    left = sorted(path.name.rpartition("spool-")[2].partition("-")[2] for path in folder.iterdir())
    assert left == [f"01B-{os.getpid()}", f"01C-{NOBODY}"]
