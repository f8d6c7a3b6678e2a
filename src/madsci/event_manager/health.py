"""How the server is: can the store be read, how much is in it, how much waits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from madsci.common.errors import StoreError
from madsci.common.types.health import EventManagerHealth, TaskHealth
from madsci.event_manager.ingest.writer import Writer
from madsci.event_manager.stores.base import EventStore
from madsci.event_manager.tasks.runner import TaskRunner

_WELL: Final = "Event Manager is running normally"


@dataclass(frozen=True)
class HealthCheck:
    """Asks the store, the writer and the tasks. Constant cost at any size of the store."""

    store: EventStore
    writer: Writer
    runner: TaskRunner
    version: str

    def state(self) -> EventManagerHealth:
        """Return the present state; never raises for a store that is away."""
        tasks = self.runner.stats()
        common: dict[str, Any] = {
            "version": self.version,
            "store": self.store.engine,
            "queued_events": self.writer.stats.queued,
            "tasks": tasks,
        }
        try:
            self.store.check()
            total = self.store.count()
        except StoreError as error:
            return EventManagerHealth(
                healthy=False,
                db_connected=False,
                description=f"Database connection failed: {error.message}",
                **common,
            )
        common.update(db_connected=True, total_events=total)
        if trouble := self._trouble(tasks):
            return EventManagerHealth(healthy=False, description=trouble, **common)
        failing = " ".join(
            f"The task {task.name} failed and is tried again: {task.detail}"
            for task in tasks
            if task.failures
        )
        return EventManagerHealth(
            healthy=True,
            description=f"Event Manager is running. {failing}" if failing else _WELL,
            **common,
        )

    def _trouble(self, tasks: list[TaskHealth]) -> str | None:
        """Return what only a restart mends."""
        if not self.writer.running:
            return "The writer has stopped: no events are taken. Restart the server."
        if not self.runner.running:
            return "The tasks have stopped, such as retention and backups. Restart the server."
        for task in tasks:
            if task.ended:
                return f"The task {task.name} failed: {task.detail} Mend that and restart the server."
        return None
