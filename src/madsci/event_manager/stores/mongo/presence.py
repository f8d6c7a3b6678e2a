"""Says in the database that a server works with it, so that nobody migrates it meanwhile."""

from __future__ import annotations

import logging
import threading
from typing import Final

from pymongo.errors import PyMongoError

from madsci.common.errors import StoreInUseError
from madsci.event_manager.stores.mongo import turns
from madsci.event_manager.stores.mongo.connection import Database

_logger = logging.getLogger(__name__)

EXCLUSIVE: Final = "exclusive"
"""The name under which a migration or a restore holds a database."""
SERVERS: Final = "server/"
"""Begins the names under which servers hold it."""
LIFETIME: Final = 60.0
RENEWAL: Final = 15.0
"""Seconds that a server counts as present, and between two times that it says so: a server that was
killed is in the way for a minute, and one whose database is slow is not taken for gone."""


class Presence:
    """Holds a place in the database while the server runs. Owns the thread that renews it."""

    def __init__(self, database: Database, location: str, name: str) -> None:
        self._database = database
        self._location = location
        self._name = name
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mongodb-presence", daemon=True)
        self.failures = 0

    def start(self) -> None:
        """Take the place and begin to renew it.

        Raises:
            StoreInUseError: somebody migrates or restores the database.
        """
        # First said, then looked: whoever wants the database alone does it the other way round.
        self.renew()
        if turns.holders(self._database, EXCLUSIVE):
            self._let_go()
            raise StoreInUseError(
                f"The database {self._location} is being migrated or restored. Start the server again"
                " when that is done."
            )
        self._thread.start()

    def close(self, deadline: float = 5.0) -> None:
        """Give the place back."""
        self._ended.set()
        if self._thread.ident is not None:
            self._thread.join(deadline)
            try:
                self._let_go()
            except PyMongoError as error:  # it ends by itself
                _logger.debug("The server could not say that it has gone: %s", error)

    def _run(self) -> None:
        while not self._ended.wait(RENEWAL):
            try:
                self.renew()
            except PyMongoError as error:
                self.failures += 1
                _logger.debug("The server could not say that it is there: %s", error)

    def renew(self) -> None:
        """Say that the server is there; raises an error of the driver if that cannot be written."""
        turns.hold(self._database, self._name, self._name, LIFETIME)

    def _let_go(self) -> None:
        turns.let_go(self._database, self._name, self._name)
