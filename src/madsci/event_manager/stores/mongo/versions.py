"""Which version a database has, and whether a server may work with it.

The record is that of earlier releases: documents in ``schema_versions`` with the version, when it was
applied and a note; the newest counts. Their databases say 1.0.0 or nothing, and hold times as they
came.
"""

from __future__ import annotations

import re
from datetime import datetime, timezone
from typing import Final

from pymongo.errors import DuplicateKeyError

from madsci.common.errors import SchemaVersionError
from madsci.event_manager.stores.mongo.connection import Database
from madsci.event_manager.stores.mongo.schema import Schema, ensure_indexes
from madsci.event_manager.stores.mongo.turns import TURNS
from madsci.event_manager.stores.upkeep import DatabaseState, DatabaseVersion

VERSIONS: Final = "schema_versions"
RESTORING: Final = "__restoring"
REPLACED: Final = "__replaced"
JOURNAL: Final = "restore_journal"
"""Names of what a restore needs for a while; see ``dump``."""

_VERSION: Final = re.compile(r"\d+\.\d+\.\d+")


def content(database: Database) -> list[str]:
    """Return the names of the collections that hold what the database is for."""
    return sorted(
        name
        for name in database.list_collection_names()
        if not name.startswith("system.")
        and name not in (TURNS, JOURNAL)
        and not name.endswith((RESTORING, REPLACED))
    )


def read_version(database: Database, location: str) -> DatabaseVersion:
    """Return what a database says about itself.

    Raises:
        SchemaVersionError: its record cannot be read.
    """
    newest = database[VERSIONS].find_one({}, sort=[("applied_at", -1)])
    if newest is not None:
        version = newest.get("version")
        if not isinstance(version, str) or not _VERSION.fullmatch(version):
            raise SchemaVersionError(
                f"The version of the database {location} cannot be read: its newest record in"
                f" {VERSIONS} says {version!r:.80}. Nothing was changed. Correct or delete that record."
            )
        return DatabaseVersion(DatabaseState.TRACKED, version)
    if all(database[name].find_one({}, {"_id": 1}) is None for name in content(database)):
        return DatabaseVersion(DatabaseState.FRESH)
    return DatabaseVersion(DatabaseState.UNTRACKED)


def record_version(database: Database, version: str, note: str) -> None:
    """Say in the database which version it has from now on."""
    entry = {"applied_at": datetime.now(timezone.utc), "migration_notes": note}
    try:
        database[VERSIONS].update_one({"version": version}, {"$set": entry}, upsert=True)
    except DuplicateKeyError:  # another server was quicker
        return


def check_version(database: Database, location: str, url: str, events: str) -> None:
    """Return if a server may work with the database; a fresh one is made ready.

    ``url`` is shown in the commands that help, so it has no password.

    Raises:
        SchemaVersionError: it has another version, does not say which, or cannot be read.
    """
    schema = Schema.own()
    found = read_version(database, location)
    if found.state is DatabaseState.FRESH:
        ensure_indexes(database, schema, events)
        record_version(
            database, schema.schema_version,
            f"Auto-initialized schema version {schema.schema_version}",
        )  # fmt: skip
        return
    if found.version == schema.schema_version:
        return
    commands = _commands(url, database.name, events)
    if found.state is DatabaseState.UNTRACKED:
        raise SchemaVersionError(
            "DATABASE INITIALIZATION REQUIRED! SERVER STARTUP ABORTED!\n"
            "The database exists but needs version tracking setup.\n"
            "To resolve this issue, run the migration tool and restart the server.\n\n"
            f"{commands}"
        )
    raise SchemaVersionError(
        "DATABASE VERSION MISMATCH DETECTED! SERVER STARTUP ABORTED!\n"
        f"Database schema version mismatch detected for {database.name}!\n"
        f"Expected: {schema.schema_version}\n"
        f"Current: {found.version}\n" + _advice(found.version or "", schema.schema_version, commands)
    )


def is_newer(version: str, other: str) -> bool:
    """Tell whether a version is newer than another one."""
    return _numbers(version) > _numbers(other)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _advice(found: str, expected: str, commands: str) -> str:
    if is_newer(found, expected):
        return (
            "A newer Event Manager wrote this database. Start that version, or restore a backup that"
            " this one made."
        )
    return f"To resolve this issue, run the migration tool and restart the server.\n\n{commands}"


def _commands(url: str, database: str, events: str) -> str:
    tool = f"python -m madsci.common.mongodb_migration_tool --db-url '{url}' --database '{database}'"
    if events != "events":
        tool += f" --collection-name '{events}'"
    return (
        f"Run one of:\n  {tool}\n  docker-compose run --rm event-manager {tool}"
        " --schema-file '/app/madsci/event_manager/schema.json'"
    )
