"""Looking after a database on a MongoDB server; see ``stores.upkeep``."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import tzinfo
from pathlib import Path
from typing import Any

from pymongo.errors import PyMongoError

from madsci.common.errors import StoreInUseError
from madsci.event_manager.stores.mongo import turns
from madsci.event_manager.stores.mongo.bson_files import check_dump
from madsci.event_manager.stores.mongo.connection import DURABLE, connect, is_mongodb, masked
from madsci.event_manager.stores.mongo.dump import dump_as_of_now
from madsci.event_manager.stores.mongo.faults import translated
from madsci.event_manager.stores.mongo.inspecting import inspect
from madsci.event_manager.stores.mongo.migrating import Migration
from madsci.event_manager.stores.mongo.presence import EXCLUSIVE, LIFETIME, RENEWAL, SERVERS
from madsci.event_manager.stores.mongo.restoring import finish_interrupted_restore, restore_database
from madsci.event_manager.stores.mongo.schema import Schema, compare
from madsci.event_manager.stores.mongo.versions import read_version, record_version
from madsci.event_manager.stores.upkeep import DatabaseVersion, Dumped, Inspection, Progress, Step

_logger = logging.getLogger(__name__)


class MongoUpkeep:
    """Looks after one database; see ``Upkeep``. Connects when it is used first.

    ``schema_file`` says how it should look instead of the schema of this version.

    Raises:
        SettingsError: the URL is not one of MongoDB's, or the schema file cannot be used.
    """

    engine = "mongodb"
    keeps_replaced = False
    replaced: str | None = None

    def __init__(
        self, url: str, *, database: str, collection: str = "events", schema_file: Path | None = None
    ) -> None:
        self.name = database
        self.location = f"{database} at {masked(url)}"
        self._schema = Schema.own() if schema_file is None else Schema.of_events(schema_file)
        self._events = collection
        self._holder: str | None = None
        """Under which name the database is held now, if it is."""
        self._client = connect(url)
        self._database = self._client.get_database(database, write_concern=DURABLE)

    def is_there(self) -> bool:
        """Tell whether the database has the collection of events."""
        with translated(self.location):
            return self._events in self._database.list_collection_names()

    def number_of_events(self) -> int | None:
        """Return about how many documents the collection has; see ``Upkeep``."""
        with translated(self.location):
            if not self.is_there():
                return None
            return self._database[self._events].estimated_document_count()

    def inspect(self, progress: Progress) -> Inspection:
        """Read each document of the collection as an event; see ``Upkeep``."""
        with translated(self.location):
            return inspect(self._database[self._events], progress)

    def version(self) -> DatabaseVersion:
        """Return what the database says about itself; see ``Upkeep``."""
        with translated(self.location):
            return read_version(self._database, self.location, self._events)

    def expected_version(self) -> str:
        """Return the version of the schema."""
        return self._schema.schema_version

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Keep servers and others who look after it out of the database; see ``Upkeep``."""
        if self._holder is not None:
            yield
            return
        holder = turns.new_holder()
        with translated(self.location):
            if not self._hold(holder):
                raise StoreInUseError(
                    f"The database {self.location} is being migrated or restored by another program."
                    f" Wait until it is done; one that was killed is in the way for {LIFETIME:g} s."
                )
        ended = threading.Event()
        renewal = threading.Thread(
            target=self._renew, args=(holder, ended), name="mongodb-exclusive", daemon=True
        )
        renewal.start()
        self._holder = holder
        try:
            with translated(self.location):
                self._refuse_servers()
                finish_interrupted_restore(self._database)
            yield
        finally:
            self._holder = None
            ended.set()
            renewal.join(RENEWAL)
            with translated(self.location):
                turns.let_go(self._database, EXCLUSIVE, holder)

    def _refuse_servers(self) -> None:
        servers = [name.removeprefix(SERVERS) for name in turns.holders(self._database, SERVERS)]
        if servers:
            raise StoreInUseError(
                f"{len(servers)} Event Manager works with the database {self.location}:"
                f" {', '.join(servers)} (host, process, id). Stop it first; one that was killed counts"
                f" as there for {LIFETIME:g} s."
            )

    def _hold(self, holder: str) -> bool:
        return turns.hold(self._database, EXCLUSIVE, holder, LIFETIME)

    def _renew(self, holder: str, ended: threading.Event) -> None:
        while not ended.wait(RENEWAL):
            try:
                self._hold(holder)
            except PyMongoError as error:
                _logger.warning("The hold on %s could not be renewed: %s", self.location, error)

    def size(self) -> int:
        """Return how many bytes the documents have."""
        with translated(self.location):
            return int(self._database.command("dbStats").get("dataSize", 0))

    def dump(self, folder: Path, progress: Progress) -> Dumped:
        """Write the database as BSON files; of one moment where the server has snapshots."""
        with translated(self.location):
            return dump_as_of_now(self._database, folder, progress)

    def check(self, folder: Path, progress: Progress) -> int:
        """Read a dump to its end; return how many events it holds. Raises ``StoreDamagedError``."""
        return check_dump(folder, progress)

    def restore(self, folder: Path, progress: Progress) -> int:
        """Put a dump in the place of what the database holds; see ``Upkeep``."""
        with translated(self.location):
            return restore_database(
                self._client, self.name, folder, progress, confirm=self._confirm_hold
            )

    def _confirm_hold(self) -> None:
        if self._holder is not None and not self._hold(self._holder):
            raise StoreInUseError(
                f"The hold on the database {self.location} was lost while the backup was loaded."
                " Nothing was changed. Restore it again."
            )

    def steps(self, naive_zone: tzinfo | None) -> Sequence[Step]:
        """Return the steps from an older release's database to this version's."""
        with translated(self.location):
            decimals = is_mongodb(self._client)
        migration = Migration(self._database, self._events, self._schema, naive_zone, decimals=decimals)
        return [self._translating(step) for step in migration.steps()]

    def _translating(self, step: Step) -> Step:
        def pending(progress: Progress) -> int:
            with translated(self.location):
                return step.pending(progress)

        def run(progress: Progress) -> int:
            with translated(self.location):
                return step.run(progress)

        return Step(step.name, step.description, pending, run)

    def record_version(self, note: str) -> None:
        """Say that the database has the expected version."""
        with translated(self.location):
            record_version(self._database, self.expected_version(), note, self._events)

    def differences(self) -> dict[str, Any]:
        """Return how the database differs from the schema, in the form of earlier releases."""
        with translated(self.location):
            found = compare(
                self._database, self._schema, self._events, is_mongodb=is_mongodb(self._client)
            )
        return asdict(found) if found.any else {}

    def close(self) -> None:
        """End the connections."""
        self._client.close()
