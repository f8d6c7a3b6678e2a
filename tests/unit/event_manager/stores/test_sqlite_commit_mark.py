"""A start says when less is in the file than was acknowledged, and never without reason."""

from __future__ import annotations

import shutil
import stat
from contextlib import closing
from pathlib import Path

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from madsci.common.clock import iso
from madsci.event_manager.model.query import Query
from madsci.event_manager.model.stored_event import StoredEvent
from madsci.event_manager.stores.facts import remember
from madsci.event_manager.stores.sqlite.file.commit_mark import MARK, CommitMark, read_mark
from madsci.event_manager.stores.sqlite.store import SqliteStore
from support.older_files import make_older


def event(event_id: object, **members) -> StoredEvent:
    plain = {"event_type": "log", "log_level": 20, "alert": False, "event_timestamp": 0, "source": {}}
    return StoredEvent(event_id=str(event_id), received_at=1, event_data="{}", **{**plain, **members})


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "store" / "events.db"


def killed_after(path: Path, work) -> Path:
    """What a killed process leaves: the files as they are while the store is open, elsewhere."""
    left = path.parent.with_name("left")
    with closing(SqliteStore(path)) as store:
        work(store)
        shutil.copytree(path.parent, left)
    return left / path.name


def opened_troubles(path: Path) -> list[str]:
    with closing(SqliteStore(path)) as store:
        return store.troubles()


def add_hundred(store: SqliteStore) -> None:
    for number in range(100):
        store.append([event(number)])


@given(st.integers(0, 10**18), st.integers(0, 10**18), st.integers(0, 127), st.integers(1, 255))
def test_a_mark_is_read_as_it_was_written_or_not_at_all(tmp_path_factory, seq, events, place, flip):
    path = tmp_path_factory.mktemp("mark") / "events.db"
    mark = CommitMark(seq, events, 1_767_225_600_000_000)
    written = mark.encode()
    file = Path(f"{path}{MARK}")
    file.write_bytes(written)
    assert read_mark(path) == mark
    damaged = bytearray(written)
    damaged[place % len(damaged)] ^= flip
    file.write_bytes(damaged)
    assert read_mark(path) is None
    file.write_bytes(written[:-1])
    assert read_mark(path) is None


def test_a_closed_and_a_killed_store_are_found_whole(path):
    def work(store):
        add_hundred(store)
        store.append([event(number) for number in range(3)])  # duplicates take no numbers
        store.append([event(5, alert=True)])
        store.archive(["1", "2"], 7)
        store.delete(["2"])
        remember(store, "manager", "id")
        store.append([event("last")])

    left = killed_after(path, work)
    assert opened_troubles(path) == opened_troubles(left) == []
    mark = read_mark(left)
    assert (mark.events, mark.seq) == (100, 100 + 3 + 1)


@pytest.mark.parametrize(
    "change",
    [
        lambda store: store.append([event(5, alert=True)]),
        lambda store: store.archive(["1"], 7),
    ],
)
def test_changes_that_are_no_events_are_missed_too(path, change):
    def work(store):
        add_hundred(store)
        store._checkpointer._copy(store._writer, apsw.SQLITE_CHECKPOINT_RESTART)
        change(store)

    left = killed_after(path, work)
    Path(f"{left}-wal").unlink()
    (told,) = opened_troubles(left)
    assert "the last changes (alerts, archiving, deletions) of before then are missing" in told


@pytest.mark.parametrize("damage", ["cut", "flipped", "header", "zeroed", "emptied", "deleted"])
def test_a_log_that_ends_early_is_told_and_kept(path, damage):
    left = killed_after(path, add_hundred)
    log = Path(f"{left}-wal")
    content = bytearray(log.read_bytes())
    middle = len(content) // 2
    if damage == "flipped":
        content[middle] ^= 1
    elif damage == "header":
        content[3] ^= 1
    elif damage == "zeroed":
        content[middle:] = bytes(len(content) - middle)
    elif damage != "deleted":
        del content[0 if damage == "emptied" else middle :]
    log.write_bytes(content)
    if damage == "deleted":
        log.unlink()
    at = read_mark(left).at
    with closing(SqliteStore(left)) as store:
        (told,) = store.troubles()
        found = store.count()
        assert f"{100 - found} events of before then are missing" in told
        assert f"what was acknowledged at {iso(at)}" in told
        store.append([event("next")])
        assert store.fence().number == 101  # no number comes twice
    kept = [one for one in left.parent.iterdir() if ".damaged-" in one.name]
    if content and damage != "deleted":
        assert [one.read_bytes() for one in kept] == [bytes(content)]
        assert str(kept[0]) in told
        assert "mongodb_migration_tool recover" in told
    else:
        assert kept == []
        assert "older file" in told
    assert opened_troubles(left) == []  # said once, and the record goes on


@pytest.mark.parametrize("damage", ["emptied", "deleted"])
def test_a_file_that_has_gone_is_told_and_its_log_kept(path, damage):
    left = killed_after(path, add_hundred)
    log = Path(f"{left}-wal").read_bytes()
    left.unlink()
    if damage == "emptied":
        left.touch()
    (told,) = opened_troubles(left)
    assert "100 events of before then are missing" in told
    (kept,) = [one for one in left.parent.iterdir() if ".damaged-" in one.name]
    assert kept.read_bytes() == log


def test_an_older_file_in_its_place_is_told(path):
    old = killed_after(path, lambda store: store.append([event("old")]))
    with closing(SqliteStore(path)) as store:
        store.append([event("new"), event("newer")])
    for ending in ("", "-wal", "-shm"):
        Path(f"{path}{ending}").unlink(missing_ok=True)
        if Path(f"{old}{ending}").exists():
            shutil.copyfile(f"{old}{ending}", f"{path}{ending}")
    (told,) = opened_troubles(path)
    assert "2 events of before then are missing" in told


def test_a_mark_that_is_behind_damaged_or_missing_says_nothing(path):
    with closing(SqliteStore(path)) as store:
        store.append([event("a")])
        behind = Path(f"{path}{MARK}").read_bytes()
        store.append([event("b")])
    for content in (behind, b"", b"\0" * len(behind), None):
        mark = Path(f"{path}{MARK}")
        mark.unlink() if content is None else mark.write_bytes(content)
        assert opened_troubles(path) == []


def test_an_upgrade_of_an_older_file_is_no_loss(path):
    with closing(SqliteStore(path)) as store:
        add_hundred(store)
    with closing(apsw.Connection(str(path))) as file:
        make_older(file, 3)
    with closing(SqliteStore(path)) as store:
        assert store.troubles() == []
        assert len(store.find(Query(limit=200)).events) == 100


def test_folders_and_files_are_for_their_user_alone(tmp_path):
    path = tmp_path / "new" / "deeper" / "events.db"
    with closing(SqliteStore(path)) as store:
        store.append([event("a")])
        modes = {one.name: stat.S_IMODE(one.stat().st_mode) for one in path.parent.iterdir()}
    names = {f"events.db{ending}" for ending in ("", "-wal", "-shm", ".lock", MARK)}
    assert modes == dict.fromkeys(names, 0o600)
    assert [stat.S_IMODE(one.stat().st_mode) for one in path.parents[:2]] == [0o700, 0o700]
