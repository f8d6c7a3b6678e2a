"""Read-only connections to an event file, shared by the threads that answer questions."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import apsw

from madsci.common.errors import StoreError
from madsci.event_manager.stores.sqlite.faults import translated

MAX_READERS: Final = 8
"""Connections at once. A question keeps a core busy; more of them than this only slow each other."""


class Readers:
    """A bounded pool. Each use sees one consistent state of the file, never a half-done append."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._idle: queue.LifoQueue[apsw.Connection] = queue.LifoQueue()
        self._places = threading.BoundedSemaphore(MAX_READERS)
        self._closed = False

    @contextmanager
    def connection(self) -> Iterator[apsw.Connection]:
        """Lend a connection; waits while all are in use. SQLite's errors come out translated."""
        with self._places, translated(self._path):
            if self._closed:
                raise StoreError("The store is closed.")
            try:
                connection = self._idle.get_nowait()
            except queue.Empty:
                connection = _open(self._path)
            try:
                yield connection
            finally:
                if self._closed:
                    connection.close()
                else:
                    self._idle.put(connection)

    def close(self) -> None:
        """Close the idle connections now and the others as they come back."""
        self._closed = True
        while True:
            try:
                self._idle.get_nowait().close()
            except queue.Empty:
                return


def _open(path: str) -> apsw.Connection:
    connection = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READONLY)
    connection.set_busy_timeout(5000)
    connection.pragma("query_only", True)
    connection.pragma("mmap_size", 1 << 30)  # pages come from the system's cache without a copy
    return connection
