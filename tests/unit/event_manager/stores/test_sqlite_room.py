"""A full disk is a state with a beginning and an end, and room is kept for getting out of it."""

from __future__ import annotations

import os
import shutil
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from madsci.common.errors import StoreUnavailableError
from madsci.event_manager.model.stored_event import StoredEvent
from madsci.event_manager.stores.facts import facts_about_the_lab
from madsci.event_manager.stores.sqlite.file import checkpoint, room
from madsci.event_manager.stores.sqlite.file.reserve import RESERVE, Reserve
from madsci.event_manager.stores.sqlite.store import SqliteStore

GB = 1_000_000_000
WHOLE = 4 * 1024 * 1024
FOR_A_START = 256 * 1024
"""Bytes of the reserve."""
Usage = type(shutil.disk_usage("/"))


def event(event_id: str) -> StoredEvent:
    return StoredEvent(event_id, "log", 20, False, 0, 1, {}, "{}")


class Disk:
    """Says how much room there is."""

    def __init__(self) -> None:
        self.free = 50 * GB

    def __call__(self, _: object) -> Usage:
        return Usage(100 * GB, 100 * GB - self.free, self.free)


@pytest.fixture
def disk(monkeypatch):
    disk = Disk()
    monkeypatch.setattr(room.shutil, "disk_usage", disk)
    return disk


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "events.db"


@pytest.fixture
def store(path, disk):
    with closing(SqliteStore(path)) as store:
        yield store


def reserved(path: Path) -> int:
    return Path(f"{path}{RESERVE}").stat().st_size


def test_a_probe_holds_the_reserve_and_leaves_everything_else_as_it_was(store, path):
    store.append([event("a")])
    log = Path(f"{path}-wal")
    before = log.stat().st_size, store.fence(), store.count(), facts_about_the_lab(store)
    for _ in range(50):
        store.probe()
    assert (log.stat().st_size, store.fence(), store.count(), facts_about_the_lab(store)) == before
    assert reserved(path) == WHOLE
    assert Path(f"{path}{RESERVE}").stat().st_mode & 0o77 == 0


def test_no_events_are_taken_when_hardly_anything_is_free_until_there_is_enough(store, disk):
    store.probe()
    disk.free = 200_000
    with pytest.raises(StoreUnavailableError, match=r"is full: 0\.2 MB are free.* until 4\.2 MB are"):
        store.probe()
    with pytest.raises(StoreUnavailableError, match="is full"):
        store.append([event("a")])
    disk.free = 2_000_000  # enough to begin it, and too little to end it
    with pytest.raises(StoreUnavailableError, match="is full"):
        store.append([event("a")])
    disk.free = 50_000_000
    store.append([event("a")])
    assert store.count() == 1


def test_a_write_without_room_makes_room_and_is_done_after_all(store, monkeypatch):
    """The log is cut, and that was enough."""
    limit = store._writer.pragma("page_count") + 3
    store._writer.pragma("max_page_count", limit)
    cut = store._checkpointer.cut

    def with_room(writer: apsw.Connection) -> bool:
        writer.pragma("max_page_count", 1_000_000)
        return cut(writer)

    monkeypatch.setattr(store._checkpointer, "cut", with_room)
    store.append([StoredEvent("large", "log", 20, False, 0, 1, {}, '"' + "x" * 50_000 + '"')])
    assert store.count() == 1
    assert Path(f"{store.location}-wal").stat().st_size < 150_000


def test_deleting_uses_the_reserve_and_adding_does_not(store, disk, path):
    store.append([event("a"), event("b")])
    store.archive(["a", "b"], 5)
    store.probe()
    disk.free = 0
    with store._using():
        store._room.make(store._writer, for_deleting=False)
    assert reserved(path) == WHOLE
    with store._using():
        store._room.make(store._writer, for_deleting=True)
    assert reserved(path) == FOR_A_START
    assert store.delete(["a"]) == 1
    disk.free = 50_000_000
    store.probe()
    store.probe()
    assert reserved(path) == WHOLE


def test_a_deletion_that_is_too_large_for_the_room_is_done_in_parts(store, disk):
    """As many events at once as the room for their log allows."""
    ids = [str(number) for number in range(64)]
    store.append([event(one) for one in ids])
    at_once = []
    change = store._change

    def with_little_room(work, **more):
        def counted(writer):
            changed = work(writer)
            at_once.append(changed)
            if changed > 10:
                raise apsw.FullError("database or disk is full")
            return changed

        return change(counted, **more)

    store._change = with_little_room
    assert store.archive(ids, 5) == 64
    assert store.delete(ids) == 64
    assert (store.count(), max(at_once)) == (0, 64)


