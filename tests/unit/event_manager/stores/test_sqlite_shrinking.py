"""Deleting gives disk back, beside the writer."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import apsw
import pytest

from madsci.event_manager.model.query import Query
from madsci.event_manager.model.selector_parser import parse_selector
from madsci.event_manager.model.stored_event import StoredEvent
from madsci.event_manager.stores.sqlite import schema
from madsci.event_manager.stores.sqlite.file import shrinkable
from madsci.event_manager.stores.sqlite.store import SqliteStore
from support.older_files import make_older
from support.server import wait_until


def events(first: int, number: int) -> list[StoredEvent]:
    return [
        StoredEvent(f"{one:07}", "log", 20, False, one, one, {"node_id": f"n{one % 9}"},
                    f'{{"message":"pump {one} moved plate {one % 97}","x":"{"y" * 200}"}}')
        for one in range(first, first + number)
    ]  # fmt: skip


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "events.db"


@pytest.fixture
def store(path):
    with closing(SqliteStore(path)) as store:
        for first in range(0, 30_000, 5_000):
            store.append(events(first, 5_000))
        yield store


SMALL = 3_500_000
"""Bytes of a file without events: up to 512 free pages stay in it for what comes."""


def delete(store: SqliteStore, first: int, number: int) -> None:
    for start in range(first, first + number, 1_000):
        ids = [f"{one:07}" for one in range(start, start + 1_000)]
        assert store.archive(ids, 5) == 1_000
        assert store.delete(ids) == 1_000


def taken(path: Path) -> int:
    return sum(file.stat().st_size for file in path.parent.glob("events.db*"))


@pytest.mark.slow
def test_deleting_all_events_leaves_a_small_file_and_no_log(store, path):
    before = taken(path)
    delete(store, 0, 30_000)
    wait_until(lambda: taken(path) < SMALL, "a small file")
    assert before > 12_000_000
    assert store.count() == 0
    store.append(events(0, 10))
    assert store.count() == 10


def test_deleting_the_oldest_half_gives_its_room_back(store, path):
    delete(store, 0, 15_000)
    wait_until(lambda: store._shrinker.pages > 500, "pages that were given back")
    wait_until(lambda: taken(path) < 12_000_000, "a smaller file")
    assert store.count() == 15_000
    found = store.find(Query(parse_selector({"$text": {"$search": "29999"}})))
    assert [one.event_id for one in found.events] == ["0029999"]
    with closing(apsw.Connection(str(path))) as file:
        assert file.execute("PRAGMA integrity_check").get == "ok"


def test_what_comes_next_finds_room_where_little_was_deleted(store):
    pages = store._writer.pragma("page_count")
    delete(store, 0, 1_000)
    store.append(events(30_000, 900))
    assert store._writer.pragma("page_count") <= pages + 80
    assert store._shrinker.pages == 0


@pytest.mark.slow
def test_a_start_goes_on_with_what_was_not_given_back(store, path):
    store._shrinker._stopping.set()
    delete(store, 0, 30_000)
    before = path.stat().st_size
    store.close()
    assert path.stat().st_size > before / 2
    with closing(SqliteStore(path)):
        wait_until(lambda: path.stat().st_size < SMALL, "a small file")


def older(path: Path) -> int:
    """Make a file of an earlier version, which cannot give room back; return its size."""
    with closing(SqliteStore(path)) as store:
        store.append(events(0, 20_000))
    with closing(apsw.Connection(str(path))) as file:
        make_older(file, 3)
        file.pragma("auto_vacuum", "NONE")
        file.execute("VACUUM")
        assert not shrinkable.is_shrinkable(file)
    return path.stat().st_size


@pytest.mark.slow
def test_a_file_of_an_older_version_can_give_room_back_after_its_upgrade(path):
    assert older(path) > 4_500_000
    with closing(SqliteStore(path)) as store:
        assert store.count() == 20_000
        delete(store, 0, 20_000)
        wait_until(lambda: path.stat().st_size < SMALL, "a small file")
        assert schema.described(store._writer).keys() >= {"events", "damaged_events"}


@pytest.mark.slow
def test_where_there_is_no_room_for_that_the_log_says_so_and_the_file_is_used_as_it_is(
    path, monkeypatch, caplog
):
    older(path)
    monkeypatch.setattr(shrinkable, "_TIMES", 1e12)
    with closing(SqliteStore(path)) as store:
        assert "cannot give disk back" in caplog.text
        delete(store, 0, 20_000)
        assert store._shrinker.pages == 0
        assert store.count() == 0


@pytest.mark.slow
def test_a_reader_keeps_the_log_for_a_while_and_holds_nobody_up(store, path):
    with store._reader.readers.connection() as reader:
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM events").get == 30_000
        delete(store, 0, 30_000)
        wait_until(lambda: store._shrinker.pages > 0, "pages that were given back")
        store.append(events(40_000, 10))
        assert reader.execute("SELECT count(*) FROM events").get == 30_000
        reader.execute("COMMIT")
    assert store.count() == 10
