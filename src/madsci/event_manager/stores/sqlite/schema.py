"""The tables of an event file, and what a file must be to be opened.

The columns of events are those of ``columns``. Index upkeep is the limit of ingest, so there
are few: a page of events in order, the same for serious events, the same for one node, those that are
archived, and one inverted index for words, types and ids (see ``terms``). The first and the third also
hold what histograms count by, so that counting does not touch the events themselves.
"""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Final

import apsw

from madsci.common.errors import SchemaVersionError
from madsci.event_manager.stores.sqlite import columns, tables, terms
from madsci.event_manager.stores.sqlite.damage.indexes import insert_terms_anew
from madsci.event_manager.stores.sqlite.facts import NOTED_FROM, as_document, last_seq, set_fact
from madsci.event_manager.stores.sqlite.file.copying import copy_file
from madsci.event_manager.stores.sqlite.file.shrinkable import make_shrinkable
from madsci.event_manager.stores.sqlite.transaction import snapshot, transaction

_logger = logging.getLogger(__name__)

APPLICATION_ID: Final = 0x4D414445  # "MADE": marks a file as an event store in its SQLite header
SCHEMA_VERSION: Final = 6

SERIOUS_LEVEL: Final = 40
"""Events from this level on have an index of their own: they are few and often asked for."""

_DAMAGED: Final = """
CREATE TABLE damaged_events (           -- rows of events that are not what was written
    seq INTEGER PRIMARY KEY,
    event_id TEXT,                      -- as far as it can be read
    reason TEXT NOT NULL,
    found_at INTEGER NOT NULL           -- microseconds since 1970, UTC
) STRICT;
"""
_STALE_TERMS: Final = """
CREATE TABLE stale_terms (seq INTEGER PRIMARY KEY) STRICT;  -- gone, and still in event_terms
"""
_FEED: Final = (
    """
CREATE TABLE raises (                   -- where in the order of commits an alert was raised
    seq INTEGER PRIMARY KEY,
    event_seq INTEGER NOT NULL
) STRICT;
CREATE TABLE other_commits (seq INTEGER PRIMARY KEY) STRICT;  -- numbers of what is not in the feed
"""
    + tables.TABLE
)
_TABLES: Final = f"""
CREATE TABLE events (
    {columns.DECLARATION}
) STRICT;
CREATE TABLE facts (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
{_DAMAGED}
{_STALE_TERMS}
{_FEED}
PRAGMA application_id = {APPLICATION_ID};
"""
_ARCHIVED: Final = """
CREATE INDEX archived_events ON events (archived_at, event_id) WHERE archived = 1;
"""
_INDEXES: Final = f"""
CREATE INDEX events_by_time ON events (event_timestamp, event_id, log_level, event_type, archived);
CREATE INDEX serious_events_by_time ON events (event_timestamp, event_id)
    WHERE log_level >= {SERIOUS_LEVEL};
CREATE INDEX events_by_node ON events (node_id, event_timestamp, event_id, log_level, archived)
    WHERE node_id IS NOT NULL;
{_ARCHIVED}
{terms.TABLE};
PRAGMA user_version = {SCHEMA_VERSION};
"""
_COMMENT: Final = re.compile("--.*")
_SPACES: Final = re.compile(r"\s+")
_DROP_INDEXES_OF_1: Final = """
DROP INDEX events_by_time;
DROP INDEX serious_events_by_time;
DROP INDEX events_by_node;
"""


def prepare(connection: apsw.Connection, path: str, *, keeps_copy: bool = True) -> None:
    """Make the tables in a new file, bring those of an older version up to date, accept the others.

    Before an older file is changed, it is copied to ``<path>.before-schema-6`` if ``keeps_copy``.

    Raises:
        SchemaVersionError: the file belongs to another program or a newer version of this one.
    """
    application = connection.pragma("application_id")
    version = connection.pragma("user_version")
    if application == APPLICATION_ID and version == SCHEMA_VERSION:
        return
    number = connection.execute("SELECT count(*) FROM sqlite_schema").get
    if application == 0 and version == 0 and number == 0:
        # Lets deleting give disk back page by page. To be said before the first table; costs 2 %.
        connection.pragma("auto_vacuum", "INCREMENTAL")
        with transaction(connection):
            connection.execute(_TABLES + _INDEXES)
        return
    if application == APPLICATION_ID and version in _UPGRADES:
        if keeps_copy:
            _keep_copy(connection, path)
        make_shrinkable(connection, path)
        events = connection.execute("SELECT count(*) FROM events").get
        _logger.warning("%s is brought up to date: it holds %d events", path, events)
        with transaction(connection):
            _UPGRADES[version](connection)
        return
    if application != APPLICATION_ID:
        raise SchemaVersionError(
            f"{path} is a SQLite database of another program (it has {number} tables of its own)."
            " Name another file with EVENT_DB_URL=sqlite:///path/to/events.db."
        )
    raise SchemaVersionError(
        f"{path} has event store schema {version}, this version of the Event Manager reads"
        f" {SCHEMA_VERSION}. Start the version that wrote it, or name another file."
    )


def _keep_copy(connection: apsw.Connection, path: str) -> None:
    target = Path(f"{path}.before-schema-{SCHEMA_VERSION}")
    target.unlink(missing_ok=True)  # of an upgrade that was interrupted
    with snapshot(connection):
        connection.execute("SELECT count(*) FROM facts").fetchall()
        copy_file(connection, target)
    _logger.warning("%s was copied to %s before it is brought up to date", path, target)


def described(connection: apsw.Connection) -> dict[str, str]:
    """Return how tables and indexes are defined, by their names; those of the engine are left out.

    A column that was added later stands there without the comment and the spaces of the others.
    """
    rows = connection.execute(
        "SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'"
    )
    return {str(name): _SPACES.sub("", _COMMENT.sub("", str(sql))) for name, sql in rows}


def _upgrade_from_1(connection: apsw.Connection) -> None:
    """Make the indexes of this version; the events stay as they are."""
    connection.execute(_DROP_INDEXES_OF_1 + _INDEXES)
    _upgrade_from_3(connection)


def _upgrade_from_2(connection: apsw.Connection) -> None:
    connection.execute(_ARCHIVED)
    _upgrade_from_3(connection)


def _upgrade_from_3(connection: apsw.Connection) -> None:
    connection.execute(columns.added("checksum") + _DAMAGED)
    _upgrade_from_4(connection)


def _upgrade_from_4(connection: apsw.Connection) -> None:
    """Write the terms anew: those of ids and types were hashes, and traces and alerts had none."""
    connection.execute(_STALE_TERMS + columns.added("sender"))  # the column is read with the others
    insert_terms_anew(connection)
    _begin_feed(connection)


def _upgrade_from_5(connection: apsw.Connection) -> None:
    connection.execute(columns.added("sender"))
    _begin_feed(connection)


def _begin_feed(connection: apsw.Connection) -> None:
    """Begin to note what each number of a commit was given to; facts about the lab become documents."""
    connection.execute(_FEED)
    for key, value in connection.execute("SELECT key, value FROM facts").fetchall():
        document = as_document(str(key), str(value))
        if document is not None:
            tables.apply(connection, [document], None)
            connection.execute("DELETE FROM facts WHERE key = ?", (key,))
    set_fact(connection, NOTED_FROM, str(last_seq(connection)))
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


_UPGRADES: Final = {
    1: _upgrade_from_1,
    2: _upgrade_from_2,
    3: _upgrade_from_3,
    4: _upgrade_from_4,
    5: _upgrade_from_5,
}
