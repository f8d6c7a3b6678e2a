"""Having a database for oneself, to migrate or restore it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from pymongo.errors import PyMongoError

from madsci.common.errors import StoreInUseError
from madsci.event_manager.stores.mongo import turns
from madsci.event_manager.stores.mongo.connection import Database
from madsci.event_manager.stores.mongo.lease import LIFETIME, RENEWAL, Lease, elapsed
from madsci.event_manager.stores.mongo.presence import EXCLUSIVE, SERVERS

_logger = logging.getLogger(__name__)


class Hold:
    """Keeps servers and others who look after a database out of it.

    Owns the thread that renews it. Raises the driver's errors. ``clock`` returns seconds.
    """

    def __init__(self, database: Database, location: str, clock: Callable[[], float] = elapsed) -> None:
        self._database = database
        self._location = location
        self._lease = Lease(database, EXCLUSIVE, turns.new_holder(), clock)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="mongodb-exclusive", daemon=True)

    def start(self) -> None:
        """Take the database.

        Raises:
            StoreInUseError: somebody works with it.
        """
        if not self._lease.take():
            raise StoreInUseError(
                f"The database {self._location} is being migrated or restored by another program."
                f" Wait until it is done; one that was killed is in the way for {LIFETIME:g} s."
            )
        self._thread.start()
        self._refuse_servers()

    def confirm(self) -> None:
        """Return if nobody can have come in since. Asks the database only where that is not certain.

        Raises:
            StoreInUseError: somebody has, while this program could not renew its hold.
        """
        if self._lease.is_certain:
            return
        if not self._lease.take(self._has_no_servers):
            raise StoreInUseError(
                f"The hold on the database {self._location} was lost to another program, while this one"
                " could not reach it. Begin again when that one is done."
            )

    def _has_no_servers(self) -> bool:
        self._refuse_servers()
        return True

    def _refuse_servers(self) -> None:
        servers = [name.removeprefix(SERVERS) for name in turns.holders(self._database, SERVERS)]
        if servers:
            raise StoreInUseError(
                f"{len(servers)} Event Manager works with the database {self._location}:"
                f" {', '.join(servers)} (host, process, id). Stop it first; one that was killed counts"
                f" as there for {LIFETIME:g} s."
            )

    def close(self, deadline: float = RENEWAL) -> None:
        """Give the database back."""
        self._ended.set()
        if self._thread.ident is not None:
            self._thread.join(deadline)
        try:
            self._lease.let_go()
        except PyMongoError as error:  # it ends by itself
            _logger.debug("The hold on %s could not be ended: %s", self._location, error)

    def _renew(self) -> None:
        while not self._ended.wait(RENEWAL):
            try:
                self._lease.extend()  # where that is too late, who works with the database looks first
            except PyMongoError as error:
                _logger.warning("The hold on %s could not be renewed: %s", self._location, error)
