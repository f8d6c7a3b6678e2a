"""The cells of a page of a tree; see https://www.sqlite.org/fileformat2.html#b_tree_pages."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from madsci.event_manager.stores.sqlite.salvage.log import Standing
from madsci.event_manager.stores.sqlite.salvage.pages import Image, Pages
from madsci.event_manager.stores.sqlite.salvage.records import encoded, size_of, types_of, varint

_LINK: Final = 4
"""Bytes of the number of a page."""
_FILE_HEADER: Final = 100
"""Bytes before the tree on the first page."""


class Kind(IntEnum):
    """What a page of a tree holds."""

    INDEX_INTERIOR = 2
    TABLE_INTERIOR = 5
    INDEX_LEAF = 10
    TABLE_LEAF = 13


INTERIOR: Final = frozenset({Kind.INDEX_INTERIOR, Kind.TABLE_INTERIOR})


@dataclass(frozen=True)
class Cell:
    """An entry. ``payload`` is its record, or ``None`` where that cannot be put together."""

    key: int | None
    """The number of a row, in a table."""
    payload: bytes | None
    child: int = 0
    """The page with smaller keys, in an interior page."""
    is_sure: bool = True
    """Whether all pages that it stands in are as they were written, as far as SQLite can tell."""


@dataclass(frozen=True)
class Node:
    """A page of a tree, as far as it can be read."""

    kind: Kind
    cells: list[Cell]
    right: int
    """The page with the greatest keys, in an interior page."""
    unreadable: int
    """Cells that cannot be found or end too early."""


def read_node(pages: Pages, image: Image) -> Node | None:
    """Return a page's cells, or ``None`` if it is no page of a tree."""
    begin = _FILE_HEADER if image.number == 1 else 0
    data = image.data
    try:
        kind = Kind(data[begin])
    except ValueError:
        return None
    number, _, _ = struct.unpack(">HHB", data[begin + 3 : begin + 8])
    at = begin + (12 if kind in INTERIOR else 8)
    if at + 2 * number > pages.usable:
        return None
    right = struct.unpack(">I", data[begin + 8 : begin + 12])[0] if kind in INTERIOR else 0
    cells: list[Cell] = []
    unreadable = 0
    for place in struct.unpack(f">{number}H", data[at : at + 2 * number]):
        try:
            cells.append(_cell(pages, image, kind, place, least=at))
        except ValueError:
            unreadable += 1
    return Node(kind, cells, right, unreadable)


def _cell(pages: Pages, image: Image, kind: Kind, at: int, least: int) -> Cell:
    if not least <= at < pages.usable:
        raise ValueError("a cell lies outside of its page")
    data, child, key = image.data[: pages.usable], 0, None
    if kind in INTERIOR:
        child, at = struct.unpack(">I", data[at : at + 4].ljust(4, b"\0"))[0], at + 4
    if kind is Kind.TABLE_INTERIOR:
        return Cell(varint(data, at)[0], None, child)
    length, at = varint(data, at)
    if kind is Kind.TABLE_LEAF:
        key, at = varint(data, at)
    payload, is_sure = _payload(pages, image, length, at, is_table=kind is Kind.TABLE_LEAF)
    return Cell(key, payload, child, is_sure)


def _payload(
    pages: Pages, image: Image, length: int, at: int, *, is_table: bool
) -> tuple[bytes | None, bool]:
    """Return a record of some length that begins at a place and may go on in other pages."""
    usable = pages.usable
    most = usable - 35 if is_table else (usable - 12) * 64 // 255 - 23
    if not 0 < length <= (pages.count + len(pages.log.frames) + 1) * pages.size:
        raise ValueError("a record is longer than the file")
    here = length
    if length > most:
        least = (usable - 12) * 32 // 255 - 23
        here = least + (length - least) % (usable - 4)
        here = here if here <= most else least
    payload = image.data[at : min(at + here, usable)]
    if len(payload) < here:
        raise ValueError("a record goes beyond its page")
    is_sure = image.standing is not Standing.DOUBTFUL
    if here == length:
        return payload, is_sure
    following = image.data[at + here : at + here + 4]
    if len(following) < _LINK:
        raise ValueError("a record goes beyond its page")
    rest, all_sure = _chain(pages, image, struct.unpack(">I", following)[0], length - here)
    return (None if rest is None else payload + rest), is_sure and all_sure


def _chain(pages: Pages, image: Image, first: int, length: int) -> tuple[bytes | None, bool]:
    """Return what stands in a chain of overflow pages, as they were with the page that begins it."""
    parts: list[bytes] = []
    number, left, is_sure = first, length, True
    while left > 0:
        page = pages.as_of(number, image.until)
        if page is None or (image.is_newest and page.standing is Standing.DOUBTFUL):
            return None, False
        is_sure = is_sure and page.standing is not Standing.DOUBTFUL
        parts.append(page.data[4 : 4 + min(left, pages.usable - 4)])
        left -= pages.usable - 4
        number = struct.unpack(">I", page.data[:4])[0]
    return b"".join(parts), is_sure


_HEADER: Final = re.compile(rb"[\x0e-\x7f]\x00(?=[\x81-\xff]*[\x0d-\x7f])")
"""Begins the record of a row whose first column is its number: the length of a header, and no value."""


def carve(pages: Pages, image: Image) -> Iterator[Cell]:
    """Return what looks like rows of a table anywhere in a page, whatever its header says.

    Some of it was deleted, or is an older state of a row.
    """
    data = image.data[: pages.usable]
    for match in _HEADER.finditer(data):
        begin = match.start()
        try:
            kinds, header = types_of(data[begin : begin + 128])
            length = header + sum(map(size_of, kinds))
        except ValueError:
            continue
        told = encoded(length)
        for digits in range(1, 10):
            start = begin - digits - len(told)
            if start < 0 or data[start : start + len(told)] != told:
                continue
            try:
                key, end = varint(data, begin - digits)
                if end == begin:
                    payload, is_sure = _payload(pages, image, length, begin, is_table=True)
                    yield Cell(key, payload, is_sure=is_sure)
            except ValueError:
                continue
