"""How the server is: can the store be read, how much is in it, how much waits."""

from __future__ import annotations

from dataclasses import dataclass

from madsci.common.errors import StoreError
from madsci.common.types.health import EventManagerHealth
from madsci.event_manager.ingest.writer import Writer
from madsci.event_manager.stores.base import EventStore


@dataclass(frozen=True)
class HealthCheck:
    """Asks the store and the writer. Constant cost at any size of the store."""

    store: EventStore
    writer: Writer
    version: str

    def state(self) -> EventManagerHealth:
        """Return the present state; never raises for a store that is away."""
        common = {
            "version": self.version,
            "store": self.store.engine,
            "queued_events": self.writer.stats.queued,
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
        if not self.writer.running:
            return EventManagerHealth(
                healthy=False,
                db_connected=True,
                total_events=total,
                description="The writer has stopped: no events are taken. Restart the server.",
                **common,
            )
        return EventManagerHealth(
            healthy=True,
            db_connected=True,
            total_events=total,
            description="Event Manager is running normally",
            **common,
        )
