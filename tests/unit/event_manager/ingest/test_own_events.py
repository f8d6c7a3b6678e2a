"""What the server itself has to tell is an event like others, and says that the server sent it."""

from __future__ import annotations

import asyncio
import os
import platform
from contextlib import closing

from madsci.common.types.event_type import EventType
from madsci.common.types.log_level import EventLogLevel
from madsci.event_manager.ingest.own_events import OwnEvents, Teller, keep_alerts
from madsci.event_manager.ingest.writer import Writer
from madsci.event_manager.model.query import Query
from madsci.event_manager.model.stored_event import decode_json
from madsci.event_manager.stores.memory import MemoryStore

HERE = {"host": platform.node(), "process": os.getpid()}


def test_an_event_of_the_server_has_its_name_host_and_process():
    async def tell(store: MemoryStore) -> None:
        writer = Writer(store, max_events=10)
        writer.start()
        record = OwnEvents(writer, Teller({"manager_id": "m"}, "Lab events")).record
        await asyncio.to_thread(record, EventType.BACKUP_CREATE, EventLogLevel.INFO, "made", size=3)
        writer.refuse()
        assert await asyncio.to_thread(writer.close, 30)

    with closing(MemoryStore()) as store:
        asyncio.run(tell(store))
        (event,) = store.find(Query()).events
    assert event.source == {"manager_id": "m"}
    assert decode_json(event.sender) == {"name": "Lab events", **HERE}
    assert decode_json(event.event_data) == {"message": "made", "size": 3}


def test_what_a_store_found_wrong_is_told_under_the_name_of_the_program():
    with closing(MemoryStore()) as store:
        keep_alerts(store, ["a page is torn"])
        (event,) = store.find(Query()).events
    assert event.alert
    assert decode_json(event.sender) == {"name": "EventManager", **HERE}
