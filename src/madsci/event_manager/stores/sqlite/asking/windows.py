"""Walking an index in windows, in each of which the inverted index is asked about its events only.

What the inverted index lists has the order of commits, which is nearly that of time: the events of a
window have numbers that lie close together, and between two numbers the list is read without what is
before. Windows grow, so that there are few of them however far the walk goes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

import apsw

from madsci.event_manager.model.query import Place, Query
from madsci.event_manager.model.selector import And, Compare, Equals, Selector, conjuncts
from madsci.event_manager.model.sorting import Sort
from madsci.event_manager.stores.sqlite.asking.compile import (
    asks_for_serious_levels,
    behind,
    compile_selector,
    not_behind,
    order_by,
    sort_terms,
)
from madsci.event_manager.stores.sqlite.asking.selectivity import Numbers, listed_up_to

_FEW: Final = 500
"""Listed events that are simply all looked up: that takes a millisecond."""
_PASSED: Final = 8
"""Entries of an index that are passed in the time in which one listed event is looked up."""
_FIRST: Final = 4
_GROWTH: Final = 4
"""Entries of the first window for each event of the page, and by how much the next one is larger."""
_LARGEST: Final = 2**40


class Window(NamedTuple):
    """The part of an order behind a place up to a last one, or to its end where there is none."""

    after: Place | None
    last: Place | None
    numbers: Numbers | None
    """The events in it have numbers from one to another; ``None`` for any numbers."""
    is_looked_up: bool
    """Whether to look up what the inverted index lists, instead of passing over the entries."""


def windows(connection: apsw.Connection, query: Query, match: str | None) -> Iterator[Window]:
    """Yield the windows of an answer in its order, but those without a match; ``match`` narrows it.

    As soon as the entries that are passed take longer than looking up all that is listed, the rest is
    one window.
    """
    walk = _Walk(connection, query)
    after, passed = query.after, 0
    size = min(_FIRST * (query.offset + query.limit + 1), _LARGEST)
    while True:
        bound = max(_FEW, (passed + size) // _PASSED)
        if match is not None and listed_up_to(connection, match, bound) < bound:
            yield Window(after, None, None, is_looked_up=True)
            return
        last = walk.place_behind(after, size)
        numbers = walk.numbers(after, last)
        if numbers is not None:
            bound = size // _PASSED
            listed = bound if match is None else listed_up_to(connection, match, bound, numbers)
            if listed:
                yield Window(after, last, numbers, is_looked_up=listed < bound)
        if last is None:
            return
        after, passed, size = last, passed + size, min(size * _GROWTH, _LARGEST)


class _Walk:
    """The entries of the index that a question walks over, whether they match or not."""

    def __init__(self, connection: apsw.Connection, query: Query) -> None:
        self._connection = connection
        self._sort = query.sort
        self._selector = And(
            tuple(part for part in conjuncts(query.selector) if _is_bound(part, query.sort))
        )

    def place_behind(self, after: Place | None, size: int) -> Place | None:
        """Return the place of the last of so many entries, ``None`` if there are fewer."""
        compiled = compile_selector(self._selector)
        terms = sort_terms(self._sort, compiled)
        where = compiled.where
        if after is not None:
            where = f"{where} AND {behind(terms, self._sort, after, compiled)}"
        sql = (
            f"SELECT {', '.join(terms)} FROM events WHERE {where}"  # noqa: S608 - see ``finding``
            f" ORDER BY {order_by(terms, self._sort)} LIMIT 1 OFFSET {compiled.bind(size - 1)}"
        )
        return self._connection.execute(sql, compiled.parameters).fetchone()

    def numbers(self, after: Place | None, last: Place | None) -> Numbers | None:
        """Return the lowest and the highest number between two places, ``None`` if there is none."""
        compiled = compile_selector(self._selector)
        terms = sort_terms(self._sort, compiled)
        where = [compiled.where]
        if after is not None:
            where.append(behind(terms, self._sort, after, compiled))
        if last is not None:
            where.append(not_behind(terms, self._sort, last, compiled))
        sql = f"SELECT min(seq), max(seq) FROM events WHERE {' AND '.join(where)}"  # noqa: S608
        low, high = self._connection.execute(sql, compiled.parameters).get
        return None if low is None else (low, high)


def _is_bound(part: Selector, sort: Sort) -> bool:
    """Tell whether the index of an order is walked only where a part of a selector says."""
    if not isinstance(part, (Compare, Equals)):
        return False
    if part.path == sort[0].path:
        return True
    if sort[0].path != ("event_timestamp",):
        return False
    return asks_for_serious_levels(part) or (
        isinstance(part, Equals) and part.path == ("source", "node_id")
    )
