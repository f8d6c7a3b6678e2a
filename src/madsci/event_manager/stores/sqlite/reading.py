"""The reading side of an event file, which any process of the machine may have open."""

from __future__ import annotations

from collections.abc import Sequence

from madsci.common.errors import StoreDamagedError
from madsci.event_manager.model.budget import UNLIMITED, Budget
from madsci.event_manager.model.feed import Entries, Position
from madsci.event_manager.model.query import JsonPage, Page, Query
from madsci.event_manager.model.selector import EVERYTHING, Selector, is_everything
from madsci.event_manager.model.stored_event import StoredEvent
from madsci.event_manager.model.tally import Count, Tally
from madsci.event_manager.stores.base import Damage
from madsci.event_manager.stores.sqlite import feed, tables
from madsci.event_manager.stores.sqlite.asking.counting import count
from madsci.event_manager.stores.sqlite.asking.finding import find, find_json
from madsci.event_manager.stores.sqlite.damage.checking import find_structural_damage
from madsci.event_manager.stores.sqlite.damage.index_check import find_wrong_entry
from madsci.event_manager.stores.sqlite.damage.passing_over import PassingOver
from madsci.event_manager.stores.sqlite.damage.rows import BATCH, OnDamage, get_event, look, span
from madsci.event_manager.stores.sqlite.readers import Readers
from madsci.event_manager.stores.sqlite.transaction import snapshot


class SqliteReader:
    """Finds and counts the events of a file; see ``EventReader``."""

    def __init__(self, path: str, on_damage: OnDamage) -> None:
        self.readers = Readers(path, on_damage)
        self._on_damage = on_damage
        self._passing_over = PassingOver(on_damage)

    def get(self, event_id: str) -> StoredEvent | None:
        """Return the event with this id, or ``None``.

        Raises:
            StoreDamagedError: it is damaged.
        """
        with self.readers.connection() as connection:
            found = get_event(connection, event_id)
        if isinstance(found, Damage):
            self._on_damage([found])
            raise StoreDamagedError(
                f"The event {event_id} (number {found.seq}) in {self.readers.path} is damaged:"
                f" {found.reason}. Send it again, or look for it in a backup."
            )
        return found

    def find(self, query: Query) -> Page:
        """Return the events that match; see ``EventReader``."""
        with self.readers.connection(query.budget) as connection:
            return self._passing_over.answer(
                connection,
                lambda known: find(connection, query, self._on_damage, known),
                query.budget,
            )

    def find_json(self, query: Query) -> JsonPage:
        """Return the events that match as JSON; see ``EventReader``."""
        with self.readers.connection(query.budget) as connection:
            return self._passing_over.answer(
                connection,
                lambda known: find_json(connection, query, self._on_damage, known),
                query.budget,
            )

    def tally(self, tallies: Sequence[Tally]) -> list[list[Count]]:
        """Count the events that match; see ``EventReader``."""
        budget = min((tally.budget for tally in tallies), key=lambda one: one.left, default=UNLIMITED)
        with self.readers.connection(budget) as connection, snapshot(connection):
            return self._passing_over.answer(
                connection,
                lambda known: [count(connection, tally, known) for tally in tallies],
                budget,
            )

    def since(
        self,
        position: Position,
        limit: int,
        until: Position | None = None,
        selector: Selector = EVERYTHING,
        budget: Budget = UNLIMITED,
    ) -> Entries:
        """Return what follows a position in the feed; see ``FeedReader``."""
        with self.readers.connection(budget) as connection, snapshot(connection):
            if is_everything(selector):
                return feed.since(connection, position, limit, self._on_damage, until)
            return self._passing_over.answer(
                connection,
                lambda known: feed.matching_since(connection, position, limit, until, selector, known),
                budget,
            )

    def before(self, event_ids: Sequence[str]) -> Position:
        """Return the last position before events; see ``FeedReader``."""
        with self.readers.connection() as connection, snapshot(connection):
            return feed.before(connection, event_ids)

    def before_time(self, time: int, budget: Budget = UNLIMITED) -> Position:
        """Return the last position before what happened from a time on; see ``FeedReader``."""
        with self.readers.connection(budget) as connection, snapshot(connection):
            return feed.before_time(connection, time)

    def read(self, table: str, key: str) -> str | None:
        """Return a small document; see ``Tables``."""
        with self.readers.connection() as connection:
            return tables.read(connection, table, key)

    def scan(
        self, table: str, prefix: str = "", after: str | None = None, limit: int = 1_000
    ) -> list[tuple[str, str]]:
        """Return small documents in order; see ``Tables``."""
        with self.readers.connection() as connection:
            return tables.scan(connection, table, prefix, after, limit)

    def verify(self, place: int | None, budget: Budget) -> int | None:
        """Look for damaged events and wrong indexes; see ``EventReader``."""
        with self.readers.connection() as connection:
            if place is None and (damage := find_structural_damage(connection, budget.left)):
                self._on_damage(damage)
            first, last = span(connection)
            last = last if place is None else min(place, last)
            while last >= first and not budget.is_over:
                beginning = max(first, last - BATCH + 1)
                with snapshot(connection):
                    found = look(connection, beginning, last)
                    wrong = find_wrong_entry(connection, beginning, last)
                if found or wrong is not None:
                    self._on_damage(found if wrong is None else [*found, wrong])
                last = beginning - 1
        return last if last >= first else None

    def check(self) -> None:
        """Return if the file can be read."""
        with self.readers.connection() as connection:
            connection.execute("SELECT 1 FROM events LIMIT 1").fetchall()
