"""Which database the tool works with where nobody names one: that of the server."""

from __future__ import annotations

from typing import Final

from madsci.common.settings import resolve_madsci_path
from madsci.common.types.manager_settings import EventManagerSettings
from madsci.event_manager.migration.settings import MigrationSettings
from madsci.event_manager.stores.factory import DEFAULT_STORE, StoreAddress

_USUAL_SERVER: Final = "mongodb://localhost:27017"
"""Where a database that is named without a URL is, as in earlier releases."""
_USUAL_NAME: Final = "madsci_events"
_USUAL_COLLECTION: Final = "events"


def address_of(settings: MigrationSettings) -> StoreAddress:
    """Return where the database is: where the tool was told, else where the server has it.

    Settings that name a database and no URL mean the MongoDB server of this machine, unless the server
    has a URL. Without any of them it is the embedded store, found upwards as the server finds it.

    Raises:
        SettingsError: a setting of the server cannot be used.
    """
    if settings.db_url is not None:
        return address_from(settings.db_url, settings.database, settings.collection_name)
    server = EventManagerSettings()
    if server.db_url is None and settings.database is not None:
        return address_from(_USUAL_SERVER, settings.database, settings.collection_name)
    return address_from(
        server.db_url,
        settings.database or server.database_name,
        settings.collection_name or server.collection_name,
    )


def address_from(url: str | None, database: str | None, collection: str | None) -> StoreAddress:
    """Return an address, with the usual names where none are given."""
    return StoreAddress(
        url,
        resolve_madsci_path(DEFAULT_STORE),
        database or _USUAL_NAME,
        collection or _USUAL_COLLECTION,
    )
