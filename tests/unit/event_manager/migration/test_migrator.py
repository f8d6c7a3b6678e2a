"""A migration run: backup, steps, version; or everything as it was."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import pytest

from madsci.common.errors import SchemaVersionError, StoreError, StoreUnavailableError
from madsci.event_manager.migration.migrator import migrate
from madsci.event_manager.stores.upkeep import DatabaseState, DatabaseVersion, Step


def unseen(what: str, done: int, of: int | None) -> None:
    pass


UNTRACKED = DatabaseVersion(DatabaseState.UNTRACKED)


@dataclass
class Database:
    """A database that writes down what is done with it; also the maker of its backups."""

    found: DatabaseVersion = UNTRACKED
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

        return [Step("one", "the first", lambda _: 7, run)]

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
        "held", "backup pre_migration", "step", "Migrated from unversioned to 2.0.0", "free",
    ]  # fmt: skip
    assert (report.needed, report.backup, report.steps[0].changed) == (True, "backups/it", 3)
    assert "was migrated from unversioned to 2.0.0" in "\n".join(report.sentences())


def test_a_fresh_database_has_nothing_to_back_up():
    database = Database(DatabaseVersion(DatabaseState.FRESH))
    run(database)
    assert "backup pre_migration" not in database.done
    assert database.done[-2].startswith("Migrated from none")


def test_the_same_version_is_left_alone():
    database = Database(DatabaseVersion(DatabaseState.TRACKED, "2.0.0"))
    assert run(database).needed is False
    assert database.done == []


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


@pytest.mark.parametrize("failing", [StoreError("No."), KeyboardInterrupt()])
def test_what_fails_is_undone(failing):
    database = Database(failing=failing)
    with pytest.raises(StoreError, match="as it was before"):
        run(database)
    assert database.done[-1] == "put back backups/it"


def test_where_undoing_fails_too_the_backup_is_named():
    database = Database(failing=StoreError("No."), restore_fails=True)
    with pytest.raises(StoreError, match=r"The server is away\. It is whole: backups/it"):
        run(database)


def test_without_a_backup_the_failure_is_told_as_it_is():
    database = Database(DatabaseVersion(DatabaseState.FRESH), failing=StoreError("No."))
    with pytest.raises(StoreError, match=r"^No"):
        run(database)
