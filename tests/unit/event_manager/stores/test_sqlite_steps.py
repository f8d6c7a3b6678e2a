"""Steps of followers in an event file: they cost no sync, and a power cut takes them whole."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import apsw
import pytest

from madsci.event_manager.model.feed import START, Position
from madsci.event_manager.model.stored_event import StoredEvent
from madsci.event_manager.model.tables import FOLLOWERS, Step, put
from madsci.event_manager.stores.sqlite.store import SqliteStore

ENGINE_DISK = apsw.vfs_names()[0]


class CountingFile(apsw.VFSFile):
    """A file that says how often it was synced, and how long it was then."""

    synced: list[tuple[str, int]]

    def __init__(self, filename, flags, synced) -> None:
        self._name = filename.filename() if isinstance(filename, apsw.URIFilename) else filename
        self.synced = synced
        super().__init__(ENGINE_DISK, filename, flags)

    def xSync(self, flags):  # noqa: N802 - the name is the engine's
        self.synced.append((str(self._name), self.xFileSize()))
        super().xSync(flags)


class CountingDisk(apsw.VFS):
    def __init__(self, synced) -> None:
        self._synced = synced
        super().__init__("counting", ENGINE_DISK, makedefault=True)

    def xOpen(self, name, flags):  # noqa: N802
        return CountingFile(name, flags, self._synced)


@contextmanager
def counted_syncs() -> Iterator[list[tuple[str, int]]]:
    synced: list[tuple[str, int]] = []
    disk = CountingDisk(synced)
    try:
        yield synced
    finally:
        disk.unregister()  # the engine takes its own again


def event(number: int) -> StoredEvent:
    return StoredEvent(f"e{number}", "log", 20, False, number, number, {}, "{}")


def place(number: int) -> Position:
    return Position.of([("lane", number)]) if number else START


def step(store: SqliteStore, number: int) -> None:
    changes = [put("t", "k", str(number))]
    assert store.apply(changes, Step("f", place(number - 1), place(number)))


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "events.db"


def test_a_step_is_synced_with_the_next_append_and_other_changes_at_once(path):
    with counted_syncs() as synced, closing(SqliteStore(path)) as store:
        store.append([event(0)])
        synced.clear()
        for number in range(1, 6):
            step(store, number)
        assert synced == []
        store.append([event(1)])
        assert len(synced) == 1
        store.apply([put("t", "other", "1")])
        assert len(synced) == 2


def test_after_a_power_cut_a_step_is_there_or_not_and_what_was_acknowledged_is(path, tmp_path):
    """The log as it is on the disk ends where it was synced last; here at every place after that."""
    with counted_syncs() as synced, closing(SqliteStore(path)) as store:
        step(store, 1)
        store.append([event(1)])
        _, length = [one for one in synced if one[0].endswith("-wal")][-1]
        step(store, 2)
        step(store, 3)
        log = Path(f"{path}-wal").read_bytes()
        assert len(log) > length
        for end in range(length, len(log), 1_000):
            left = tmp_path / f"left{end}" / "events.db"
            left.parent.mkdir()
            shutil.copy(path, left)
            Path(f"{left}-wal").write_bytes(log[:end])
            with closing(SqliteStore(left)) as found:
                assert found.get("e1") == event(1)
                number = int(found.read("t", "k") or 0)
                assert number in (1, 2)
                assert str(place(number)) in (found.read(FOLLOWERS, "f") or "")
