"""Backups of the database of a running server: asked for, or by a schedule; each leaves an event."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from madsci.common.errors import InvalidInputError, MadsciError, OverloadedError
from madsci.common.types.event_type import EventType
from madsci.common.types.log_level import EventLogLevel
from madsci.event_manager.backup.layout import SCHEDULED, Backup, Origin
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

    def create(
        self,
        description: str | None,
        progress: Progress = unseen,
        *,
        origin: Origin = Origin.REQUEST,
    ) -> Backup:
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
            backup = self._service.create(description, progress, origin=origin)
        except OverloadedError:
            raise
        except MadsciError as error:
            self._events.record(
                EventType.BACKUP_CREATE, EventLogLevel.ERROR, f"A backup failed: {error.message}"
            )
            raise
        self._tell(backup)
        return backup

    def _tell(self, backup: Backup) -> None:
        level = EventLogLevel.WARNING if backup.shrank or backup.damaged else EventLogLevel.INFO
        message = f"A backup of {backup.content} was made: {backup.path}"
        if backup.shrank:
            message += ". The store held more than twice as many in the backup before, which is kept"
        self._events.record(EventType.BACKUP_CREATE, level, message, **backup.as_json())

    def before_purge(self, go_on: Callable[[], bool]) -> Path | None:
        """Make a backup before much is deleted, and return where it is; ``None`` where nothing is kept.

        ``go_on`` is asked on the way. Raises what ``create`` raises.
        """
        if self._service is None:
            return None
        left_off = _left_off("The backup was left off, and nothing was deleted.", go_on)
        return self.create(Origin.PRE_PURGE.value, left_off, origin=Origin.PRE_PURGE).path

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
        left_off = _left_off("The backup was left off.", keep_turn)
        self.backups.create(SCHEDULED, left_off, origin=Origin.SCHEDULE)


def _left_off(what_was: str, go_on: Callable[[], bool]) -> Progress:
    def progress(*_: Any) -> None:
        if not go_on():
            raise OverloadedError(f"{what_was} The server stops, or the task lost its turn.")

    return progress
