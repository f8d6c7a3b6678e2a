"""Backups of a database: made whole or not at all, kept as long as promised, restored whole."""

from __future__ import annotations

import contextlib
import json
import shutil
import stat
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import apsw
import pytest

from madsci.common.errors import (
    SchemaVersionError,
    StoreDamagedError,
    StoreError,
    StoreInUseError,
    StoreUnavailableError,
)
from madsci.event_manager.backup.keeping import LATER_DAYS, SAFETY_DAYS
from madsci.event_manager.backup.layout import Origin

only_sqlite = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)


def data_file(backup) -> Path:
    """The largest of the data files."""
    return max((one for one in backup.path.rglob("*.*") if one.suffix in (".db", ".bson")),
               key=lambda one: one.stat().st_size)  # fmt: skip


def flip_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)


def suffixes(service) -> list[str | None]:
    return [one.suffix for one in service.backups()]


def test_a_backup_says_what_it_holds_and_is_listed(database):
    database.put("a", "b", "c")
    service = database.service()
    made = service.create("nightly")
    assert (made.events, made.is_valid, made.suffix) == (3, True, "nightly")
    assert made.database_version == database.upkeep.expected_version()
    assert len(made.checksum) == 64
    assert made.size_bytes > 0
    assert made.created_at.tzinfo is not None
    assert service.backups() == [made]
    assert service.verify(made.path) == 3


def test_nothing_but_the_backup_and_the_lock_is_left_in_the_folder(database):
    database.put("a")
    made = database.service().create()
    assert {one.name for one in database.folder.iterdir()} == {
        made.path.name, f".{database.upkeep.name}.lock",
    }  # fmt: skip


def test_a_restored_database_is_as_it_was_with_nothing_that_came_later(database):
    database.put("a", "b")
    service = database.service()
    made = service.create()
    database.put("later")
    assert service.restore(made.path) == 2
    assert database.has("a", "b", "later") == [True, True, False]
    before = next(one for one in service.backups() if one.suffix == "pre_restore")
    assert before.events == 3
    service.restore(before.path)
    assert database.has("a", "b", "later") == [True, True, True]


def test_a_backup_is_found_by_its_name_and_by_the_folder_of_its_data(database):
    database.put("a")
    service = database.service()
    made = service.create()
    assert service.restore(Path(made.path.name)) == 1
    assert service.restore(made.path / database.upkeep.name) == 1


def test_nothing_is_restored_from_a_backup_of_which_a_byte_has_changed(database):
    database.put("a", "b")
    service = database.service()
    made = service.create()
    database.put("later")
    flip_byte(data_file(made))
    with pytest.raises(StoreDamagedError, match="checksum"):
        service.restore(made.path)
    assert database.has("a", "b", "later") == [True, True, True]
    assert suffixes(service) == [None]  # not even a backup was made


def test_a_shortened_file_is_seen_without_reading_it(database):
    database.put("a")
    service = database.service()
    file = data_file(service.create())
    file.write_bytes(file.read_bytes()[:-1])
    assert [one.is_valid for one in service.backups()] == [False]


def test_no_backup_is_restored_under_a_running_server(database):
    database.put("a")
    service = database.service()
    made = service.create()
    with database.store(), pytest.raises(StoreInUseError):
        service.restore(made.path)


@pytest.mark.parametrize("what", ["nothing", "empty", "strangers"])
def test_what_is_no_backup_is_refused_by_name(database, tmp_path, what):
    database.put("a")
    path = tmp_path / "there"
    if what != "nothing":
        path.mkdir()
    if what == "strangers":
        (path / "notes.txt").write_text("nothing of ours")
    with pytest.raises(StoreDamagedError, match="there"):
        database.service().restore(path)
    assert database.has("a") == [True]


