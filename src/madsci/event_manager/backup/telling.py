"""The event in a restored database that says where its content is from."""

from __future__ import annotations

from pathlib import Path

from madsci.common.clock import now_us
from madsci.common.ids import new_ulid
from madsci.common.types.event_type import EventType
from madsci.common.types.log_level import EventLogLevel
from madsci.event_manager.model.stored_event import StoredEvent, encode_json
from madsci.event_manager.stores.base import EventStore


def tell_of_restore(store: EventStore, path: Path, events: int) -> None:
    """Keep an event that says that the database was restored from a backup of so many events.

    Raises what ``EventStore.append`` raises.
    """
    now = now_us()
    data = {
        "message": f"A backup of {events:,} events was restored: {path.name}",
        "backup_path": str(path),
        "events": events,
    }
    event = StoredEvent(
        new_ulid(), EventType.BACKUP_RESTORE.value, int(EventLogLevel.INFO), False, now, now, {},
        encode_json(data),
    )  # fmt: skip
    store.append([event])
