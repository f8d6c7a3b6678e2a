"""The real server with a store that keeps nothing: what is left is the cost of everything else."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from madsci.event_manager import app
from madsci.event_manager.event_server import main
from madsci.event_manager.model.query import Page, Query
from madsci.event_manager.model.stored_event import StoredEvent
from madsci.event_manager.stores.base import AppendOutcome, Disposition


class StubStore:
    """Says that it stored, at once."""

    engine = "stub"
    location = "nowhere"
    readable_at = None

    def __init__(self) -> None:
        self._count = 0

    def append(self, events: Sequence[StoredEvent]) -> list[AppendOutcome]:
        self._count += len(events)
        return [AppendOutcome(Disposition.STORED, event) for event in events]

    def get(self, _event_id: str) -> StoredEvent | None:
        return None

    def find(self, _query: Query) -> Page:
        return Page([])

    def count(self) -> int:
        return self._count

    def remember(self, _key: str, value: str) -> str:
        return value

    def check(self) -> None:
        """Nothing can be wrong with it."""

    def close(self) -> None:
        """Nothing is open."""


if __name__ == "__main__":
    app.open_store = lambda *_, **__: StubStore()
    sys.exit(main())
