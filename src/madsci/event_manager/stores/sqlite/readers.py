"""Read-only connections to an event file, shared by the threads that answer questions."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import apsw

from madsci.common.errors import StoreError
from madsci.event_manager.model.budget import UNLIMITED, Budget
from madsci.event_manager.stores.sqlite.asking import functions
from madsci.event_manager.stores.sqlite.asking.facets import VOCABULARY
from madsci.event_manager.stores.sqlite.damage.rows import OnDamage, beyond_events
from madsci.event_manager.stores.sqlite.faults import translated

MAX_READERS: Final = 8
"""Connections at once. A question keeps a core busy; more of them than this only slow each other."""
_STEPS: Final = 20_000
"""Steps of SQLite's machine between two looks at the clock: a millisecond or two."""


class Readers:
    """A bounded pool. Each use sees one consistent state of the file, never a half-done append."""

    def __init__(self, path: str, on_damage: OnDamage) -> None:
        self.path = path
        self._on_damage = on_damage
        self._idle: queue.LifoQueue[apsw.Connection] = queue.LifoQueue()
        self._places = threading.BoundedSemaphore(MAX_READERS)
        self._closed = False

    @contextmanager
    def connection(self, budget: Budget = UNLIMITED) -> Iterator[apsw.Connection]:
        """Lend a connection; waits while all are in use. SQLite's errors come out translated.

        Of damage to the file's structure or an index, which no question passes over, it tells itself.

        Raises:
            QueryTimeoutError: what runs on the connection takes longer than the budget.
        """
        with self._places, translated(self.path):
            connection = self._take()
            connection.set_progress_handler(lambda: self._closed or budget.is_over, _STEPS)
            try:
                yield connection
            except apsw.CorruptError as error:
                self._on_damage([beyond_events(error)])
                raise
            except apsw.InterruptError:
                budget.check()
                raise
            finally:
                connection.set_progress_handler(None)
                self._give_back(connection)

    def _take(self) -> apsw.Connection:
        if self._closed:
            raise StoreError("The store is closed.")
        try:
            return self._idle.get_nowait()
        except queue.Empty:
            return _open(self.path)

    def _give_back(self, connection: apsw.Connection) -> None:
        if connection.txn_state() == apsw.SQLITE_TXN_NONE:
            self._idle.put(connection)
        else:  # a statement was left half read: the next one would see the old state that it keeps
            connection.close()
        if self._closed:
            self.close()

    def close(self) -> None:
        """Close the idle connections; stop what runs on the others, which are closed afterwards."""
        self._closed = True
        while True:
            try:
                self._idle.get_nowait().close()
            except queue.Empty:
                return


def _open(path: str) -> apsw.Connection:
    connection = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READONLY)
    connection.set_busy_timeout(5000)
    if connection.table_exists("main", "event_terms"):
        connection.execute(VOCABULARY)
    connection.pragma("query_only", True)
    functions.install(connection)
    return connection
