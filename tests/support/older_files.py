"""Event files as earlier versions left them."""

from __future__ import annotations

import json

import apsw


def make_older(file: apsw.Connection, version: int) -> None:
    """Take out of an event file what versions after this one have put there."""
    if version < 6:
        for table, key, value in file.execute("SELECT name, key, value FROM documents").fetchall():
            name, prefix = {"facts": ("value", ""), "done": ("slot", "done/")}.get(table, (None, ""))
            if name is not None:
                fact = (f"{prefix}{key}", json.loads(value)[name])
                file.execute("INSERT INTO facts VALUES (?, ?)", fact)
        file.execute("DROP TABLE raises; DROP TABLE other_commits; DROP TABLE documents")
        file.execute("ALTER TABLE events DROP COLUMN sender")
        file.execute("DELETE FROM facts WHERE key LIKE 'lane/%'")
    if version < 5:
        file.execute("DROP TABLE stale_terms")
    if version < 4:
        file.execute("DROP TABLE damaged_events; ALTER TABLE events DROP COLUMN checksum")
    if version < 3:
        file.execute("DROP INDEX archived_events")
    if version < 2:
        file.execute("DROP TABLE event_terms")
    file.pragma("user_version", version)
