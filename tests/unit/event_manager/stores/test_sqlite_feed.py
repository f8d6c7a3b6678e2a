"""Positions in the feed of an event file outlive restarts, upgrades, restores and losses."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from madsci.common.errors import InvalidInputError
from madsci.event_manager.model.feed import START, Position
from madsci.event_manager.model.stored_event import StoredEvent
from madsci.event_manager.stores.facts import facts_about_the_lab, remember
from madsci.event_manager.stores.sqlite.store import SqliteStore
from madsci.event_manager.stores.sqlite.upkeep import SqliteUpkeep
from madsci.event_manager.tasks.turn import last_done, note_done
from support.older_files import make_older


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "store" / "events.db"


def event(event_id: str, **members) -> StoredEvent:
    return StoredEvent(event_id, "log", 20, members.get("alert", False), 1, 1, {}, "{}")


def unseen(*_: object) -> None:
    """Take no note of progress."""


def append(path: Path, *ids: str) -> Position:
    """Append events to a file of a server that has stopped since; return where its feed ends."""
    with closing(SqliteStore(path)) as store:
        store.append([event(one) for one in ids])
        return store.head()


def read(path: Path, position: Position) -> tuple[list[str], int]:
    with closing(SqliteStore(path)) as store:
        part = store.since(Position.parse(str(position)), 1_000)
        assert not part.has_more
        assert part.next == store.head()
        return [one.event.event_id for one in part.entries], part.missed


def test_a_position_is_valid_after_a_restart(path):
    end = append(path, "a", "b")
    append(path, "c")
    assert read(path, end) == (["c"], 0)


def test_a_position_is_valid_after_a_restore_and_what_comes_then_is_read(path, tmp_path):
    """The numbers of what is not in the backup are given out again."""
    early = append(path, "a")
    upkeep = SqliteUpkeep(path)
    upkeep.dump(tmp_path / "dump", unseen)
    late = append(path, "b", "c", "d")
    upkeep.restore(tmp_path / "dump", unseen)
    assert read(path, early) == ([], 0)
    assert read(path, late) == ([], 0)
    append(path, "e", "f", "g", "h")
    assert read(path, early) == (["e", "f", "g", "h"], 0)
    assert read(path, late) == (["e", "f", "g", "h"], 0)
    assert read(path, START) == (["a", "e", "f", "g", "h"], 0)


def test_of_two_restores_of_one_backup_each_begins_anew(path, tmp_path):
    append(path, "a")
    upkeep = SqliteUpkeep(path)
    upkeep.dump(tmp_path / "dump", unseen)
    ends = []
    for name in ("b", "c"):
        upkeep.restore(tmp_path / "dump", unseen)
        ends.append(append(path, name))
    append(path, "d")
    assert read(path, ends[1]) == (["d"], 0)
    with pytest.raises(InvalidInputError, match="not one of this event store"):
        read(path, ends[0])


def test_a_backup_that_is_restored_elsewhere_goes_on_with_the_same_positions(path, tmp_path):
    append(path, "a")
    upkeep = SqliteUpkeep(path)
    upkeep.dump(tmp_path / "dump", unseen)
    late = append(path, "b", "c")
    elsewhere = tmp_path / "elsewhere" / "events.db"
    elsewhere.parent.mkdir()
    SqliteUpkeep(elsewhere).restore(tmp_path / "dump", unseen)
    append(elsewhere, "d", "e", "f")
    assert read(elsewhere, late) == (["d", "e", "f"], 0)


@pytest.mark.parametrize("version", [1, 2, 3, 4, 5])
def test_everything_in_a_file_of_an_older_version_is_in_its_feed(path, version):
    with closing(SqliteStore(path)) as store:
        store.append([event(one) for one in "abc"])
        store.append([event("b", alert=True)])
        store.archive(["a"], 1)
        store.delete(["a"])
    with closing(apsw.Connection(str(path))) as file:
        make_older(file, version)
    assert read(path, START) == (["b", "c"], 0)
    end = append(path, "d")
    with closing(SqliteStore(path)) as store:
        store.archive(["d"], 1)
        store.delete(["d"])
    append(path, "e")
    assert read(path, START) == (["b", "c", "e"], 1)
    assert read(path, end) == (["e"], 0)


def test_what_a_file_lacks_that_was_acknowledged_is_missed(path):
    early = append(path, "a")
    kept = shutil.copy(path, path.parent / "kept")
    late = append(path, "b", "c")
    shutil.copy(kept, path)
    append(path, "d")
    assert read(path, early) == (["d"], 2)
    assert read(path, late) == (["d"], 0)


def test_a_damaged_event_is_missed_and_the_others_are_read(path):
    append(path, "a", "b", "c")
    with closing(apsw.Connection(str(path))) as file:
        file.execute("UPDATE events SET event_data = jsonb('[1]') WHERE event_id = 'b'")
    assert read(path, START) == (["a", "c"], 1)
    append(path, "b")  # sent again, it is whole
    assert read(path, START) == (["a", "c", "b"], 1)


@pytest.mark.parametrize("version", [1, 2, 3, 4, 5])
def test_facts_about_the_lab_and_done_slots_of_a_file_of_an_older_version_are_kept(path, version):
    facts = {
        "manager_id/lab": "1",
        "done ü 'x'": '"quoted" \\ \n',
        "retention/known_since": "",
    }
    with closing(SqliteStore(path)) as store:
        store.append([event("a")])
        for key, value in facts.items():
            remember(store, key, value)
        note_done(store, "backup", "2026-01-01T00:00:00.000000Z")
        note_done(store, "a/b", "2026")
    with closing(apsw.Connection(str(path))) as file:
        make_older(file, version)
        assert file.execute("SELECT value FROM facts WHERE key = 'done/a/b'").get == "2026"
    with closing(SqliteStore(path)) as store:
        assert facts_about_the_lab(store) == facts
        assert last_done(store, "backup") == "2026-01-01T00:00:00.000000Z"
        assert last_done(store, "a/b") == "2026"
        left = {key for (key,) in store._writer.execute("SELECT key FROM facts")}
        assert {key for key in left if not key.startswith("lane/")} == {"noted_from"}