class TestRotation:
    """Which backups go."""

    def test_the_newest_are_kept(self, database):
        database.put("a")
        service = database.service(max_count=2)
        made = [service.create(name).path for name in ("one", "two", "three")]
        assert [one.path for one in service.backups()] == made[:0:-1]

    def test_those_before_something_risky_stay_for_a_while_and_are_not_counted(self, database):
        database.put("a")
        service = database.service(max_count=1)
        service.create("pre_migration")
        service.create("pre_restore")
        service.create("one")
        service.create("two")
        assert suffixes(service) == ["two", "pre_restore", "pre_migration"]
        database.clock.pass_days(SAFETY_DAYS + 1)
        for number in range(LATER_DAYS):
            service.create(f"n{number}")
            database.clock.pass_days(1)
        service.create("last")
        assert {"pre_restore", "pre_migration"}.isdisjoint(suffixes(service))

    def test_a_clock_that_is_ahead_makes_no_safety_backup_go(self, database):
        database.put("a")
        service = database.service(max_count=1)
        service.create("pre_migration")
        database.clock.pass_days(3660)
        service.create("ahead")
        assert suffixes(service) == ["ahead", "pre_migration"]

    def test_what_a_clock_that_was_ahead_made_takes_no_newer_ones_place(self, database):
        database.put("a")
        service = database.service(max_count=2)
        database.clock.pass_days(3660)
        service.create("ahead one")
        service.create("ahead two")
        database.clock.pass_days(-3660)
        for number in range(3):
            service.create(f"right{number}")
        assert suffixes(service)[:2] == ["right2", "right1"]  # the last one made first

    def test_backups_at_one_and_the_same_time_all_stay(self, database):
        """A clock that was set back, or that stands still, comes by the same time again."""
        database.put("a")
        service = database.service()
        for _ in range(3):
            service.create("same")
            database.clock.now -= 3_000_000
        assert len({one.path for one in service.backups()}) == 3

    def test_what_is_asked_for_pushes_out_nothing_that_is_scheduled_and_no_other_day(self, database):
        database.put("a")
        service = database.service(max_count=2)
        yesterday = service.create("yesterday").path
        database.clock.pass_days(1)
        scheduled = service.create("scheduled", origin=Origin.SCHEDULE).path
        for number in range(5):
            service.create(f"asked{number}")
        assert suffixes(service) == ["asked4", "asked3", "scheduled", "yesterday"]
        assert {yesterday, scheduled} < {one.path for one in service.backups()}

    @pytest.mark.parametrize("name", ["scheduled", "pre_migration", "pre_restore", "pre_purge"])
    def test_a_description_makes_no_backup_another_one_than_it_is(self, database, name):
        database.put("a")
        service = database.service(max_count=2)
        for _ in range(4):
            service.create(name, origin=Origin.REQUEST)
        assert suffixes(service) == [name, name]

    def test_what_shrank_is_marked_and_pushes_out_nothing_of_before(self, database):
        names = [f"e{number}" for number in range(9)]
        database.put(*names)
        service = database.service(max_count=2)
        whole = [service.create(f"whole{number}").path for number in range(2)]
        with database.store() as store:
            store.archive(names[:5], 0)
            store.delete(names[:5])
        made = [service.create(f"small{number}") for number in range(4)]
        assert [one.shrank for one in made] == [True] * 4
        assert suffixes(service) == ["small3", "small2", "whole1", "whole0"]
        assert {one.path for one in service.backups() if not one.shrank} == set(whole)

    def test_nothing_that_is_not_of_this_database_is_touched(self, database, tmp_path):
        database.put("a")
        folder, name = database.folder, database.upkeep.name
        service = database.service(max_count=1)
        theirs = service.create("theirs").path
        metadata = json.loads((theirs / "backup_metadata.json").read_text())
        metadata["location"] = "another lab"
        (theirs / "backup_metadata.json").write_text(json.dumps(metadata))
        reference = folder / f"{name}_backup_20200101_000000_000000"
        shutil.copytree(theirs, reference)
        (reference / "backup_metadata.json").write_text('{"database_name": "x"}')
        (folder / "important").mkdir()
        (folder / f"{name}_backup_notes.txt").write_text("mine")
        for number in range(3):
            service.create(f"ours{number}")
        kept = {one.name for one in folder.iterdir()}
        assert {theirs.name, reference.name, "important", f"{name}_backup_notes.txt"} <= kept
        assert [one for one in suffixes(service) if one and one.startswith("ours")] == ["ours2"]

    def test_a_damaged_backup_takes_the_place_of_no_whole_one(self, database):
        database.put("a")
        service = database.service(max_count=2)
        whole = service.create("whole")
        broken = service.create("broken")
        data_file(broken).write_bytes(b"")
        service.create("new")
        assert whole.path in [one.path for one in service.backups() if one.is_valid]

    def test_the_backup_that_is_restored_is_not_rotated_away_by_that(self, database):
        """The tool that restores may be told to keep fewer than the server that made them."""
        database.put("a")
        oldest = database.service().create("oldest")
        for number in range(3):
            database.service().create(f"n{number}")
        assert database.service(max_count=1).restore(oldest.path) == 1
        assert len([one for one in suffixes(database.service()) if one != "pre_restore"]) == 4

    def test_an_old_safety_backup_can_be_restored(self, database):
        database.put("a")
        service = database.service()
        made = service.create("pre_migration")
        database.clock.pass_days(SAFETY_DAYS + 1)
        assert service.restore(made.path) == 1

    def test_a_backup_that_is_deleted_is_no_longer_listed_even_halfway(self, database, monkeypatch):
        """Killed in the middle, which is as if nothing were deleted of it."""
        database.put("a")
        service = database.service(max_count=1)
        old = service.create("old")
        with monkeypatch.context() as patch:
            patch.setattr(shutil, "rmtree", lambda *_, **__: None)
            service.create("new")
        assert suffixes(service) == ["new"]
        assert not old.path.exists()
        service.create("newer")  # the next one cleans up
        names = {one.name for one in database.folder.iterdir()}
        assert [name for name in names if "_old" in name or "_new." in name] == []


