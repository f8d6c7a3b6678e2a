"""Which version a database has, and whether a server may work with it.

The record is that of earlier releases: documents in ``schema_versions`` with the version, when it was
applied and a note; the newest counts. Their databases say 1.0.0 or nothing, and hold times as they
came.
"""

from __future__ import annotations

import logging
import re
from datetime import datetime, timedelta, timezone
from typing import Final

from pymongo.errors import DuplicateKeyError, ExecutionTimeout

from madsci.common.errors import SchemaVersionError
from madsci.common.settings.masking import REDACTED
from madsci.event_manager.stores.mongo.connection import Collection, Database, Document
from madsci.event_manager.stores.mongo.schema import EVENTS, Schema, ensure_indexes, schema_file
from madsci.event_manager.stores.mongo.turns import TURNS
from madsci.event_manager.stores.upkeep import DatabaseState, DatabaseVersion, is_newer

_logger = logging.getLogger(__name__)

VERSIONS: Final = "schema_versions"
RESTORING_END: Final = "__restoring"
REPLACED: Final = "__replaced"
JOURNAL: Final = "restore_journal"
"""Names of what a restore needs for a while; see ``restoring``. The journal also says where the backup
of a migration is while it is at work; it is in no backup itself."""
_LOOK_MS: Final = 2_000
"""Milliseconds to look for events of earlier releases where no index tells."""
_MIGRATION: Final = {"_id": "migration"}

_VERSION: Final = re.compile(r"\d+\.\d+\.\d+")


def content(database: Database) -> list[str]:
    """Return the names of the collections that hold what the database is for."""
    return sorted(
        name
        for name in database.list_collection_names()
        if not name.startswith("system.")
        and name not in (TURNS, JOURNAL)
        and not name.endswith((RESTORING_END, REPLACED))
    )


def read_version(database: Database, location: str, events: str) -> DatabaseVersion:
    """Return what a database says about itself, and about its collection of events.

    Raises:
        SchemaVersionError: its record cannot be read.
    """
    newest = _newest(database)
    if newest is None and not _is_empty(database):
        # A server that starts at the same time records the version, and then writes.
        newest = _newest(database)
        if newest is None:
            return DatabaseVersion(DatabaseState.UNTRACKED)
    if newest is None:
        return DatabaseVersion(DatabaseState.FRESH)
    version = newest.get("version")
    if not isinstance(version, str) or not _VERSION.fullmatch(version):
        raise SchemaVersionError(
            f"The version of the database {location} cannot be read: its newest record in"
            f" {VERSIONS} says {version!r:.80}. Nothing was changed. Correct or delete that record."
        )
    if not _is_told(newest, events) and database[events].find_one({}, {"_id": 1}) is not None:
        return DatabaseVersion(DatabaseState.UNTRACKED)
    has_older = version == Schema.own().schema_version and _has_older(database[events])
    return DatabaseVersion(DatabaseState.TRACKED, version, has_older)


def _has_older(events: Collection) -> bool:
    """Tell whether an earlier release, which does not say when it received an event, wrote one since.

    An index tells at once; where the server has none, it looks as far as it comes.
    """
    try:
        return events.find_one({"received_at": None}, {"_id": 1}, max_time_ms=_LOOK_MS) is not None
    except ExecutionTimeout:
        return False


def _newest(database: Database) -> Document | None:
    return database[VERSIONS].find_one({}, sort=[("applied_at", -1)])


def _is_empty(database: Database) -> bool:
    return all(database[name].find_one({}, {"_id": 1}) is None for name in content(database))


def _is_told(record: Document, events: str) -> bool:
    """Whether a record is about a collection of events; those of earlier releases do not say."""
    return events in record.get("collections", [events])