def test_a_start_on_a_full_disk_gives_the_reserve_back_and_takes_nothing(path, disk):
    with closing(SqliteStore(path)) as store:
        store.append([event("a")])
        store.probe()
    disk.free = 300_000
    with closing(SqliteStore(path)) as store:
        assert reserved(path) == FOR_A_START  # held anew for the next start
        assert store.count() == 1
        with pytest.raises(StoreUnavailableError, match="is full"):
            store.append([event("b")])
        disk.free = 50_000_000
        store.append([event("b")])
        assert store.count() == 2


def test_the_log_is_short_where_there_is_little_room(path, disk):
    disk.free = 20_000_000
    with closing(SqliteStore(path)) as store:
        longest = 0
        for number in range(200):
            large = StoredEvent(f"{number}", "log", 20, False, 0, 1, {}, '"' + "x" * 200_000 + '"')
            store.append([large])
            longest = max(longest, Path(f"{path}-wal").stat().st_size)
        assert path.stat().st_size + longest > 40_000_000
        assert longest < disk.free
        disk.free = 50 * GB
        for number in range(200, 210):
            store.append(
                [StoredEvent(f"{number}", "log", 20, False, 0, 1, {}, '"' + "x" * 200_000 + '"')]
            )
        assert store._checkpointer._limit == checkpoint.CHECKPOINT_PAGES


def test_a_disk_that_cannot_be_asked_is_told(store, monkeypatch):
    def gone(_):
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr(room.shutil, "disk_usage", gone)
    with pytest.raises(StoreUnavailableError, match="cannot be asked"):
        store.probe()


def test_a_probe_after_a_failed_write_goes_through_the_log(store, path, monkeypatch):
    store.append([event("a")])
    store._room.has_failed = True
    before = Path(f"{path}-wal").stat().st_size
    store.probe()
    assert Path(f"{path}-wal").stat().st_size > before
    assert (store.fence().number, store.count()) == (1, 1)


def test_space_is_what_the_events_take_without_what_was_deleted(store):
    empty = store.space()
    store.append(
        [StoredEvent(f"{n}", "log", 20, False, 0, 1, {}, '"' + "x" * 5_000 + '"') for n in range(100)]
    )
    full = store.space()
    assert full.used - empty.used > 500_000
    assert (full.free, full.total) == (50 * GB, 100 * GB)
    ids = [f"{n}" for n in range(100)]
    store.archive(ids, 5)
    store.delete(ids)
    assert store.space().used < empty.used + 100_000


def test_the_reserve_of_a_small_disk_is_small(tmp_path):
    assert Reserve(tmp_path / "events.db", 32_000_000).size == 2_000_000
    held = Reserve(tmp_path / "events.db", 32_000_000)
    assert held.hold()
    assert held.is_held
    held.touch()
    assert Path(tmp_path / "events.db.reserve").stat().st_size == 2_000_000
    held.release()
    held.release()
    assert not held.is_held


def test_what_a_start_needs_is_held_also_when_the_rest_is_given_back(tmp_path):
    file = tmp_path / "events.db.reserve"
    held = Reserve(tmp_path / "events.db", GB)
    assert held.hold()
    held.release()
    assert file.stat().st_size == FOR_A_START
    held.release_for_opening()
    held.release_for_opening()
    assert not file.exists()
    held.hold_for_opening()
    assert file.stat().st_size == FOR_A_START
    assert not held.is_held
    assert held.hold()
    assert held.is_held


@pytest.mark.parametrize(("free", "size"), [(300_000, FOR_A_START), (100_000, 98_304), (4_095, 0)])
def test_of_what_a_start_needs_that_is_held_for_which_there_is_room(tmp_path, disk, free, size):
    disk.free = free
    Reserve(tmp_path / "events.db", GB).hold_for_opening()
    file = tmp_path / "events.db.reserve"
    assert (file.stat().st_size if file.exists() else 0) == size


def test_a_reserve_for_which_there_is_no_room_leaves_no_more_than_a_start_needs(tmp_path, monkeypatch):
    def allocate(file: int, _: int, size: int) -> None:
        os.ftruncate(file, size // 2)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", allocate, raising=False)
    held = Reserve(tmp_path / "events.db", GB)
    assert not held.hold()
    assert (tmp_path / "events.db.reserve").stat().st_size == FOR_A_START


def test_a_reserve_that_cannot_be_held_leaves_nothing(tmp_path):
    held = Reserve(tmp_path / "nowhere" / "events.db", 32_000_000)
    assert not held.hold()
    assert not held.is_held


def test_a_mark_that_cannot_be_written_says_that_the_disk_fails(store, monkeypatch):
    """Writing it takes no room, so nothing else can be the matter."""

    def write(*_):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(store._marker, "write", write)
    with pytest.raises(StoreUnavailableError, match=r"failed after a commit.*Read-only"):
        store.append([event("a")])
    monkeypatch.undo()
    assert store.append([event("a")])[0].is_duplicate
    assert store.count() == 1
