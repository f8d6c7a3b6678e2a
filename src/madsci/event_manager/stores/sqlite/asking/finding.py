"""Answering a question on a connection: which way into the table, and the page."""

from __future__ import annotations

from typing import Any, Final

import apsw

from madsci.event_manager.model.query import Page, Query
from madsci.event_manager.model.sorting import NEWEST_FIRST, OLDEST_FIRST
from madsci.event_manager.stores.sqlite.asking.compile import (
    PassOver,
    behind,
    compile_selector,
    order_by,
    sort_terms,
)
from madsci.event_manager.stores.sqlite.asking.selectivity import listed_up_to
from madsci.event_manager.stores.sqlite.codec import COLUMNS, NUMBER_OF_COLUMNS
from madsci.event_manager.stores.sqlite.damage.rows import OnDamage, whole_events
from madsci.event_manager.stores.sqlite.terms import narrowing

FROM_EVENTS: Final = "FROM events WHERE "
FROM_TERMS: Final = (
    "FROM event_terms CROSS JOIN events ON events.seq = event_terms.rowid WHERE event_terms MATCH "
)
"""The two ways to the events: in the order of an index, or by what the inverted index lists."""

_FEW: Final = 500
"""Listed events that are simply all looked at: that takes a millisecond."""
_MANY: Final = 500_000
"""Listed events that are too many to look at all for one page."""
_DENSE: Final = 20
"""One of so many of the newest events is listed: then walking the newest finds a page at once."""
_MAX_INT64: Final = 2**63 - 1


def find(
    connection: apsw.Connection, query: Query, on_damage: OnDamage, pass_over: PassOver = None
) -> Page:
    """Return the page of events that answers the question; ``on_damage`` is told of wrong indexes.

    Raises:
        DamageMetError: some of them are damaged, and not among those that are passed over.
    """
    rows = connection.execute(*statement(connection, query, pass_over)).fetchall()
    events = whole_events(connection, rows, on_damage)
    more = len(rows) > query.limit > 0
    place = tuple(rows[query.limit - 1][NUMBER_OF_COLUMNS:]) if more else None
    return Page(events[: query.limit], place, query.sort)


def statement(
    connection: apsw.Connection, query: Query, pass_over: PassOver = None
) -> tuple[str, list[Any]]:
    """Return the statement of a question, which finds one event more than its limit."""
    compiled = compile_selector(query.selector, query.fence, pass_over)
    terms = sort_terms(query.sort, compiled)
    order = order_by(terms, query.sort)
    where = compiled.where
    if query.after is not None:
        where = f"{where} AND {behind(terms, query.sort, query.after, compiled)}"
    match = narrowing(query.selector)
    is_listed = match is not None and _is_shorter(connection, match, query)
    way = f"{FROM_TERMS} {compiled.bind(match)} AND " if is_listed else FROM_EVENTS
    limit = (
        f"LIMIT {compiled.bind(query.limit + 1)} OFFSET {compiled.bind(min(query.offset, _MAX_INT64))}"
    )
    chosen = f"SELECT {COLUMNS}, {', '.join(terms)}"
    # Everything spliced here was written by the compiler; what users sent is bound.
    if not is_listed and query.sort in (NEWEST_FIRST, OLDEST_FIRST):
        return f"{chosen} {way} {where} ORDER BY {order} {limit}", compiled.parameters
    # Without an index in this order all matches are sorted: their places only, not all they hold.
    places = f"SELECT events.seq AS place {way} {where} ORDER BY {order} {limit}"
    sql = f"{chosen} FROM ({places}) CROSS JOIN events ON events.seq = place ORDER BY {order}"
    return sql, compiled.parameters


def _is_shorter(connection: apsw.Connection, match: str, query: Query) -> bool:
    """Tell whether to look at all events that the inverted index lists, instead of walking in order."""
    if listed_up_to(connection, match, _FEW) < _FEW:
        return True
    if query.after is None and query.sort == NEWEST_FIRST and _is_dense(connection, match, query):
        return False
    return listed_up_to(connection, match, _MANY) < _MANY


def _is_dense(connection: apsw.Connection, match: str, query: Query) -> bool:
    wanted = query.offset + query.limit
    last = connection.execute("SELECT max(seq) FROM events").get
    seq = connection.execute(
        "SELECT rowid FROM event_terms WHERE event_terms MATCH ? ORDER BY rowid DESC LIMIT 1 OFFSET ?",
        (match, min(wanted, _MAX_INT64)),
    ).get
    return seq is not None and last - seq <= _DENSE * (wanted + 1)