def record_version(database: Database, version: str, note: str, events: str) -> None:
    """Say in the database which version it, and a collection of events in it, has from now on."""
    now, newest = datetime.now(timezone.utc), _newest(database)
    applied_at = newest and newest.get("applied_at")
    if isinstance(applied_at, datetime) and newest and newest.get("version") != version:
        # The newest counts, also where it was made by a clock that is ahead of ours.
        now = max(now, applied_at + timedelta(milliseconds=1))
    entry = {"applied_at": now, "migration_notes": note}
    told = {"$set": entry, "$addToSet": {"collections": events}}
    try:
        database[VERSIONS].update_one({"version": version}, told, upsert=True)
    except DuplicateKeyError:  # another server was quicker
        database[VERSIONS].update_one({"version": version}, told)


def begin_migration(database: Database, backup: str) -> None:
    """Say that a migration begins, and where its backup is."""
    database[JOURNAL].replace_one(_MIGRATION, {"backup": backup}, upsert=True)


def begun_migration(database: Database) -> str | None:
    """Return the backup of a migration that began and did not end."""
    begun = database[JOURNAL].find_one(_MIGRATION)
    return None if begun is None else str(begun["backup"])


def end_migration(database: Database) -> None:
    """Say that no migration is at work any more."""
    database[JOURNAL].drop()  # nobody restores while one is


def check_version(database: Database, location: str, url: str, events: str) -> None:
    """Return if a server may work with the database; a fresh one, or collection, is made ready.

    ``url`` is shown in the commands that help, so it has no password.

    Raises:
        SchemaVersionError: it has another version, does not say which, or cannot be read.
    """
    schema = Schema.own()
    found = read_version(database, location, events)
    newest = _newest(database)
    if found.state is DatabaseState.FRESH or (
        found.version == schema.schema_version and newest and not _is_told(newest, events)
    ):
        ensure_indexes(database, schema, events)
        note = f"Auto-initialized schema version {schema.schema_version}"
        record_version(database, schema.schema_version, note, events)
        return
    commands = _commands(url, database.name, events)
    if found.version == schema.schema_version:
        if found.has_older:
            _logger.warning(
                "%s holds events that an earlier release wrote since it was migrated. They are listed"
                " and found by id; others look in vain for their times and types. Stop that release,"
                " and this server for a moment. %s",
                location,
                commands,
            )
        return
    if found.state is DatabaseState.UNTRACKED:
        raise SchemaVersionError(f"{_INITIALISE}\n\n{commands}")
    mismatch = (
        "DATABASE VERSION MISMATCH DETECTED! SERVER STARTUP ABORTED!\n"
        f"Database schema version mismatch detected for {database.name}!\n"
        f"Expected: {schema.schema_version}\n"
        f"Current: {found.version}"
    )
    if is_newer(found.version or "", schema.schema_version):
        raise SchemaVersionError(
            f"{mismatch}\nA newer Event Manager wrote this database. Start that version, or restore a"
            " backup that this one made."
        )
    raise SchemaVersionError(f"{_INITIALISE}\n\n{mismatch}\n\n{commands}")


_INITIALISE: Final = (
    "DATABASE INITIALIZATION REQUIRED! SERVER STARTUP ABORTED!\n"
    "The database exists but needs version tracking setup.\n"
    "To resolve this issue, run the migration tool and restart the server."
)
"""What the documentation of MADSci says of a database that an earlier release wrote."""


def _commands(url: str, database: str, events: str) -> str:
    names = f"--db-url '{url}' --database '{database}'"
    if events != EVENTS:
        names += f" --collection-name '{events}'"
    tool = "python -m madsci.common.mongodb_migration_tool"
    in_docker = " --schema-file '/app/madsci/event_manager/schema.json'"
    # The tool finds the schema by itself where the database has its usual name.
    own = "" if database == Schema.own().database else f" --schema-file '{schema_file()}'"
    commands = (
        f"Run one of:\n  {tool} {names}{own}\n"
        f"  docker-compose run --rm event-manager {tool} {names}{in_docker}"
    )
    if REDACTED in url:
        commands += f"\nwith user and password in the place of {REDACTED}."
    return commands
