"""A migration run: backup, steps, version; or everything as it was."""

from __future__ import annotations

import contextlib
import signal
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import pytest

from madsci.common.errors import (
    SchemaVersionError,
    StoreDamagedError,
    StoreError,
    StoreUnavailableError,
)
from madsci.event_manager.migration.interruption import interruptible
from madsci.event_manager.migration.migrator import migrate
from madsci.event_manager.stores.upkeep import DatabaseState, DatabaseVersion, Step


def unseen(what: str, done: int, of: int | None) -> None:
    pass


UNTRACKED = DatabaseVersion(DatabaseState.UNTRACKED)


@dataclass
class Database:
    """A database that writes down what is done with it; also the maker of its backups."""

    found: DatabaseVersion = UNTRACKED
    waiting: int = 7
    earlier: str | None = None
    earlier_is_whole: bool = True
    failing: BaseException | None = None
    restore_fails: bool = False
    done: list[str] = field(default_factory=list)
    name: str = "events"
    location: str = "events at here"
    engine: str = "none"

    def version(self) -> DatabaseVersion:
        return self.found

    def expected_version(self) -> str:
        return "2.0.0"

    @contextlib.contextmanager
    def exclusive(self):
        self.done.append("held")
        yield
        self.done.append("free")

    def steps(self, zone):
        def run(_):
            self.done.append("step")
            if self.failing:
                raise self.failing
            return 3

        return [Step("one", "the first", lambda _: self.waiting, run, lambda: 2)]

    def begin(self, backup):
        self.done.append(f"begin {backup}")

    def begun(self):
        return self.earlier

    def verify(self, path, progress=unseen):
        if not self.earlier_is_whole:
            raise StoreDamagedError("It is not there.")
        return 1

    def restore(self, path, progress=unseen):
        self.done.append(f"keep, then put back {path}")
        return 1

    def record_version(self, note: str) -> None:
        self.done.append(note)

    def create(self, description=None, progress=unseen):
        self.done.append(f"backup {description}")
        return SimpleNamespace(path=Path("backups/it"))

    def put_back(self, path, progress=unseen):
        self.done.append(f"put back {path}")
        if self.restore_fails:
            raise StoreUnavailableError("The server is away.")
        return 1


def run(database: Database, **options):
    return migrate(database, database, zone=None, progress=unseen, **options)


def test_a_backup_comes_before_the_steps_and_the_version_after_them():
    database = Database()
    report = run(database)
    assert database.done == [
        "held", "backup pre_migration", "begin backups/it", "step",
        "Migrated from unversioned to 2.0.0", "free",
    ]  # fmt: skip
    assert (report.needed, report.backup, report.steps[0].changed) == (True, "backups/it", 3)
    assert "was migrated from unversioned to 2.0.0" in "\n".join(report.sentences())


def test_a_fresh_database_has_nothing_to_back_up():
    database = Database(DatabaseVersion(DatabaseState.FRESH))
    run(database)
    assert "backup pre_migration" not in database.done
    assert database.done[-2].startswith("Migrated from none")


def test_the_same_version_is_left_alone():
    database = Database(DatabaseVersion(DatabaseState.TRACKED, "2.0.0"), waiting=0)
    assert run(database).needed is False
    assert database.done == []


@pytest.mark.parametrize(("waiting", "has_older"), [(7, False), (0, True)])
def test_what_another_release_changed_since_is_mended_by_another_run(waiting, has_older):
    found = DatabaseVersion(DatabaseState.TRACKED, "2.0.0", has_older)
    database = Database(found, waiting=waiting)
    report = run(database)
    assert "step" in database.done
    assert "was brought to that form" in "\n".join(report.sentences())
    assert "would be brought" in "\n".join(run(Database(found), dry_run=True).sentences())


def test_what_cannot_be_read_is_counted_in_the_summary():
    report = run(Database())
    assert report.as_json()["steps"][0]["unreadable"] == 2
    assert "2 of these cannot be read as events and went to unreadable" in "\n".join(report.sentences())
    assert "would go to unreadable" in "\n".join(run(Database(), dry_run=True).sentences())


