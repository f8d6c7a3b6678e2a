"""Backups of the database of a running server: asked for, or by a schedule; each leaves an event."""

from __future__ import annotations

from dataclasses import dataclass

from madsci.common.errors import InvalidInputError, MadsciError, OverloadedError
from madsci.common.types.event_type import EventType
from madsci.common.types.log_level import EventLogLevel
from madsci.event_manager.backup.layout import Backup
from madsci.event_manager.backup.service import BackupService, unseen
from madsci.event_manager.ingest.own_events import Recorder
from madsci.event_manager.stores.upkeep import Progress
from madsci.event_manager.tasks.schedule import Schedule
from madsci.event_manager.tasks.task import KeepTurn


class Backups:
    """The backups of a server. Thread-safe; calls block.

    ``service`` is ``None`` where the store keeps nothing on disk.
    """

    def __init__(self, service: BackupService | None, events: Recorder) -> None:
        self._service = service
        self._events = events

    def create(self, description: str | None, progress: Progress = unseen) -> Backup:
        """Make a backup and tell of it, also of one that failed; not of one that was left off.

        Raises:
            InvalidInputError: the store keeps nothing that could be backed up.
            StoreInUseError: one is being made already.
            StoreError: it could not be made.
            OverloadedError: ``progress`` left it off.
        """
        if self._service is None:
            raise InvalidInputError(
                "The memory store keeps nothing that could be backed up. Set EVENT_DB_URL to another."
            )
        try:
            backup = self._service.create(description, progress)
        except OverloadedError:
            raise
        except MadsciError as error:
            self._events.record(
                EventType.BACKUP_CREATE, EventLogLevel.ERROR, f"A backup failed: {error.message}"
            )
            raise
        self._events.record(
            EventType.BACKUP_CREATE,
            EventLogLevel.INFO,
            f"A backup of {backup.events:,} events was made: {backup.path}",
            **backup.as_json(),
        )
        return backup

    def available(self) -> list[Backup]:
        """Return the backups that there are, the newest first."""
        return [] if self._service is None else self._service.backups()


@dataclass(frozen=True)
class BackupTask:
    """Backups by a schedule as a task."""

    backups: Backups
    schedule: Schedule
    name: str = "backup"

    def run(self, keep_turn: KeepTurn) -> None:
        """Make one; leave it off when the turn is lost, or the server stops."""

        def go_on(what: str, done: int, of: int | None) -> None:
            del what, done, of
            if not keep_turn():
                raise OverloadedError("The backup was left off: the server stops, or lost its turn.")

        self.backups.create("scheduled", go_on)
