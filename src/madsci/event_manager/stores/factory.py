"""From a database URL to a store. The only place that names the engines."""

from __future__ import annotations

from pathlib import Path

from madsci.common.errors import SettingsError
from madsci.event_manager.stores.base import SQLITE_SCHEME, EventReader, EventStore


def open_store(url: str | None, *, default_path: Path, integrity_seconds: float) -> EventStore:
    """Open the store that a database URL names; without one, the embedded store at the default path.

    ``sqlite:///relative.db`` and ``sqlite:////absolute.db`` name a file, ``memory://`` keeps nothing.

    Raises:
        SettingsError: the URL names no store of this version.
        StoreError: the store cannot be opened; see ``SqliteStore``.
    """
    if url is None or url.startswith(SQLITE_SCHEME):
        # Imported here, so that a store that is not used costs nothing.
        from madsci.event_manager.stores.sqlite.store import SqliteStore  # noqa: PLC0415

        path = default_path if url is None else Path(url.removeprefix(SQLITE_SCHEME))
        return SqliteStore(path, integrity_seconds=integrity_seconds)
    if url.startswith("memory:"):
        from madsci.event_manager.stores.memory import MemoryStore  # noqa: PLC0415

        return MemoryStore()
    scheme = url.split(":", 1)[0]
    raise SettingsError(
        f"db_url names a {scheme} database, which this version cannot open. Use"
        " sqlite:///path/to/events.db, or leave db_url out for the embedded store."
    )


def open_reader(url: str) -> EventReader:
    """Open the events of a store that is open elsewhere, for reading; the URL is its ``readable_at``.

    Raises:
        StoreError: they cannot be read.
    """
    from madsci.event_manager.stores.sqlite.reading import SqliteReader  # noqa: PLC0415 - as above

    return SqliteReader(url.removeprefix(SQLITE_SCHEME))
