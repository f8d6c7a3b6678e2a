"""The new store into which events are saved, and the list of what could not be."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Final

import apsw
from typing_extensions import Self

from madsci.common.durability import sync_file
from madsci.common.errors import StoreDamagedError
from madsci.event_manager.model.stored_event import StoredEvent
from madsci.event_manager.model.tables import Change
from madsci.event_manager.stores.salvage import SHOWN, Salvaged, Trouble, TroubleKind
from madsci.event_manager.stores.sqlite import schema, tables, terms
from madsci.event_manager.stores.sqlite.codec import INSERT, to_row
from madsci.event_manager.stores.sqlite.facts import LAST_SEQ, as_document, fact, set_fact
from madsci.event_manager.stores.sqlite.salvage.rows import Entry

_AT_ONCE: Final = 2_000
"""Events in a transaction."""
_NOTES: Final = """
CREATE TEMP TABLE wanted (seq INTEGER PRIMARY KEY, event_id TEXT NOT NULL);
CREATE INDEX temp.wanted_by_id ON wanted (event_id);
CREATE TEMP TABLE damaged (
    seq INTEGER, event_id TEXT, place TEXT NOT NULL, reason TEXT NOT NULL, content TEXT NOT NULL
);
CREATE TEMP TABLE unsure (seq INTEGER PRIMARY KEY, event_id TEXT, place TEXT, reason TEXT NOT NULL);
"""
"""What is known so far; on disk, since a file may hold more events than memory."""
_IS_SAVED: Final = (
    "SELECT 1 FROM events WHERE seq = ? UNION ALL SELECT 1 FROM events WHERE event_id = ?"
)
_DAMAGED: Final = """
SELECT seq, event_id, place, reason, content FROM damaged
WHERE seq NOT IN (SELECT seq FROM events)
    AND (event_id IS NULL OR event_id NOT IN (SELECT event_id FROM events))
GROUP BY seq ORDER BY seq
"""
_MISSING: Final = """
SELECT seq, event_id FROM wanted
WHERE seq NOT IN (SELECT seq FROM damaged)
    AND event_id NOT IN (SELECT event_id FROM damaged WHERE event_id IS NOT NULL) ORDER BY seq
