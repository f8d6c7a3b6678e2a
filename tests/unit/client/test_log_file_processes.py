"""The local log of several processes: nothing is lost or doubled when it is rotated, by whomever."""

from __future__ import annotations

import os
import random
import shutil
import sys
import time
from contextlib import suppress
from threading import Thread

import pytest

from support.log_writers import (
    all_of,
    end,
    noted,
    start_writers,
    write,
    writer,
    written,
)

METHODS = ["spawn", *(["fork"] if hasattr(os, "fork") else [])]
pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="Windows rotates with one process only"),
    # Forked while other tests' threads may still be ending.
    pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning"),
]
BY_TIME = {"log_rotation_type": "time", "log_rotation_when": "S"}


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "logs"


@pytest.mark.slow
@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("method", METHODS)
def test_rotation_by_size_loses_no_line_of_any_process(folder, method, compressed):
    processes = start_writers(method, folder, 400, {"log_compression_enabled": compressed})
    assert end(processes) == [0, 0, 0, 0]
    assert written(folder) == all_of(400)
    assert len(list(folder.iterdir())) > 8
    assert [path for path in folder.iterdir() if path.suffix in {".part", ".lock"}] == []
    if compressed:
        assert len(list(folder.glob("*.gz"))) > 3


@pytest.mark.slow
@pytest.mark.parametrize("compressed", [True, False])
def test_rotation_by_time_loses_no_line_and_makes_one_file_a_period(folder, compressed):
    settings = {**BY_TIME, "log_compression_enabled": compressed}
    processes = start_writers(METHODS[-1], folder, 6000, settings)
    codes = end(processes)
    assert codes == [0, 0, 0, 0]
    assert written(folder) == all_of(6000)
    stamps = [path.name.removesuffix(".gz") for path in folder.iterdir() if path.name != "shared.log"]
    assert len(stamps) == len(set(stamps))
    assert not [stamp for stamp in stamps if stamp.count(".") > 2]  # none twice within a second


def test_without_backups_only_what_was_rotated_away_is_gone(folder):
    processes = start_writers(METHODS[-1], folder, 400, {"log_backup_count": 0})
    assert end(processes) == [0, 0, 0, 0]
    found = written(folder)
    assert set(found.values()) == {1}
    # Of each writer the last lines are there, without a gap.
    last_of_all = max(number for _, number in found)
    assert last_of_all == 399
    for who in {who for who, _ in found}:
        numbers = sorted(number for writer, number in found if writer == who)
        assert numbers == list(range(numbers[0], 400))


def test_the_number_of_backups_holds_with_several_processes(folder):
    processes = start_writers(METHODS[-1], folder, 400, {"log_backup_count": 3})
    assert end(processes) == [0, 0, 0, 0]
    write(folder, 9, 40, {"log_backup_count": 3})  # the last one tidies up what others had open
    names = {path.name.removesuffix(".gz") for path in folder.iterdir()}
    assert names == {"shared.log", "shared.log.1", "shared.log.2", "shared.log.3"}


@pytest.mark.parametrize("count", [1000, pytest.param(20_000, marks=pytest.mark.slow)])
def test_an_outside_logrotate_that_renames_is_followed(folder, tmp_path, count):
    moved = tmp_path / "moved"
    moved.mkdir()
    processes = start_writers(METHODS[-1], folder, count, {"log_max_bytes": 100_000})
    log = folder / "shared.log"
    while any(process.is_alive() for process in processes):
        with suppress(FileNotFoundError):
            log.rename(moved / f"{len(list(moved.iterdir()))}")
        time.sleep(0.005)
    assert end(processes) == [0, 0, 0, 0]
    assert written(folder, moved) == all_of(count)
    assert list(moved.iterdir())


def test_an_outside_logrotate_that_copies_and_truncates_is_followed(folder):
    client = writer(folder)
    client.info("before", who=0, number=0)
    os.truncate(client.logfile, 0)
    client.info("after", who=0, number=1)
    assert written(folder) == {(0, 1): 1}
    assert b"\x00" not in client.logfile.read_bytes()


def test_a_deleted_file_or_folder_is_made_again(folder):
    client = writer(folder)
    for number, delete in enumerate([client.logfile.unlink, lambda: shutil.rmtree(folder)]):
        client.info("into the old", who=0, number=9)
        delete()
        time.sleep(0.001)  # lines in a burst are written on trust
        client.info("into the new", who=0, number=number)
        assert written(folder) == {(0, number): 1}


def test_lines_amid_which_the_folder_is_deleted_are_in_the_new_file(folder):
    client = writer(folder)
    for number in range(100):
        client.info("a burst", who=0, number=number)
    shutil.rmtree(folder)
    for number in range(100, 200):
        client.info("a burst", who=0, number=number)
    client.close()
    found = written(folder)
    assert [found[(0, number)] for number in range(100, 200)] == [1] * 100


def test_nothing_is_raised_by_writers_and_rotation_while_somebody_deletes_the_folder(folder, capsys):
    client = writer(folder, log_max_bytes=5_000, log_backup_count=3, fail_on_error=True)
    threads = [Thread(target=log_many, args=(client, who)) for who in range(3)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        shutil.rmtree(folder, ignore_errors=True)
        threads[0].join(0.005)
    shutil.rmtree(folder, ignore_errors=True)
    client.info("after all", who=9, number=1)
    assert written(folder)[(9, 1)] == 1
    assert "cannot" not in capsys.readouterr().err


def log_many(client, who):
    for number in range(3000):
        client.info("on and on", who=who, number=number)


@pytest.mark.parametrize("rounds", [6, pytest.param(80, marks=pytest.mark.slow)])
def test_a_kill_amid_writing_or_rotating_loses_and_doubles_nothing(folder, rounds):
    random.seed(5)
    settings = {"log_max_bytes": 20_000}
    for number in range(rounds):  # each goes on from what the last one left
        who = range(2 * number, 2 * number + 2)
        processes = start_writers(METHODS[-1], folder, 100_000, settings, who)
        time.sleep(0.1 + random.random() / 10)
        for process in processes:
            process.kill()
        end(processes)
    found = written(folder)
    assert len(found) > 100 * rounds
    assert noted(folder) <= set(found)
    assert set(found.values()) == {1}
    write(folder, 2 * rounds, 100, settings)
    assert not list(folder.glob("*.part"))
    assert set(written(folder).values()) == {1}
