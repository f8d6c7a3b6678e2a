"""Says in the database that a server works with it, so that nobody migrates it meanwhile.

A server that could not say so for a while may have been taken for gone. So before it writes again, it
looks whether somebody migrates or restores the database, and which version it has now.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Final

from pymongo.errors import PyMongoError

from madsci.common.errors import (
    SchemaVersionError,
    StoreError,
    StoreInUseError,
    StoreUnavailableError,
)
from madsci.event_manager.stores.mongo import turns
from madsci.event_manager.stores.mongo.connection import Database
from madsci.event_manager.stores.mongo.lease import RENEWAL, Lease, elapsed

_logger = logging.getLogger(__name__)

EXCLUSIVE: Final = "exclusive"
"""The name under which a migration or a restore holds a database."""
SERVERS: Final = "server/"
"""Begins the names under which servers hold it."""


class Presence:
    """Holds a place in the database while the server runs. Owns the thread that renews it. Thread-safe.

    ``on_return`` is called when it was away and nobody holds the database; what it raises keeps the
    server from writing. ``clock`` returns seconds.
    """

    def __init__(
        self,
        database: Database,
        location: str,
        name: str,
        on_return: Callable[[], None],
        clock: Callable[[], float] = elapsed,
    ) -> None:
        self._database = database
        self._location = location
        self._lease = Lease(database, name, name, clock)
        self._on_return = on_return
        self._returning = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mongodb-presence", daemon=True)
        self._trouble: str | None = None
        self.failures = 0

    def start(self) -> None:
        """Take the place and begin to renew it.

        Raises:
            StoreInUseError: somebody migrates or restores the database.
        """
        if not self._arrive():
            raise StoreInUseError(
                f"The database {self._location} is being migrated or restored. Start the server again"
                " when that is done."
            )
        self._thread.start()

    def _arrive(self, then: Callable[[], None] = lambda: None) -> bool:
        """Take the place; tell if the database is free, and do something before that is certain."""

        def look() -> bool:
            if turns.holders(self._database, EXCLUSIVE):
                return False
            then()
            return True

        # First said, then looked: whoever wants the database alone does it the other way round.
        if self._lease.take(look):
            return True
        self._lease.let_go()
        return False

    def confirm(self) -> None:
        """Return if the server may write. Asks the database only where it was away for too long.

        Raises:
            StoreUnavailableError: somebody has the database for himself, or changed its version.
        """
        if self._lease.is_certain:
            return
        with self._returning:
            if not self._lease.is_certain:
                trouble = self._return()
                if trouble is not None:
                    self._tell(trouble)
                    raise StoreUnavailableError(trouble)
                self._tell(None)

    def _return(self) -> str | None:
        """Take the place again; return why the server may not write, if it may not."""
        try:
            if not self._arrive(self._on_return):
                return (
                    f"The database {self._location} is being migrated or restored. Nothing is taken"
                    " until that is done; send again later."
                )
        except SchemaVersionError:
            self._lease.let_go()
            return (
                f"The database {self._location} has another version since somebody migrated or restored"
                " it. Stop this server, run the migration tool, and start it again."
            )
        except StoreError as error:
            self._lease.let_go()
            return error.message
        return None

    def _tell(self, trouble: str | None) -> None:
        if trouble is not None and self._trouble is None:
            _logger.error("The server does not write: %s", trouble)
        if trouble is None and self._trouble is not None:
            _logger.warning("The server writes to %s again.", self._location)
        self._trouble = trouble

    def trouble(self) -> str | None:
        """Return why the server may not write, if it may not."""
        return self._trouble

    def close(self, deadline: float = 5.0) -> None:
        """Give the place back."""
        self._ended.set()
        if self._thread.ident is not None:
            self._thread.join(deadline)
            try:
                self._lease.let_go()
            except PyMongoError as error:  # it ends by itself
                _logger.debug("The server could not say that it has gone: %s", error)

    def _run(self) -> None:
        while not self._ended.wait(RENEWAL):
            try:
                self.renew()
            except (PyMongoError, StoreError) as error:
                self.failures += 1
                _logger.debug("The server could not say that it is there: %s", error)

    def renew(self) -> None:
        """Say that the server is there, which most members have then on disk.

        Raises the driver's errors, and:

        Raises:
            StoreUnavailableError: see ``confirm``.
        """
        if not self._lease.extend():
            self.confirm()