"""


class Target:
    """A new event file under a temporary name. ``finish`` makes it whole; to be closed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.events = 0
        self._pending = 0
        path.unlink(missing_ok=True)  # of a run that was killed
        self._file = apsw.Connection(str(path))
        # Until it is whole it is thrown away by whatever goes wrong.
        self._file.pragma("journal_mode", "OFF")
        self._file.pragma("synchronous", "OFF")
        self._file.pragma("cache_size", -131_072)
        schema.prepare(self._file, str(path))
        self._file.execute(_NOTES)
        self._file.execute("BEGIN")

    def add(self, seq: int, event: StoredEvent) -> bool:
        """Keep an event under its number; ``False`` if the number or the id are there already."""
        if self.has(Entry(event.event_id, seq)):
            return False
        self._file.execute(INSERT, to_row(event, seq))
        terms.insert(self._file, seq, [terms.terms_of(event)])
        self._file.execute("DELETE FROM wanted WHERE seq = ? OR event_id = ?", (seq, event.event_id))
        self.events += 1
        self._pending += 1
        if self._pending == _AT_ONCE:
            self._pending = 0
            self._file.execute("COMMIT; BEGIN")
        return True

    def has(self, entry: Entry) -> bool:
        """Tell whether an event with this number or id is there."""
        return self._file.execute(_IS_SAVED, (entry.seq, entry.event_id)).fetchone() is not None

    def greatest_before(self, seq: int) -> int:
        """Return the greatest number of a saved event below a number, or 0."""
        before = "SELECT coalesce(max(seq), 0) FROM events WHERE seq < ?"
        return int(self._file.execute(before, (seq,)).get)

    def want(self, entry: Entry) -> None:
        """Look out for an event that an index tells of."""
        self._file.execute("INSERT OR IGNORE INTO wanted VALUES (?, ?)", (entry.seq, entry.event_id))

    @property
    def number_wanted(self) -> int:
        """Events that are looked out for."""
        return int(self._file.execute("SELECT count(*) FROM wanted").get)

    def is_wanted(self, entry: Entry) -> tuple[bool, bool]:
        """Tell whether somebody looks out for the number, and for the id, of an event."""
        by_seq = self._file.execute("SELECT event_id FROM wanted WHERE seq = ?", (entry.seq,)).get
        if by_seq == entry.event_id:
            return True, True
        by_id = "SELECT 1 FROM wanted WHERE event_id = ?"
        return by_seq is not None, self._file.execute(by_id, (entry.event_id,)).get is not None

    def note_damaged(self, seq: int | None, place: str, reason: str, content: dict[str, Any]) -> None:
        """Remember a row that is not what was written, in case that no other copy is found."""
        event_id = content.get("event_id")
        named = event_id if isinstance(event_id, str) else None
        self._file.execute(
            "INSERT INTO damaged VALUES (?, ?, ?, ?, ?)",
            (seq, named, place, reason, json.dumps(content)),
        )

    def note_unsure(self, seq: int, event_id: str, place: str | None, reason: str) -> None:
        """Remember that something about a saved event is not sure."""
        self._file.execute(
            "INSERT OR IGNORE INTO unsure VALUES (?, ?, ?, ?)", (seq, event_id, place, reason)
        )

    def saved(self) -> Iterator[Entry]:
        """Return what was saved, in the order of commits."""
        for seq, event_id in self._file.execute("SELECT seq, event_id FROM events ORDER BY seq"):
            yield Entry(event_id, seq)

    def set_facts(self, facts: dict[str, str], least: int) -> None:
        """Keep facts of a file; no number of an event up to ``least`` comes again.

        Those about the lab, in files of earlier versions, become documents.
        """
        for key, value in facts.items():
            document = as_document(key, value)
            if document is None:
                set_fact(self._file, key, value)
            else:
                tables.apply(self._file, [document], None)
        greatest = "SELECT max(coalesce((SELECT max(seq) FROM events), 0), ?)"
        numbers = [int(self._file.execute(greatest, (least,)).get)]
        told = fact(self._file, LAST_SEQ) or "0"
        numbers.append(int(told) if told.isdecimal() else 0)
        set_fact(self._file, LAST_SEQ, str(max(numbers)))

    def put(self, documents: list[Change]) -> None:
        """Keep documents of the small tables."""
        tables.apply(self._file, documents, None)

    def troubles(self) -> Iterator[Trouble]:
        """Return what became of the events that were not saved as they should have been."""
        for seq, event_id, place, reason, content in self._file.execute(_DAMAGED):
            read = json.loads(content)
            yield Trouble(TroubleKind.DAMAGED, reason, seq, event_id, place, read)
        for seq, event_id in self._file.execute(_MISSING):
            yield Trouble(TroubleKind.MISSING, "an index has it, and its row is nowhere", seq, event_id)
        for seq, event_id, place, reason in self._file.execute("SELECT * FROM unsure ORDER BY seq"):
            yield Trouble(TroubleKind.UNSURE, reason, seq, event_id, place)

    def finish(self) -> None:
        """Check the file, and return when it is on disk.

        Raises:
            StoreDamagedError: it is not as it should be; the disk is to be doubted.
        """
        self._file.execute("COMMIT")
        self._file.close()
        with closing(apsw.Connection(str(self.path), flags=apsw.SQLITE_OPEN_READONLY)) as file:
            found = file.execute("PRAGMA quick_check(1)").get
            events = file.execute("SELECT count(*) FROM events").get
        if found != "ok" or events != self.events:
            raise StoreDamagedError(
                f"Of {self.events:,} events {events:,} could be read back from {self.path} ({found})."
                " Check the disk, or name another one with --to."
            )
        sync_file(self.path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(apsw.Error):
            self._file.close()


class TroubleList:
    """A file with a line for each trouble, made with the first of them."""

    def __init__(self, path: Path, salvaged: Salvaged) -> None:
        self._path = path
        self._salvaged = salvaged
        path.unlink(missing_ok=True)

    def write(self, troubles: Iterator[Trouble]) -> None:
        """Add troubles to the list, and to what was saved and what not."""
        for trouble in troubles:
            told = self._salvaged
            if told.counts[trouble.kind] < SHOWN:
                told.shown.append(trouble)
            told.counts[trouble.kind] += 1
            told.list_path = self._path
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(trouble.as_json()) + "\n")
