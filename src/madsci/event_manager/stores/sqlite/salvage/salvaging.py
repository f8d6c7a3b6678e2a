"""Saving the events of a damaged file: first by its trees, then wherever a copy of a row is.

What the trees say is what the server would have answered. Where a part of them cannot be reached, or a
row is damaged, every copy of every page is looked through, in the file and in the log. An index tells
which events there are: a row that it knows is taken from anywhere; one that it does not know was
deleted, unless that part of the index is lost, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Final

from madsci.event_manager.model.stored_event import StoredEvent
from madsci.event_manager.model.tables import DONE, FACTS, Change
from madsci.event_manager.stores.salvage import Trouble, TroubleKind
from madsci.event_manager.stores.sqlite.facts import WRONG_INDEXES
from madsci.event_manager.stores.sqlite.salvage import rows
from madsci.event_manager.stores.sqlite.salvage.btree import Cell, Kind, carve, read_node
from madsci.event_manager.stores.sqlite.salvage.log import Standing
from madsci.event_manager.stores.sqlite.salvage.pages import Image, Pages
from madsci.event_manager.stores.sqlite.salvage.rows import Entry, RowReader
from madsci.event_manager.stores.sqlite.salvage.target import Target
from madsci.event_manager.stores.sqlite.salvage.trees import (
    Fault,
    Walk,
    leaves,
    root_of,
    schema_of,
)
from madsci.event_manager.stores.upkeep import Progress

_INDEXES: Final = {
    "sqlite_autoindex_events_1": rows.entry_by_id,
    "events_by_time": rows.entry_by_time,
}
_NOT_CONCLUDED: Final = {FACTS, DONE}
"""Tables whose documents nobody makes anew from the events."""
_AGE: Final = "from a copy that may be older: whether it was archived or alerted since is not known"
_DELETED: Final = "the index that would tell is damaged: it may have been deleted before"
_UNFINISHED: Final = "the log is damaged where it ends: it may not have been acknowledged"
_UNCHECKED: Final = "it has no checksum, and its page in the log is damaged"


@dataclass(frozen=True)
class Found:
    """A copy of a row."""

    entry: Entry
    event: StoredEvent
    is_verified: bool
    """Whether the copy is what was written, by a checksum or as far as SQLite can tell."""


class Salvaging:
    """One run over the pages of a file."""

    def __init__(self, pages: Pages, target: Target, reader: RowReader, progress: Progress) -> None:
        self._pages, self._target, self._reader, self._progress = pages, target, reader, progress
        self._schema = schema_of(pages)
        self.events_walk = Walk()
        self._index_walks = {name: Walk() for name in _INDEXES}
        self._faults: list[Fault] = []
        self.greatest = 0
        """The greatest number of an event that anything tells of."""

    def run(self) -> None:
        """Save the events of the file and its log into the target."""
        self._save_by_tree()
        self._look_out_by_indexes()
        self._save_from_anywhere()

    def save_left_over(self, pages: Pages) -> None:
        """Save what a log holds that was set aside at a start, because SQLite could not read its end.

        The numbers of its lost events are left out in the store, up to the last of them. What else is
        in it and not in the store was deleted since.
        """
        lost = (self._lost(cell) for _, cell in self._cells_of_log(pages))
        last = max((seq for seq in lost if seq is not None), default=0)
        least = self._target.greatest_before(last)
        if last:
            faults = [f"{fault} ({pages.log_name})" for fault in pages.log.faults]
            self._faults += [Fault(fault, least + 1, last) for fault in faults]
        for image, cell in self._cells_of_log(pages):
            seq = self._lost(cell)
            if seq is not None and seq > least:
                found = self._found(image, cell)
                if found is not None and self._target.add(seq, found.event) and not found.is_verified:
                    self._target.note_unsure(seq, found.entry.event_id, image.place, _UNCHECKED)

    def _cells_of_log(self, pages: Pages) -> Iterator[tuple[Image, Cell]]:
        for image in pages.images():
            if image.frame:
                for cell in _cells(pages, image, carves=False):
                    yield image, cell

    def _lost(self, cell: Cell) -> int | None:
        """Return the number of a row that is not saved."""
        values = rows.values_of_row(cell)
        if values is None or self._target.has(Entry(str(values[1]), int(cell.key or 0))):
            return None
        return cell.key

    @property
    def _knows_all(self) -> bool:
        """Whether an index tells of every event that there is, but for the last in a damaged log."""
        return any(walk.is_complete for walk in self._index_walks.values())

    def _save_by_tree(self) -> None:
        walk = self.events_walk
        root = root_of(self._pages, self._schema, "events")
        if root is None:
            walk.faults.append(Fault("where the events begin is not known"))
            return
        for leaf in leaves(self._pages, root, walk, is_table=True):
            self._progress("reading events", self._target.events, None)
            # The damaged last copy of a page is asked before this one, by whoever looks everywhere.
            if self._pages.is_current(leaf.image.number):
                for cell in leaf.cells:
                    self.greatest = max(self.greatest, cell.key or 0)
                    found = self._found(leaf.image, cell)
                    if found is not None:
                        self._target.add(found.entry.seq, found.event)

    def _found(self, image: Image, cell: Cell) -> Found | None:
        """Return the event of a cell; a cell of the table that holds none is noted as damaged."""
        values = rows.values_of_row(cell)
        reason = "its row cannot be read"
        if values is not None:
            try:
                event = self._reader.event(values)
                entry = Entry(event.event_id, int(cell.key or 0))
                has_checksum = rows.checksum_of(values) is not None
                return Found(entry, event, cell.is_sure or has_checksum)
            except ValueError as error:
                reason = str(error)
        self._target.note_damaged(cell.key, image.place, reason, rows.what_can_be_read(cell))
        return None

    def _look_out_by_indexes(self) -> None:
        for name, entry_of in _INDEXES.items():
            walk = self._index_walks[name]
            root = root_of(self._pages, self._schema, name)
            if root is None:
                walk.faults.append(Fault(f"where {name} begins is not known"))
                continue
            for leaf in leaves(self._pages, root, walk, is_table=False):
                self._progress("comparing with indexes", self._target.events, None)
                for cell in leaf.cells:
                    entry = entry_of(cell.payload)
                    if entry is None:
                        walk.faults.append(Fault(f"an entry of {leaf.image.place} cannot be read"))
                    elif not self._target.has(entry):
                        self._target.want(entry)
                        self.greatest = max(self.greatest, entry.seq)
            if walk.is_complete:
                return

    def _save_from_anywhere(self) -> None:
        for verified in (True, False):
            for carves in (False, True):
                for image in self._images():
                    self._progress("looking for copies", self._target.events, None)
                    for cell in _cells(self._pages, image, carves=carves):
                        self._consider(image, cell, verified=verified, carved=carves)

    def _images(self) -> Iterator[Image]:
        """Return the pages in which an event may be that is not saved yet."""
        images = self._pages.images()
        if self._target.number_wanted or not (self.events_walk.is_complete or self._knows_all):
            return images
        if self._pages.log.is_damaged:  # the last transactions may be known to nothing else
            return (image for image in images if image.frame)
        return iter(())

    def _consider(self, image: Image, cell: Cell, *, verified: bool, carved: bool) -> None:
        values = rows.values_of_row(cell)
        if values is None:
            return
        entry = Entry(str(values[1]), int(cell.key or 0))
        if self._target.has(entry):
            return
        has_checksum = rows.checksum_of(values) is not None
        reason = self._why_taken(image, entry, carved=carved, has_checksum=has_checksum)
        if reason is None:
            return
        found = self._found(image, cell)
        if found is None or (verified and not found.is_verified):
            return
        if self._target.add(entry.seq, found.event):
            if not found.is_verified:
                reason = reason or _UNCHECKED
            if reason:
                self._target.note_unsure(entry.seq, entry.event_id, image.place, reason)

    def _why_taken(self, image: Image, entry: Entry, *, carved: bool, has_checksum: bool) -> str | None:
        """Return what is not sure about a row, perhaps nothing; ``None`` if it is not to be taken."""
        wanted = self._target.is_wanted(entry)
        # The entry of an index has no checksum: half of it may be damaged.
        if all(wanted) or (has_checksum and any(wanted)):
            return "" if self._pages.is_last(image) and not carved else _AGE
        if entry.seq > self.greatest and self._is_of_the_end(image):
            return _UNFINISHED
        return None if self._knows_all or not self._is_unknown(entry.seq) else _DELETED

    def _is_of_the_end(self, image: Image) -> bool:
        """Tell whether a page may be of transactions of which the trees know nothing yet."""
        if not image.frame or image.standing is Standing.STALE:
            return False
        return self._knows_all or image.standing in (Standing.UNFINISHED, Standing.STRAY)

    def _is_unknown(self, seq: int) -> bool:
        """Tell whether the tree cannot say if there is an event with a number."""
        return any(
            (fault.first or seq) <= seq <= (fault.last or seq) for fault in self.events_walk.faults
        )

    def facts(self) -> dict[str, str]:
        """Return the facts that the file holds."""
        root = self._schema.get("facts")
        walk = Walk()
        facts: dict[str, str] = {}
        if root is not None:
            for leaf in leaves(self._pages, root, walk, is_table=True):
                facts.update(fact for cell in leaf.cells if (fact := rows.fact_of(cell)))
        if root is None or not walk.is_complete:
            for image in self._pages.images():
                for cell in _cells(self._pages, image, carves=False):
                    fact = rows.fact_of(cell)
                    if fact is not None:
                        facts.setdefault(*fact)
        facts.pop(WRONG_INDEXES, None)  # those of the new file are right
        return facts

    def documents(self) -> list[Change]:
        """Return what puts the documents of the small tables that can be read.

        Where some may be missing, what followers concluded is left out with their places: they conclude
        it anew from the events.
        """
        root = self._schema.get("documents")
        walk = Walk()
        found: list[Change] = []
        if root is not None:
            for leaf in leaves(self._pages, root, walk, is_table=False):
                documents = [rows.document_of(cell) for cell in leaf.cells]
                if None in documents:
                    walk.faults.append(Fault(f"a document of {leaf.image.place} cannot be read"))
                found += [one for one in documents if one is not None]
        if root is not None and walk.is_complete:
            return found
        kept: dict[tuple[str, str], Change] = {}
        for one in chain(found, self._documents_anywhere()):
            if one.table in _NOT_CONCLUDED:
                kept.setdefault((one.table, one.key), one)
        return list(kept.values())

    def _documents_anywhere(self) -> Iterator[Change]:
        for image in self._pages.images():
            node = read_node(self._pages, image)
            if node is not None and node.kind in (Kind.INDEX_LEAF, Kind.INDEX_INTERIOR):
                yield from filter(None, map(rows.document_of, node.cells))

    def places(self) -> Iterator[Trouble]:
        """Return the places that could not be read, where that may have cost events."""
        faults = [*self.events_walk.faults, *self._faults]
        faults += map(Fault, [*self._pages.log.faults, *self._pages.refused()])
        if not self._knows_all:
            faults += [Fault(one.reason) for walk in self._index_walks.values() for one in walk.faults]
        for fault in dict.fromkeys(faults):
            yield Trouble(TroubleKind.UNREADABLE, fault.reason, first=fault.first, last=fault.last)


def _cells(pages: Pages, image: Image, *, carves: bool) -> Iterator[Cell]:
    """Return the rows of a page: those that it lists, or whatever looks like one."""
    if carves:
        # Where several states of a row lie in a page, the last is the one that went the furthest.
        yield from sorted(carve(pages, image), key=_state, reverse=True)
        return
    node = read_node(pages, image)
    if node is not None and node.kind is Kind.TABLE_LEAF:
        yield from node.cells


def _state(cell: Cell) -> tuple[int, int]:
    """Return whether a row is archived, and whether it alerts: neither is ever taken back."""
    values = rows.values_of_row(cell)
    if values is None:
        return 0, 0
    return int(values[rows.ARCHIVED] or 0), int(values[rows.ALERT] or 0)
