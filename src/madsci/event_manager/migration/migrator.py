"""One run of a migration: backup, steps in their order, the new version; or everything as it was."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import tzinfo
from pathlib import Path
from typing import Any, Protocol

from madsci.common.errors import MadsciError, SchemaVersionError, StoreError
from madsci.event_manager.migration.interruption import interruptible_at
from madsci.event_manager.stores.upkeep import (
    DatabaseState,
    DatabaseVersion,
    Progress,
    Step,
    Upkeep,
    is_newer,
)

_logger = logging.getLogger(__name__)


class BackupMaker(Protocol):
    """Makes and restores backups of the database that is migrated; see ``backup.service``."""

    def create(self, description: str | None = None, progress: Progress = ...) -> Any:
        """Make a backup and return it; its ``path`` is a folder."""
        ...

    def verify(self, path: Path, progress: Progress = ...) -> int:
        """Read a backup to its end. Raises ``StoreDamagedError``."""
        ...

    def put_back(self, path: Path, progress: Progress = ...) -> int:
        """Restore a backup while the database is held already, without making another one first."""
        ...

    def restore(self, path: Path, progress: Progress = ...) -> int:
        """Restore a backup after making another one of what is there."""
        ...


@dataclass(frozen=True)
class StepReport:
    """What a step changed, or would change."""

    name: str
    description: str
    changed: int
    unreadable: int = 0
    """Documents among them that cannot be read as events."""


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
    """How it was before, also where an earlier run was interrupted half way."""
    resumed: bool = False
    lost_backup: str | None = None
    """That of an earlier run, where it is not here any more."""
    steps: list[StepReport] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return asdict(self)

    def sentences(self) -> Iterator[str]:
        """Return it in lines for people."""
        if not self.needed:
            yield f"{self.location} has version {self.to_version}: no migration is needed."
            return
        yield from self._told_backup()
        verb = "would change" if self.dry_run else "changed"
        for step in self.steps:
            yield f"{step.name}: {verb} {step.changed:,} ({step.description})"
        yield from self._told_unreadable()
        would = "would be" if self.dry_run else "was"
        if self.from_version != self.to_version:
            yield f"{self.location} {would} migrated from {self.from_version} to {self.to_version}."
        else:
            yield (
                f"{self.location} has version {self.to_version}; what another release changed in it"
                f" since {would} brought to that form."
            )

    def _told_backup(self) -> Iterator[str]:
        if self.backup:
            of = " (as it was before the migration that was interrupted)" if self.resumed else ""
            yield f"Backup: {self.backup}{of}"
        if self.lost_backup:
            yield (
                "An earlier migration was interrupted. The backup that it made cannot be used here:"
                f" {self.lost_backup}"
            )

    def _told_unreadable(self) -> Iterator[str]:
        number = sum(step.unreadable for step in self.steps)
        if number:
            are = "would go" if self.dry_run else "went"
            yield (
                f"{number:,} of these cannot be read as events and {are} to unreadable_events, as they"
                " are."
            )


def version_name(version: DatabaseVersion) -> str:
    """Return a version as it is shown; ``unversioned`` where the database does not say."""
    if version.state is DatabaseState.UNTRACKED:
        return "unversioned"
    return version.version or "none"


def migrate(
    upkeep: Upkeep,
    backups: BackupMaker,
    *,
    zone: tzinfo | None,
    progress: Progress,
    dry_run: bool = False,
) -> MigrationReport:
    """Bring a database to the version of its schema; whatever ends that early, all is as before.

    A database of that version is brought to its form, too, where another release has changed it since.
    An earlier run that was killed is gone on with, and its backup stays the one to go back to.

    Raises:
        StoreInUseError: a server or another migration is at work with it.
        SchemaVersionError: it is newer than this program.
        StoreError: a step failed, or it was interrupted; says whether the backup was restored.
    """
    steps = upkeep.steps(zone)
    report = _begun(upkeep, steps, progress, dry_run=dry_run)
    if dry_run and report.needed:
        report.steps = [_report(step, step.pending(progress)) for step in steps]
    if dry_run or not report.needed:
        return report
    with upkeep.exclusive():
        report = _begun(upkeep, steps, progress)  # somebody may have been quicker
        if report.needed:
            _run(upkeep, backups, steps, report, progress)
    return report


def _run(
    upkeep: Upkeep,
    backups: BackupMaker,
    steps: Sequence[Step],
    report: MigrationReport,
    progress: Progress,
) -> None:
    _take_up(upkeep, backups, report, progress)
    if report.backup is None and upkeep.version().state is not DatabaseState.FRESH:
        report.backup = str(backups.create("pre_migration", progress).path)
    if report.backup is not None:
        upkeep.begin(report.backup)
    with interruptible_at(progress) as checked, _undone_on_failure(backups, report, progress):
        for step in steps:
            checked(step.name, 0, None)
            report.steps.append(_report(step, step.run(checked)))
        upkeep.record_version(f"Migrated from {report.from_version} to {report.to_version}")


def _take_up(upkeep: Upkeep, backups: BackupMaker, report: MigrationReport, progress: Progress) -> None:
    """Take over the backup of an earlier run that did not end, if there was one and it is whole."""
    earlier = upkeep.begun()
    if earlier is None:
        return
    try:
        backups.verify(Path(earlier), progress)
    except StoreError as error:
        report.lost_backup = f"{earlier} ({error.message})"
        return
    report.backup, report.resumed = earlier, True


def _report(step: Step, changed: int) -> StepReport:
    return StepReport(step.name, step.description, changed, step.unreadable())


def _begun(
    upkeep: Upkeep, steps: Sequence[Step], progress: Progress, *, dry_run: bool = False
) -> MigrationReport:
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
        needed=found.version != expected
        or found.has_older
        or any(step.pending(progress) for step in steps),
        dry_run=dry_run,
    )


@contextmanager
def _undone_on_failure(
    backups: BackupMaker, report: MigrationReport, progress: Progress
) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        if report.backup is None:
            raise
        _logger.debug("The migration of %s failed", report.location, exc_info=True)
        raise StoreError(_undo(backups, report, _reason(error), progress)) from error


def _reason(error: BaseException) -> str:
    if isinstance(error, MadsciError):
        return error.message
    if isinstance(error, KeyboardInterrupt):
        return "It was interrupted."
    return f"A fault of this program, {type(error).__name__}: {error}."


def _undo(backups: BackupMaker, report: MigrationReport, reason: str, progress: Progress) -> str:
    """Restore the backup; return what is to be said about it all."""
    backup = Path(report.backup or "")
    try:
        # What was written since an earlier run was interrupted is in no backup yet.
        (backups.restore if report.resumed else backups.put_back)(backup, progress)
    except (MadsciError, KeyboardInterrupt) as second:
        return (
            f"The migration failed: {reason} The backup could not be restored either:"
            f" {_reason(second)} It is whole: {backup}. Restore it with --restore-from, or run the"
            " migration again, which goes on where it ended."
        )
    whole = " What it held until now is in a backup beside that one." if report.resumed else ""
    return (
        f"The migration failed: {reason} The backup {backup} was restored; the database is as it was"
        f" before.{whole}"
    )