def test_the_folder_and_what_is_in_it_are_for_this_user_only(database):
    database.put("a")
    made = database.service().create()
    lock = database.folder / f".{database.upkeep.name}.lock"
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (database.folder, made.path, lock)]
    assert modes == [0o700, 0o700, 0o600]


@pytest.mark.parametrize(("damaged", "words"), [(0, "2 events"), (1, "2 events and 1 that is damaged"),
                                                (3, "2 events and 3 that are damaged")])  # fmt: skip
def test_what_could_not_be_read_is_told(database, monkeypatch, damaged, words):
    database.put("a", "b")
    dump = database.upkeep.dump
    monkeypatch.setattr(database.upkeep, "dump", lambda *given: replace(dump(*given), damaged=damaged))
    made = database.service().create()
    assert (made.events, made.damaged, made.content) == (2, damaged, words)
    assert made.as_json()["damaged_events"] == damaged


def test_what_a_killed_one_left_is_no_backup_and_is_cleaned(database):
    database.put("a")
    service = database.service()
    part = database.folder / f".{database.upkeep.name}_backup_20260101_000000_000000.part"
    part.mkdir(parents=True)
    (part / "half.bson").write_bytes(b"half")
    assert service.backups() == []
    service.create()
    assert not part.exists()


def test_without_space_nothing_is_begun(database, monkeypatch):
    database.put("a")
    usage = shutil.disk_usage(database.folder.parent)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1_000_000))
    with pytest.raises(StoreUnavailableError, match=r"1 MB left.*EVENT_BACKUP_DIR"):
        database.service().create()
    assert database.service().backups() == []


def test_a_failure_leaves_no_half_backup(database):
    database.put("a")

    def fail(what, done, of):
        raise StoreError("The power of the disk is gone.")

    with pytest.raises(StoreError, match="power"):
        database.service().create(progress=fail)
    assert [one.name for one in database.folder.iterdir()] == [f".{database.upkeep.name}.lock"]
    assert database.service().create().events == 1


def test_an_empty_database_is_restored_into_without_a_backup_of_it(make_database, engine):
    if engine == "mongodb":
        pytest.skip("there is one database a test on the server")
    source, target = make_database("one"), make_database("other")
    source.put("a")
    made = source.service().create()
    assert target.service().restore(made.path) == 1
    assert target.has("a") == [True]
    assert suffixes(source.service()) == [None]


@only_sqlite
def test_a_damaged_file_does_not_keep_its_backup_from_being_restored(database):
    database.put("a")
    made = database.service().create()
    file = Path(database.place.url.removeprefix("sqlite:///"))
    file.write_bytes(b"rubbish" * 1000)
    assert database.service().restore(made.path) == 1
    assert database.has("a") == [True]
    (kept,) = file.parent.glob("events.db.replaced-*")
    assert kept.read_bytes().startswith(b"rubbish")


@only_sqlite
def test_an_older_backup_is_restored_over_a_newer_file_which_is_kept(database):
    """What the refusal of a newer file advises to do."""
    database.put("a")
    made = database.service().create()
    file = Path(database.place.url.removeprefix("sqlite:///"))
    with contextlib.closing(apsw.Connection(str(file))) as connection:
        connection.pragma("user_version", 99)
    with pytest.raises(SchemaVersionError), database.store():
        pytest.fail("it is newer")
    assert database.service().restore(made.path) == 1
    assert database.has("a") == [True]
    assert len(list(file.parent.glob("events.db.replaced-*"))) == 1


@only_sqlite
def test_a_file_of_another_program_is_never_replaced(database):
    database.put("a")
    made = database.service().create()
    file = Path(database.place.url.removeprefix("sqlite:///"))
    file.unlink()
    with contextlib.closing(apsw.Connection(str(file))) as connection:
        connection.execute("CREATE TABLE strangers (a)")
    with pytest.raises(SchemaVersionError, match="another program"):
        database.service().restore(made.path)
    with contextlib.closing(apsw.Connection(str(file))) as connection:
        assert connection.execute("SELECT name FROM sqlite_schema").get == "strangers"


@only_sqlite
def test_of_the_hour_that_comes_twice_the_later_one_is_the_newer(database):
    """Names are in local time, so that the second 02:10 sorts before the first 02:30."""
    database.put("a")
    service = database.service()
    made = service.create("first")
    metadata = json.loads((made.path / "backup_metadata.json").read_text())
    later = made.created_at + timedelta(minutes=40)
    metadata["timestamp"] = later.isoformat()
    (made.path / "backup_metadata.json").write_text(json.dumps(metadata))
    (listed,) = service.backups()
    assert listed.created_at == later
