"""Looking after a database on a MongoDB server; see ``stores.upkeep``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import tzinfo
from pathlib import Path
from typing import Any

from madsci.event_manager.stores.mongo.bson_files import check_dump
from madsci.event_manager.stores.mongo.connection import connect, database_of, is_mongodb, masked
from madsci.event_manager.stores.mongo.dump import dump_as_of_now
from madsci.event_manager.stores.mongo.exclusive import Hold
from madsci.event_manager.stores.mongo.faults import translated
from madsci.event_manager.stores.mongo.inspecting import inspect
from madsci.event_manager.stores.mongo.migrating import Migration
from madsci.event_manager.stores.mongo.restoring import finish_interrupted_restore, restore_database
from madsci.event_manager.stores.mongo.schema import Schema, compare
from madsci.event_manager.stores.mongo.versions import (
    begin_migration,
    begun_migration,
    end_migration,
    read_version,
    record_version,
)
from madsci.event_manager.stores.upkeep import DatabaseVersion, Dumped, Inspection, Progress, Step


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
        self._hold: Hold | None = None
        self._client = connect(url)
        self._database = database_of(self._client, database, collection)

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
        if self._hold is not None:
            yield
            return
        hold = Hold(self._database, self.location)
        try:
            with translated(self.location):
                hold.start()
                finish_interrupted_restore(self._database)
            self._hold = hold
            yield
        finally:
            self._hold = None
            hold.close()

    def _confirm_hold(self) -> None:
        if self._hold is not None:
            self._hold.confirm()

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
            def confirming(what: str, done: int, of: int | None) -> None:
                self._confirm_hold()
                progress(what, done, of)

            with translated(self.location):
                self._confirm_hold()
                return step.run(confirming)

        return replace(step, pending=pending, run=run)

    def begin(self, backup: str) -> None:
        """Say in the database that the steps begin; see ``Upkeep``."""
        with translated(self.location):
            begin_migration(self._database, backup)

    def begun(self) -> str | None:
        """Return the backup of steps that did not end; see ``Upkeep``."""
        with translated(self.location):
            return begun_migration(self._database)

    def record_version(self, note: str) -> None:
        """Say that the database has the expected version."""
        with translated(self.location):
            record_version(self._database, self.expected_version(), note, self._events)
            end_migration(self._database)

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
