"""Events for tests, and ways to read what a store answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import pytest

from madsci.event_manager.model.feed import START, Position
from madsci.event_manager.model.query import Page, Query, decode_cursor
from madsci.event_manager.model.selector_parser import parse_selector
from madsci.event_manager.model.stored_event import StoredEvent
from madsci.event_manager.stores.base import EventLog, EventReader, EventStore


class Engine:
    """What an engine can do that not all can."""

    @pytest.fixture
    def has_transactions(self) -> bool:
        """Whether an append is kept whole or not at all, and commits have one order.

        To be overridden where that is not so.
        """
        return True


def event(event_id: str, moment: int = 0, **members: Any) -> StoredEvent:
    """Return an event of a time, in microseconds since 1970; ``members`` are what is not usual."""
    plain = {
        "event_type": "log", "log_level": 20, "alert": False, "received_at": 1, "source": {},
        "event_data": "{}",
    }  # fmt: skip
    return StoredEvent(**{**plain, "event_id": event_id, "event_timestamp": moment, **members})


FULL: Final = event(
    "full",
    1_767_225_600_123_456,
    event_type="node_error",
    log_level=40,
    alert=True,
    received_at=1_767_225_600_999_999,
    source={"node_id": "n1", "user_id": "u", "room": {"floor": 2}},
    event_data='{"a":[1,2.5,null,"x"]}',
    trace_id="0af7651916cd43dd8448eb211c80319c",
    span_id="b7ad6b7169203331",
    archived=True,
    archived_at=-1,
    extra={"colour": "red", "deep": {"list": [None]}},
    sender='{"name":"plate_handler","host":"robot-3","process":4711}',
)


def ids(page: Page) -> list[str]:
    """Return the ids of a page in its order."""
    return [one.event_id for one in page.events]


def walk(
    store: EventReader,
    selector: dict[str, Any] | None = None,
    limit: int = 3,
    between: Callable[[], None] = lambda: None,
) -> list[str]:
    """Return the ids of all pages, one after the other; ``between`` is called after each."""
    query = Query(parse_selector(selector or {}), limit)
    found: list[str] = []
    while True:
        page = store.find(query)
        found += ids(page)
        if page.next_cursor is None:
            return found
        assert len(page.events) == limit
        between()
        query = Query(query.selector, limit, 0, decode_cursor(page.next_cursor))


def stored(store: EventStore, event_id: str) -> StoredEvent:
    """Return an event that is there."""
    found = store.get(event_id)
    assert found is not None
    return found


def append(store: EventStore, *event_ids: str, **members: Any) -> None:
    """Append events of these ids at once."""
    store.append([event(one, **members) for one in event_ids])


def names(first: int, last: int) -> list[str]:
    """Return ids with the numbers of a range."""
    return [f"e{number}" for number in range(first, last)]


def followed(
    log: EventLog, position: Position = START, limit: int = 3
) -> tuple[list[str], int, Position]:
    """Return all that follows a position: ids, how many are missed, and the end.

    Ids of raised alerts have a sign.
    """
    found: list[str] = []
    missed = 0
    while True:
        part = log.since(position, limit)
        assert len(part.entries) <= limit
        found += [f"{one.event.event_id}{'!' * one.is_raised_alert}" for one in part.entries]
        missed += part.missed
        assert part.next != position or not part.entries
        position = part.next
        if not part.has_more:
            return found, missed, position