def test_a_newer_version_is_refused():
    with pytest.raises(SchemaVersionError, match=r"2\.0\.1, which is newer than 2\.0\.0"):
        run(Database(DatabaseVersion(DatabaseState.TRACKED, "2.0.1")))


def test_versions_are_compared_as_numbers():
    assert run(Database(DatabaseVersion(DatabaseState.TRACKED, "1.10.0"))).needed


def test_a_dry_run_counts_only():
    database = Database()
    report = run(database, dry_run=True)
    assert database.done == []
    assert report.steps[0].changed == 7
    assert "would be migrated" in "\n".join(report.sentences())


@pytest.mark.parametrize(
    ("failing", "said"),
    [
        (StoreError("No."), r"failed: No\."),
        (KeyboardInterrupt(), "interrupted"),
        (TypeError("Code is unsupported"), "fault of this program, TypeError: Code is unsupported"),
        (RecursionError("too deep"), "RecursionError"),
        (SystemExit(3), "SystemExit"),
        (MemoryError(), "MemoryError"),
    ],
)
def test_what_fails_is_undone_whatever_it_is(failing, said):
    database = Database(failing=failing)
    with pytest.raises(StoreError, match=f"{said}.*as it was before"):
        run(database)
    assert database.done[-1] == "put back backups/it"


def test_after_a_run_that_was_killed_its_backup_stays_the_one_to_go_back_to():
    database = Database(earlier="backups/first")
    report = run(database)
    assert not any(one.startswith("backup") for one in database.done)
    assert report.backup == "backups/first"
    assert "as it was before the migration that was interrupted" in "\n".join(report.sentences())


def test_what_was_written_since_a_run_was_killed_is_kept_when_the_next_one_is_undone():
    database = Database(earlier="backups/first", failing=StoreError("No."))
    with pytest.raises(StoreError, match=r"backups/first was restored.*until now is in a backup"):
        run(database)
    assert database.done[-1] == "keep, then put back backups/first"


def test_where_the_backup_of_a_run_that_was_killed_is_gone_another_one_is_made_and_both_are_named():
    database = Database(earlier="backups/first", earlier_is_whole=False)
    report = run(database)
    assert report.backup == "backups/it"
    said = "\n".join(report.sentences())
    assert "cannot be used here: backups/first (It is not there.)" in said
    assert "Backup: backups/it\n" in said


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_who_is_asked_to_end_undoes_and_says_so_once(number, capfd):
    class Asked(Database):
        def steps(self, zone):
            def run(progress):
                progress("events", 1, 3)
                signal.raise_signal(getattr(signal, number))
                self.done.append("what was asked of the database")
                progress("events", 2, 3)
                self.done.append("more")

            return [Step("one", "the first", lambda _: 7, run)]

        def put_back(self, path, progress=unseen):
            signal.raise_signal(getattr(signal, number))  # the second one does not stop the undoing
            return super().put_back(path, progress)

    before = signal.getsignal(getattr(signal, number))
    database = Asked()
    undone = pytest.raises(StoreError, match=r"It was interrupted\. The backup backups/it was restored")
    with undone, interruptible():
        run(database)
    assert database.done[-2:] == ["what was asked of the database", "put back backups/it"]
    assert "Please wait" in capfd.readouterr().err
    assert signal.getsignal(getattr(signal, number)) is before


def test_where_undoing_fails_too_the_backup_is_named():
    database = Database(failing=StoreError("No."), restore_fails=True)
    with pytest.raises(StoreError, match=r"The server is away\. It is whole: backups/it"):
        run(database)


def test_without_a_backup_the_failure_is_told_as_it_is():
    database = Database(DatabaseVersion(DatabaseState.FRESH), failing=StoreError("No."))
    with pytest.raises(StoreError, match=r"^No"):
        run(database)
