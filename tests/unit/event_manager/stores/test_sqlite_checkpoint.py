"""The log is copied beside the writer, no commit waits for readers, and who holds the log is named."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from madsci.event_manager.model.stored_event import StoredEvent
from madsci.event_manager.stores.sqlite.file import checkpoint, log_holders
from madsci.event_manager.stores.sqlite.file.log_holders import LogHolders
from madsci.event_manager.stores.sqlite.store import SqliteStore
from support.server import wait_until

LOCKS = """\
1: POSIX  ADVISORY  READ 42 fe:00:7 123 123
2: POSIX  ADVISORY  READ 43 fe:00:7 126 126
2: -> POSIX  ADVISORY  READ 44 fe:00:7 124 124
3: POSIX  ADVISORY  READ 45 fe:00:8 124 124
4: POSIX  ADVISORY  WRITE 46 fe:00:7 120 120
5: POSIX  ADVISORY  READ 47 fe:00:7 128 128
6: FLOCK  ADVISORY  WRITE 48 fe:00:7 0 EOF
7: POSIX  ADVISORY  READ 0 fe:00:7 124 124
8: OFDLCK ADVISORY  READ -1 fe:00:7 124 124
"""
READER = """
import sys, apsw
file = apsw.Connection(sys.argv[1], flags=apsw.SQLITE_OPEN_READONLY)
file.execute("BEGIN")
file.execute("SELECT count(*) FROM events").fetchall()
print("reads", flush=True)
sys.stdin.read()
"""


def crowd(name: str, number: int = 20) -> list[StoredEvent]:
    data = '"' + "x" * 3_000 + '"'
    return [StoredEvent(f"{name}-{n}", "log", 20, False, 0, 1, {}, data) for n in range(number)]


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "events.db"


@pytest.fixture
def store(path, monkeypatch):
    monkeypatch.setattr(checkpoint, "CHECKPOINT_PAGES", 50)
    monkeypatch.setattr(checkpoint, "_LOOK_SECONDS", 0.01)
    with closing(SqliteStore(path)) as store:
        store.append(crowd("first"))
        yield store


@pytest.fixture
def reader(path, store):
    """Another program that reads the file as it was, and goes on doing so."""
    process = subprocess.Popen(
        [sys.executable, "-c", READER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout.readline() == b"reads\n"
    yield process
    process.kill()
    process.wait()
    process.stdin.close()
    process.stdout.close()


def is_short(path: Path) -> bool:
    return Path(f"{path}-wal").stat().st_size < 1_000_000


def test_who_has_locked_a_read_mark_of_the_file_reads_it():
    assert set(log_holders._pids(LOCKS, "7")) == {42, 43}


@pytest.mark.skipif(sys.platform != "linux", reason="tells from /proc")
def test_a_process_that_stands_still_is_named_and_no_commit_waits_for_it(store, path, reader, caplog):
    reader.send_signal(signal.SIGSTOP)
    waited = []
    store._writer.set_busy_handler(lambda number: waited.append(number) or False)
    for number in range(60):
        store.append(crowd(str(number)))
    assert waited == []  # nothing was waited for
    assert not is_short(path)
    (trouble,) = wait_until(store.troubles, "the sentence")
    wait_until(lambda: f"process {reader.pid} (" in store.troubles()[0], "who it is")
    assert "Nothing is lost or held up by that" in trouble
    wait_until(lambda: "grows, since somebody" in caplog.text, "the line in the log")
    reader.kill()
    wait_until(lambda: store.troubles() == [], "the end of it")
    wait_until(lambda: store.append(crowd(os.urandom(4).hex())) and is_short(path), "a short log")
    assert caplog.text.count("grows, since somebody") == 1


@pytest.mark.parametrize("is_killed", [False, True])
def test_a_log_that_grew_is_shortened_step_by_step(store, path, reader, monkeypatch, is_killed):
    """Cutting 100 MB off takes a tenth of a second, in which no event is taken."""
    monkeypatch.setattr(checkpoint, "_CUT_AT_ONCE", 100)
    log = Path(f"{path}-wal")
    for number in range(30):
        store.append(crowd(str(number)))
    longest = log.stat().st_size
    with contextlib.ExitStack() as stack:
        if is_killed:  # another server goes on with what it left
            store = stack.enter_context(
                closing(SqliteStore(shutil.copytree(path.parent, path.parent / "copy") / path.name))
            )
            log = Path(f"{store.location}-wal")
        else:
            reader.kill()
        sizes = [log.stat().st_size]

        def shortened() -> bool:
            store.append(crowd(os.urandom(4).hex(), 3))
            sizes.append(log.stat().st_size)
            return sizes[-1] <= 51 * 4_120

        wait_until(shortened, "a short log")
    steps = {before - after for before, after in itertools.pairwise(sizes) if after < before}
    assert len(steps) > 2
    assert max(steps) <= max(101 * 4_120, longest / 4)


def test_a_reader_of_the_same_process_is_named_as_such(store, path):
    with closing(apsw.Connection(str(path))) as file:
        file.execute("BEGIN; SELECT count(*) FROM events").fetchall()
        for number in range(20):
            store.append(crowd(str(number)))
        wait_until(store.troubles, "the sentence")
        named = "this server itself" if sys.platform == "linux" else "another program"
        wait_until(lambda: named in store.troubles()[0], "who it is")  # a thread looks for that
    wait_until(lambda: store.troubles() == [], "the end of it")


@pytest.mark.skipif(sys.platform != "linux", reason="tells from /proc")
def test_readers_that_come_and_go_do_not_hold_the_log(path, store, reader):
    holders = LogHolders(path)
    with closing(apsw.Connection(str(path))) as file:
        file.execute("BEGIN; SELECT count(*) FROM events").fetchall()
        holders.look()
        assert "this server itself" in holders.named
        assert f"process {reader.pid}" in holders.named
    holders.look()
    assert f"process {reader.pid} (" in holders.named
    assert "this server itself" not in holders.named
    holders.forget()
    assert holders.named == ""


def test_only_who_reads_an_old_state_for_longer_than_a_copy_takes_holds_the_log(path):
    def read_again() -> None:
        file.execute("COMMIT; BEGIN; SELECT count(*) FROM events").fetchall()

    with closing(SqliteStore(path)) as store, closing(apsw.Connection(str(path))) as file:
        log, held = store._checkpointer, []
        file.execute("BEGIN")
        for number, before in enumerate((read_again, lambda: None, read_again, lambda: None)):
            before()
            store.append(crowd(str(number)))
            log.copy()
            held.append(log.is_held)
        file.execute("COMMIT")
        assert log.copy() == log._pages
    assert held == [False, True, False, True]


def test_where_nothing_tells_who_it_is_another_program_is(tmp_path):
    holders = LogHolders(tmp_path / "nowhere.db")
    holders.look()
    assert holders.named == "another program"


def test_commits_are_made_at_the_pace_of_a_slow_disk_that_nobody_else_holds_up(store, monkeypatch):
    pauses: list[float] = []
    monkeypatch.setattr(checkpoint.time, "sleep", pauses.append)
    log = store._checkpointer
    log._large_copy, log._large_copy_took, log._committed_at = 100, 1.0, checkpoint.time.monotonic()
    log._pages_before = log._limit * 6
    log._keep_pace(log._limit * 6 + 10)
    log.is_held, log._pages_before = True, log._limit * 6
    log._keep_pace(log._limit * 6 + 10)
    log.is_held, log._pages_before = False, 10
    log._keep_pace(20)
    assert len(pauses) == 1
    assert 0.1 < pauses[0] <= 0.2


def test_a_disk_that_copies_nothing_at_all_just_now_is_waited_for(store, monkeypatch):
    pauses: list[float] = []
    monkeypatch.setattr(checkpoint.time, "sleep", pauses.append)
    log = store._checkpointer
    log._large_copy, log._large_copy_took, log._committed_at = 100, 0.01, checkpoint.time.monotonic()
    log._began = checkpoint.time.monotonic() - 3.0
    log._pages_before = log._limit * 6
    log._keep_pace(log._limit * 6 + 10)
    assert 0.5 < pauses[0] <= 0.7
