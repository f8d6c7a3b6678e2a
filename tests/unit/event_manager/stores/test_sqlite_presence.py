"""What becomes of the files of an open store is known before the next acknowledgement."""

from __future__ import annotations

import os
import shutil
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from madsci.common.errors import StoreInUseError, StoreUnavailableError
from madsci.event_manager.model.stored_event import StoredEvent
from madsci.event_manager.model.tables import put
from madsci.event_manager.stores.sqlite.file.checkpoint import Checkpointer
from madsci.event_manager.stores.sqlite.store import SqliteStore
from support.server import wait_until


def event(event_id: object) -> StoredEvent:
    return StoredEvent(str(event_id), "log", 20, False, 0, 1, {}, "{}")


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "store" / "events.db"


@pytest.fixture
def store(path):
    opened = SqliteStore(path)
    opened.append([event(number) for number in range(100)])
    yield opened
    opened.close()


def replaced(path: Path) -> None:
    shutil.copyfile(path, f"{path}.copy")
    Path(f"{path}.copy").replace(path)


def folder_swapped(path: Path) -> None:
    path.parent.rename(path.parent.with_name("moved"))
    shutil.copytree(path.parent.with_name("moved"), path.parent)


def truncated(path: Path) -> None:
    os.truncate(path, 0)


FAULTS = {
    "file deleted": (lambda path: path.unlink(), "events.db is gone"),
    "file moved": (lambda path: path.rename(f"{path}.old"), "events.db is gone"),
    "file replaced": (replaced, "events.db is another file"),
    "file emptied": (truncated, "events.db was cut to 0 bytes"),
    "log deleted": (lambda path: Path(f"{path}-wal").unlink(), "events.db-wal is gone"),
    "log emptied": (lambda path: truncated(f"{path}-wal"), "events.db-wal was cut to 0 bytes"),
    "log cut": (lambda path: os.truncate(f"{path}-wal", 5000), "events.db-wal was cut to 5,000"),
    "index deleted": (lambda path: Path(f"{path}-shm").unlink(), "events.db-shm is gone"),
    "folder deleted": (lambda path: shutil.rmtree(path.parent), "events.db is gone"),
    "folder moved": (lambda path: path.parent.rename(f"{path.parent}.old"), "events.db is gone"),
    "folder swapped": (folder_swapped, "events.db is another file"),
}


LATER = ("log emptied", "log cut", "index deleted")
"""What is only seen by the look that is taken now and then, for it takes longer."""


@pytest.mark.parametrize("fault", FAULTS)
def test_what_happened_to_files_is_told_whoever_looks(path, store, fault):
    damage, told = FAULTS[fault]
    damage(path)
    with pytest.raises(StoreUnavailableError, match=told) as caught:
        store.check()
    assert "restart it" in caught.value.message


@pytest.mark.parametrize("fault", [one for one in FAULTS if one not in LATER])
def test_nothing_is_acknowledged_that_the_next_start_would_not_find(path, store, fault):
    damage, told = FAULTS[fault]
    damage(path)
    with pytest.raises(StoreUnavailableError, match=told) as caught:
        store.append([event("refused")])
    assert "restart it" in caught.value.message
    for call in (lambda: store.archive(["1"], 5), lambda: store.apply([put("t", "a", "1")])):
        with pytest.raises(StoreUnavailableError, match=told):
            call()


@pytest.mark.parametrize("fault", [one for one in FAULTS if "emptied" not in one and "cut" not in one])
def test_what_the_server_still_has_open_is_found_by_the_next_start(path, store, fault):
    FAULTS[fault][0](path)
    with pytest.raises(StoreUnavailableError):
        store.check()
    store.close()
    rescued = [one for one in path.parent.iterdir() if ".rescued-" in one.name]
    assert len(rescued) == 1
    for stray in (path, Path(f"{path}-wal"), Path(f"{path}-shm")):  # as an operator tidies up
        stray.unlink(missing_ok=True)
    with closing(SqliteStore(path)) as again:
        assert again.count() == 100
        assert again.troubles() == []
    assert not rescued[0].exists()


def test_a_file_that_is_put_back_goes_on(path, store):
    path.rename(f"{path}.old")
    with pytest.raises(StoreUnavailableError):
        store.append([event("refused")])
    Path(f"{path}.old").rename(path)
    store.check()
    store.append([event("kept")])
    store.close()
    with closing(SqliteStore(path)) as again:
        assert again.count() == 101
        assert again.troubles() == []


def test_a_commit_while_the_file_vanishes_is_saved_with_the_rest(path, store):
    store._writer.set_commit_hook(lambda: bool(path.unlink(missing_ok=True)))
    store.append([event("last")])
    with pytest.raises(StoreUnavailableError):
        store.append([event("refused")])
    store.close()
    with closing(SqliteStore(path)) as again:
        assert again.count() == 101
        assert again.troubles() == []


def test_a_lock_that_is_deleted_is_taken_anew_or_told(path, store):
    lock = Path(f"{path}.lock")
    lock.unlink()
    store.check()
    with pytest.raises(StoreInUseError):
        SqliteStore(path)
    lock.unlink()
    with closing(SqliteStore(path)), pytest.raises(StoreInUseError):
        store.check()


def test_checkpoints_of_a_long_log_look_like_no_damage(path, store, monkeypatch):
    monkeypatch.setattr("madsci.event_manager.stores.sqlite.file.checkpoint.CHECKPOINT_PAGES", 50)
    for number in range(200):
        store.append([event(f"{number}-{part}") for part in range(20)])
        store.check()
    assert isinstance(store._checkpointer, Checkpointer)
    assert store.count() == 4_100


def test_a_log_that_is_begun_anew_looks_like_no_damage_before_that_is_known(path, store, monkeypatch):
    """A commit cuts what a burst left, and tells how long the log is when it has ended."""
    monkeypatch.setattr("madsci.event_manager.stores.sqlite.file.checkpoint.CHECKPOINT_PAGES", 50)
    log = store._checkpointer
    log._kept = 0
    log.measure(store._writer)
    with closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)) as reader:
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM events").get == 100
        for number in range(100):
            store.append([event(f"{number}-{part}") for part in range(20)])
    wait_until(lambda: log.copy() is not None, "a copy of the log")
    was_short = []

    def learn(connection, name, pages):
        was_short.append(Path(f"{path}-wal").stat().st_size < log.log_bytes)
        store.check()
        return log._learn(connection, name, pages)

    store._writer.set_wal_hook(learn)
    for number in range(3):
        store.append([event(f"after {number}")])
    assert was_short == [True, False, False]


def test_a_log_that_another_program_has_copied_looks_like_no_damage(path, store):
    with closing(apsw.Connection(str(path))) as other:
        other.execute("SELECT count(*) FROM events").fetchall()
        assert other.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE) == (0, 0)
    assert Path(f"{path}-wal").stat().st_size == 0
    store.check()
    store.append([event("after")])
    store.check()
    assert store.count() == 101


def test_the_working_directory_may_change(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with closing(SqliteStore(Path("relative/events.db"))) as store:
        monkeypatch.chdir("/")
        store.append([event("a")])
        store.check()
        assert store.get("a") is not None
