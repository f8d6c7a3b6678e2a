"""Going through the trees of an event file, with a sharp eye for what cannot be as it was written."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from madsci.event_manager.stores.sqlite.salvage.btree import INTERIOR, Cell, Kind, Node, read_node
from madsci.event_manager.stores.sqlite.salvage.pages import Image, Pages
from madsci.event_manager.stores.sqlite.salvage.records import record
from madsci.event_manager.stores.sqlite.salvage.rows import entry_by_id, entry_by_time, values_of_row

_LEAST: Final = -(1 << 63) - 1
_GREATEST: Final = (1 << 63) - 1
_FIRST_ROOTS: Final = {"events": (2, 3), "sqlite_autoindex_events_1": (3, 4)}
"""Where the trees that are made first begin, after the first page and perhaps one that maps others."""
_SCHEMA_COLUMNS: Final = 5
_DEEP: Final = 12
"""Levels that no tree has: a tree of 4 KiB pages with six of them has more rows than a lab events."""


class Fault(NamedTuple):
    """A place of a tree that is not as it was written."""

    reason: str
    first: int | None = None
    last: int | None = None
    """The numbers of the rows that may have been there, as far as that is known."""


@dataclass
class Walk:
    """What going through a tree found out. ``is_complete`` unless a part of it could not be reached."""

    faults: list[Fault] = field(default_factory=list)
    reached: set[int] = field(default_factory=set)
    """Pages that are in the tree."""

    @property
    def is_complete(self) -> bool:
        """Whether all that the tree holds was gone through."""
        return not self.faults


@dataclass(frozen=True)
class Leaf:
    """A page with rows or entries."""

    image: Image
    cells: list[Cell]


def schema_of(pages: Pages) -> dict[str, int]:
    """Return the first page of each table and index by its name, as far as the schema can be read."""
    roots: dict[str, int] = {}
    for leaf in leaves(pages, 1, Walk(), is_table=True):
        for cell in leaf.cells:
            try:
                values = record(cell.payload or b"")
            except ValueError:
                continue
            if (
                len(values) == _SCHEMA_COLUMNS
                and isinstance(values[1], str)
                and isinstance(values[3], int)
            ):
                roots[values[1]] = values[3]
    return roots


def root_of(pages: Pages, schema: dict[str, int], name: str) -> int | None:
    """Return where a tree begins; where the schema does not tell, where it begins in every new file."""
    told = schema.get(name)
    fits = _has_rows if name == "events" else _has_entries
    places: list[int | None] = [told, *_FIRST_ROOTS.get(name, ())]
    for number in places:
        if number is None:
            continue
        first = next(leaves(pages, number, Walk(), is_table=name == "events"), None)
        if first is not None and (fits(first) or (number == told and not first.cells)):
            return number
    return told


def _has_rows(leaf: Leaf) -> bool:
    return any(values_of_row(cell) is not None for cell in leaf.cells)


def _has_entries(leaf: Leaf) -> bool:
    return any(entry_by_id(cell.payload) or entry_by_time(cell.payload) for cell in leaf.cells)


def leaves(pages: Pages, root: int, walk: Walk, *, is_table: bool) -> Iterator[Leaf]:
    """Return the pages of a tree that hold rows (of a table) or entries (of an index), in their order.

    A page whose keys cannot stand where it is linked is left out: who knows what it is. What is wrong
    is told to ``walk``.
    """
    waiting = [(root, _LEAST, _GREATEST, 0)]
    while waiting:
        number, low, high, depth = waiting.pop()
        between = _between(low, high)
        if number in walk.reached or depth > _DEEP:
            walk.faults.append(Fault(f"page {number:,} is linked more than once", *between))
            continue
        image = pages.newest(number)
        node = None if image is None else read_node(pages, image)
        reason = "is not there" if image is None else _misfit(node, low, high, is_table=is_table)
        if image is None or node is None or reason:
            place = f"page {number:,}" if image is None else image.place
            walk.faults.append(Fault(f"{place} {reason}", *between))
            continue
        walk.reached.add(number)
        if node.unreadable:
            reason = f"{node.unreadable} entries of {image.place} cannot be read"
            walk.faults.append(Fault(reason, *between))
        if not pages.is_current(number):
            reason = f"the last copy of page {number:,}, in the log, is damaged"
            walk.faults.append(Fault(reason, *between))
        if node.kind is not Kind.TABLE_INTERIOR:
            yield Leaf(image, node.cells)
        if node.kind in INTERIOR:
            keys = [cell.key for cell in node.cells if cell.key is not None]
            children = [*(cell.child for cell in node.cells), node.right]
            lows = [low, *keys] if is_table else [low] * len(children)
            highs = [*keys, high] if is_table else [high] * len(children)
            parts = list(zip(children, lows, highs, strict=True))
            waiting += [(child, one, other, depth + 1) for child, one, other in reversed(parts)]


def _misfit(node: Node | None, low: int, high: int, *, is_table: bool) -> str:
    """Say why a page cannot stand where it is linked; nothing where it can."""
    interior, leaf = (
        (Kind.TABLE_INTERIOR, Kind.TABLE_LEAF) if is_table else (Kind.INDEX_INTERIOR, Kind.INDEX_LEAF)
    )
    if node is None or node.kind not in (interior, leaf):
        return "is not what should be there"
    keys = [cell.key for cell in node.cells if cell.key is not None]
    is_ordered = all(one < other for one, other in itertools.pairwise(keys))
    fits = not keys or (low < keys[0] and keys[-1] <= high)
    return "" if is_ordered and fits else "has rows that belong elsewhere"


def _between(low: int, high: int) -> tuple[int | None, int | None]:
    """Return the first and last number between two keys; ``None`` where there is no bound."""
    return (None if low == _LEAST else low + 1), (None if high == _GREATEST else high)
