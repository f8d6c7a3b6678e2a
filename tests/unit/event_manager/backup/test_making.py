"""The data of a backup are the same wherever they are made, and nothing is left that works at them."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from madsci.common.errors import OverloadedError, StoreError
from madsci.event_manager.backup import layout
from madsci.event_manager.backup.making import MakingBeside, MakingHere
from support.processes import ARE_TOLD, children
from support.server import PATIENCE, wait_until


@pytest.fixture
def database(make_database):
    made = make_database()
    made.put(*(f"e{number}" for number in range(3_000)))
    return made


@pytest.fixture
def part(tmp_path) -> Path:
    folder = tmp_path / "part"
    folder.mkdir()
    return folder


def makers() -> list[int]:
    """The processes that make data for this one."""
    found = children(os.getpid()) if ARE_TOLD else []
    return [pid for pid in found if b"backup.maker" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def unseen(*_: object) -> None:
    """Take no note of progress."""


@pytest.fixture(params=["here", "beside"])
def making(request, database):
    return MakingHere(database.upkeep) if request.param == "here" else MakingBeside(database.place)


@pytest.mark.slow
def test_all_events_are_copied_and_read_back(database, making, part):
    seen = []
    made = making.make(part, lambda *what: seen.append(what))
    assert made.dumped.events == made.events == 3_000
    assert made.checksum == layout.checksum_of(part)
    assert seen
    assert database.upkeep.check(part / database.upkeep.name, unseen) == 3_000


@pytest.mark.slow
def test_what_progress_raises_ends_it(making, part):
    def leave_off(*_: object) -> None:
        raise OverloadedError("The server stops.")

    with pytest.raises(OverloadedError, match="The server stops"):
        making.make(part, leave_off)
    assert makers() == []


def test_a_folder_that_cannot_be_written_to_is_the_same_error(making, part):
    part.rmdir()
    part.write_text("a file")
    with pytest.raises(OSError, match="Not a directory"):
        making.make(part, unseen)


@pytest.mark.skipif(not ARE_TOLD, reason="looks for processes in /proc")
def test_a_process_that_is_killed_is_told_and_shows_no_url(database, part):
    with ThreadPoolExecutor(1) as threads:
        made = threads.submit(MakingBeside(database.place).make, part, unseen)
        (pid,) = wait_until(makers, "the process")
        os.kill(pid, signal.SIGSTOP)  # or it may have made all of it by the time of the blow
        assert str(database.place.url).encode() not in Path(f"/proc/{pid}/cmdline").read_bytes()
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(StoreError, match="has ended; the server's log may tell why"):
            made.result(PATIENCE)
    assert makers() == []


@pytest.mark.skipif(not ARE_TOLD, reason="looks for processes in /proc")
def test_closing_ends_also_a_process_that_hangs(database, part):
    making = MakingBeside(database.place)
    with ThreadPoolExecutor(1) as threads:
        made = threads.submit(making.make, part, unseen)
        (pid,) = wait_until(makers, "the process")
        os.kill(pid, signal.SIGSTOP)
        making.close()
        with pytest.raises(OverloadedError, match="the server is stopping"):
            made.result(PATIENCE)
    assert makers() == []
    with pytest.raises(OverloadedError, match="the server is stopping"):
        making.make(part, unseen)


def test_the_process_ends_with_its_server_and_not_with_its_work(database, part):
    """Else it would go on writing into a folder that the next server clears away."""
    command = [sys.executable, "-m", "madsci.event_manager.backup.maker"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.communicate(pickle.dumps((database.place, part)), PATIENCE)
    assert process.returncode == 1
