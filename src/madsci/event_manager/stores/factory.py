"""From a database URL to a store. The only place that names the engines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from madsci.common.errors import SettingsError
from madsci.event_manager.stores.base import SQLITE_SCHEME, Damage, EventReader, EventStore
from madsci.event_manager.stores.salvage import Salvage
from madsci.event_manager.stores.upkeep import Upkeep

DEFAULT_STORE: Final = ".madsci/events/events.db"
"""The file of the embedded store where nothing else is said."""
MONGODB_SCHEMES: Final = ("mongodb://", "mongodb+srv://")
"""Begin the URLs of MongoDB servers."""


@dataclass(frozen=True)
class StoreAddress:
    """Where the events of a server are: a URL, or none for the embedded store at the default path.

    ``database`` and ``collection`` are names on a MongoDB server. ``integrity_seconds`` bounds the
    check of an event file at start.
    """

    url: str | None
    default_path: Path
    database: str = "madsci_events"
    collection: str = "events"
    integrity_seconds: float = 5.0

    @property
    def is_in_memory(self) -> bool:
        """Whether nothing of it outlives the server."""
        return self.url is not None and self.url.startswith("memory:")

    @property
    def path(self) -> Path:
        """The event file of an embedded store; a leading ``.madsci/`` leads to the lab's own folder."""
        if self.url is None:
            return self.default_path
        # Imported here, since the processes that answer questions need no settings.
        from madsci.common.settings import resolve_madsci_path  # noqa: PLC0415

        return resolve_madsci_path(self.url.removeprefix(SQLITE_SCHEME))


def open_store(address: StoreAddress) -> EventStore:
    """Open the store of a address.

    ``sqlite:///relative.db`` and ``sqlite:////absolute.db`` name a file, ``mongodb://host`` a server,
    ``memory://`` keeps nothing.

    Raises:
        SettingsError: the URL names no store of this version.
        StoreError: the store cannot be opened; see ``SqliteStore`` and ``MongoStore``.
    """
    url = address.url
    if url is None or url.startswith(SQLITE_SCHEME):
        # Imported here, so that a store that is not used costs nothing.
        from madsci.event_manager.stores.sqlite.store import SqliteStore  # noqa: PLC0415

        return SqliteStore(address.path, integrity_seconds=address.integrity_seconds)
    if address.is_in_memory:
        from madsci.event_manager.stores.memory import MemoryStore  # noqa: PLC0415

        return MemoryStore()
    if url.startswith(MONGODB_SCHEMES):
        from madsci.event_manager.stores.mongo.store import MongoStore  # noqa: PLC0415

        return MongoStore(url, database=address.database, collection=address.collection)
    scheme = url.split(":", 1)[0]
    raise SettingsError(
        f"db_url names a {scheme} database, which this version cannot open. Use"
        " mongodb://host:27017 or sqlite:///path/to/events.db, or leave db_url out for the embedded"
        " store."
    )


def open_upkeep(address: StoreAddress, schema_file: Path | None = None) -> Upkeep:
    """Open the database at an address for looking after it; nothing is made or locked.

    ``schema_file`` says how a database on a MongoDB server should look instead of this version's.

    Raises:
        SettingsError: the URL names no database that can be looked after.
    """
    url = address.url
    if url is not None and url.startswith(MONGODB_SCHEMES):
        from madsci.event_manager.stores.mongo.upkeep import MongoUpkeep  # noqa: PLC0415 - as above

        return MongoUpkeep(
            url, database=address.database, collection=address.collection, schema_file=schema_file
        )
    if url is None or url.startswith(SQLITE_SCHEME):
        from madsci.event_manager.stores.sqlite.upkeep import SqliteUpkeep  # noqa: PLC0415 - as above

        return SqliteUpkeep(address.path)
    raise SettingsError(
        f"{url.split(':', 1)[0]} is not a database that can be copied or migrated. Use"
        " mongodb://host:27017 or sqlite:///path/to/events.db."
    )


def open_salvage(address: StoreAddress) -> Salvage:
    """Return what saves the events of a damaged store; nothing is opened yet.

    Raises:
        SettingsError: the URL names no event file.
    """
    url = address.url
    if url is None or url.startswith(SQLITE_SCHEME):
        from madsci.event_manager.stores.sqlite.salvage.event_file import (  # noqa: PLC0415 - as above
            SqliteSalvage,
        )

        return SqliteSalvage(address.path)
    raise SettingsError(
        f"recover saves the events of a damaged event file, and the URL names a {url.split(':', 1)[0]}"
        " database. Name the file with --db-url sqlite:///path/to/events.db; a MongoDB is repaired by"
        " its own tools, or restored from a backup."
    )


def open_reader(url: str, on_damage: Callable[[Sequence[Damage]], None]) -> EventReader:
    """Open the events of a store that is open elsewhere, for reading; the URL is its ``readable_at``.

    ``on_damage`` is told of damage that is met, for ``EventStore.note_damage`` of that store.

    Raises:
        StoreError: they cannot be read.
    """
    from madsci.event_manager.stores.sqlite.reading import SqliteReader  # noqa: PLC0415 - as above

    return SqliteReader(url.removeprefix(SQLITE_SCHEME), on_damage)
