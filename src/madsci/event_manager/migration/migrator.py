"""One run of a migration: backup, steps in their order, the new version; or everything as it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import tzinfo
from pathlib import Path
from typing import Any, Protocol

from madsci.common.errors import MadsciError, SchemaVersionError, StoreError
from madsci.event_manager.stores.upkeep import (
    DatabaseState,
    DatabaseVersion,
    Progress,
    Upkeep,
    is_newer,
)


class Backups(Protocol):
    """Makes and restores backups of the database that is migrated; see ``backup.service``."""

    def create(self, description: str | None = None, progress: Progress = ...) -> Any:
        """Make a backup and return it; its ``path`` is a folder."""
        ...

    def put_back(self, path: Path, progress: Progress = ...) -> int:
        """Restore a backup while the database is held already, without making another one first."""
        ...


@dataclass(frozen=True)
class StepReport:
    """What a step changed, or would change."""

    name: str
    description: str
    changed: int


@dataclass
class MigrationReport:
    """What a migration did, or would do."""

    database: str
    location: str
    from_version: str
    to_version: str
    needed: bool
    dry_run: bool = False
    backup: str | None = None
    steps: list[StepReport] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return asdict(self)

    def sentences(self) -> Iterator[str]:
        """Return it in lines for people."""
        if not self.needed:
            yield f"{self.location} has version {self.to_version}: no migration is needed."
            return
        verb = "would change" if self.dry_run else "changed"
        if self.backup:
            yield f"Backup: {self.backup}"
        for step in self.steps:
            yield f"{step.name}: {verb} {step.changed:,} ({step.description})"
        outcome = "would be migrated" if self.dry_run else "was migrated"
        yield f"{self.location} {outcome} from {self.from_version} to {self.to_version}."


def version_name(version: DatabaseVersion) -> str:
    """Return a version as it is shown; ``unversioned`` where the database does not say."""
    if version.state is DatabaseState.UNTRACKED:
        return "unversioned"
    return version.version or "none"


def migrate(
    upkeep: Upkeep,
    backups: Backups,
    *,
    zone: tzinfo | None,
    progress: Progress,
    dry_run: bool = False,
) -> MigrationReport:
    """Bring a database to the version of its schema; when a step fails, everything is as before.

    Raises:
        StoreInUseError: a server or another migration is at work with it.
        SchemaVersionError: it is newer than this program.
        StoreError: a step failed; says whether the backup was restored.
    """
    report = _begun(upkeep, dry_run=dry_run)
    if not report.needed:
        return report
    if dry_run:
        report.steps = [
            StepReport(step.name, step.description, step.pending(progress))
            for step in upkeep.steps(zone)
        ]
        return report
    with upkeep.exclusive():
        report = _begun(upkeep, dry_run=False)  # somebody may have been quicker
        if report.needed:
            backup = _backup(upkeep, backups, progress)
            report.backup = None if backup is None else str(backup)
            with _undone_on_failure(backups, backup, progress):
                for step in upkeep.steps(zone):
                    changed = step.run(progress)
                    report.steps.append(StepReport(step.name, step.description, changed))
                upkeep.record_version(f"Migrated from {report.from_version} to {report.to_version}")
    return report


def _begun(upkeep: Upkeep, *, dry_run: bool) -> MigrationReport:
    found, expected = upkeep.version(), upkeep.expected_version()
    if found.version is not None and is_newer(found.version, expected):
        raise SchemaVersionError(
            f"{upkeep.location} has version {found.version}, which is newer than {expected}. Use the"
            " version of the Event Manager that wrote it, or restore a backup."
        )
    return MigrationReport(
        upkeep.name,
        upkeep.location,
        version_name(found),
        expected,
        needed=found.version != expected,
        dry_run=dry_run,
    )


def _backup(upkeep: Upkeep, backups: Backups, progress: Progress) -> Path | None:
    if upkeep.version().state is DatabaseState.FRESH:
        return None  # there is nothing to lose
    path: Path = backups.create("pre_migration", progress).path
    return path


@contextmanager
def _undone_on_failure(backups: Backups, backup: Path | None, progress: Progress) -> Iterator[None]:
    try:
        yield
    except (MadsciError, KeyboardInterrupt) as error:
        reason = error.message if isinstance(error, MadsciError) else "It was interrupted."
        if backup is None:
            raise
        try:
            backups.put_back(backup, progress)
        except MadsciError as second:
            raise StoreError(
                f"The migration failed: {reason} The backup could not be restored either:"
                f" {second.message} It is whole: {backup}. Restore it with --restore-from, or run the"
                " migration again, which goes on where it ended."
            ) from error
        raise StoreError(
            f"The migration failed: {reason} The backup {backup} was restored; the database is as it"
            " was before."
        ) from error
