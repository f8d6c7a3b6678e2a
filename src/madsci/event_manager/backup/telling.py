"""The event in a restored database that says where its content is from."""

from __future__ import annotations

from pathlib import Path

from madsci.common.clock import now_us
from madsci.common.types.event_type import EventType
from madsci.common.types.log_level import EventLogLevel
from madsci.event_manager.ingest.own_events import PROGRAM, own_event
from madsci.event_manager.stores.base import EventStore


def tell_of_restore(store: EventStore, path: Path, events: int) -> None:
    """Keep an event that says that the database was restored from a backup of so many events.

    Raises what ``EventStore.append`` raises.
    """
    event = own_event(
        now_us(),
        PROGRAM,
        EventType.BACKUP_RESTORE,
        EventLogLevel.INFO,
        f"A backup of {events:,} events was restored: {path.name}",
        backup_path=str(path),
        events=events,
    )
    store.append([event])
