"""Answering a question on a connection: which way into the table, and the page.

There are three ways. Where an index has the order, it is walked from the place of the page on. Where
the inverted index narrows the question, too, it is walked in windows, in each of which the inverted
index says which events are worth a look, until that took as long as looking up all that it lists
would; then these are looked up. The order of commits is that of the table and of the inverted index
alike. Other orders sort what matches. So a page costs the same wherever it
lies, and at most twice what the better way would, whatever is frequent or rare, or was so once.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, Generic

import apsw

from madsci.event_manager.model.query import Filling, Item, JsonPage, Page, Query
from madsci.event_manager.model.selector import Text, leaves
from madsci.event_manager.model.sorting import NEWEST_FIRST, OLDEST_FIRST, SortKey
from madsci.event_manager.model.stored_event import StoredEvent, encode_event, size_of
from madsci.event_manager.stores.base import Damage
from madsci.event_manager.stores.sqlite.asking.compile import (
    CompiledSelector,
    PassOver,
    behind,
    compile_selector,
    is_listed,
    not_behind,
    order_by,
    sort_terms,
)
from madsci.event_manager.stores.sqlite.asking.windows import Window, windows
from madsci.event_manager.stores.sqlite.codec import (
    COLUMNS,
    NUMBER_OF_COLUMNS,
    to_event,
    to_json,
)
from madsci.event_manager.stores.sqlite.damage.rows import DamageMetError, OnDamage, second_look
from madsci.event_manager.stores.sqlite.terms import narrowing
from madsci.event_manager.stores.sqlite.transaction import snapshot

FROM_EVENTS: Final = "FROM events WHERE "
FROM_TERMS: Final = (
    "FROM event_terms CROSS JOIN events ON events.seq = event_terms.rowid WHERE event_terms MATCH "
)
"""The two ways to the events: in the order of an index, or by what the inverted index lists."""

_IN_ORDER_OF_AN_INDEX: Final = (
    NEWEST_FIRST, OLDEST_FIRST, (SortKey(("_id",)),), (SortKey(("_id",), True),),
)  # fmt: skip
_MAX_INT64: Final = 2**63 - 1

Statement = tuple[str, list[Any]]
Row = tuple[Any, ...]


def find(
    connection: apsw.Connection, query: Query, on_damage: OnDamage, pass_over: PassOver = None
) -> Page:
    """Return the page of events that answers the question; ``on_damage`` is told of wrong indexes.

    Raises:
        DamageMetError: some of them are damaged, and not among those that are passed over.
    """
    filling = _filled(connection, query, on_damage, pass_over, _AS_EVENT)
    return Page(filling.items, filling.next_place, query.sort)


def find_json(
    connection: apsw.Connection, query: Query, on_damage: OnDamage, pass_over: PassOver = None
) -> JsonPage:
    """Return the same page as JSON; raises the same."""
    filling = _filled(connection, query, on_damage, pass_over, _AS_JSON)
    return JsonPage(filling.items, filling.next_place)


@dataclass(frozen=True)
class _Form(Generic[Item]):
    """What is made of an event, and of its row if that is intact, and how large that is."""

    of_row: Callable[[Row], Item | None]
    of_event: Callable[[StoredEvent], Item]
    size_of: Callable[[Item], int]


_AS_EVENT: Final = _Form(to_event, lambda event: event, size_of)
_AS_JSON: Final = _Form(to_json, encode_event, len)


def _filled(
    connection: apsw.Connection,
    query: Query,
    on_damage: OnDamage,
    pass_over: PassOver,
    form: _Form[Item],
) -> Filling[Item]:
    filling: Filling[Item] = Filling(query)
    damaged: list[Damage] = []
    with snapshot(connection), closing(_rows(connection, query, pass_over)) as rows:
        for row in rows:  # one by one: what lies behind a full page is not read into memory
            item = form.of_row(row)
            if item is None:
                event = second_look(connection, row[0], on_damage)
                if isinstance(event, Damage):
                    damaged.append(event)
                if not isinstance(event, StoredEvent):
                    continue
                item = form.of_event(event)
            if not filling.takes(item, form.size_of(item), row[NUMBER_OF_COLUMNS:]):
                break
    if damaged:
        raise DamageMetError(damaged)
    return filling


def _rows(connection: apsw.Connection, query: Query, pass_over: PassOver) -> Generator[Row, None, None]:
    is_walked = _is_walked_in_windows(query, narrowing(query.selector))
    skipped = query.offset if is_walked else 0
    yield from islice(_rows_of(connection, query, pass_over), skipped, None)


def _rows_of(connection: apsw.Connection, query: Query, pass_over: PassOver) -> Iterator[Row]:
    for sql, parameters in statements(connection, query, pass_over):
        with closing(connection.execute(sql, parameters)) as found:
            yield from found


def statements(
    connection: apsw.Connection, query: Query, pass_over: PassOver = None
) -> Iterator[Statement]:
    """Yield statements whose rows are the answer, one after the other, and then what comes behind it.

    Those of windows do not skip the query's offset, and the others do.
    """
    match = narrowing(query.selector)
    if query.sort[0].is_of_commits:
        yield _as_committed(query, pass_over, match)
        return
    if not _is_walked_in_windows(query, match):
        yield _single(query, pass_over, match)
        return
    for window in windows(connection, query, match):
        yield _of_window(query, pass_over, match, window)


def _is_walked_in_windows(query: Query, match: str | None) -> bool:
    """Tell whether the order is that of an index, and the inverted index is asked about events."""
    return query.sort in _IN_ORDER_OF_AN_INDEX and (
        match is not None or any(isinstance(leaf, Text) for leaf in leaves(query.selector))
    )


def _single(query: Query, pass_over: PassOver, match: str | None) -> Statement:
    compiled = compile_selector(query.selector, query.fence, pass_over)
    terms = sort_terms(query.sort, compiled)
    order = order_by(terms, query.sort)
    where = compiled.where
    if query.after is not None:
        where = f"{where} AND {behind(terms, query.sort, query.after, compiled)}"
    limit, offset = min(query.limit, _MAX_INT64 - 1) + 1, min(query.offset, _MAX_INT64)
    cut = f"LIMIT {compiled.bind(limit)} OFFSET {compiled.bind(offset)}"
    # Everything spliced here was written by the compiler; what users sent is bound.
    if query.sort in _IN_ORDER_OF_AN_INDEX:
        sql = f"SELECT {COLUMNS}, {', '.join(terms)} {FROM_EVENTS} {where} ORDER BY {order} {cut}"
        return sql, compiled.parameters
    way = FROM_EVENTS if match is None else f"{FROM_TERMS} {compiled.bind(match)} AND "
    return _sorted(terms, f"{way} {where} ORDER BY {order} {cut}"), compiled.parameters


def _as_committed(query: Query, pass_over: PassOver, match: str | None) -> Statement:
    compiled = compile_selector(query.selector, query.fence, pass_over)
    descends = query.sort[0].descending
    way, number = numbered(compiled, match)
    where = compiled.where
    if query.after is not None:
        where = f"{where} AND {number} {'<' if descends else '>'} {compiled.bind(query.after[0])}"
    limit, offset = min(query.limit, _MAX_INT64 - 1) + 1, min(query.offset, _MAX_INT64)
    cut = f"LIMIT {compiled.bind(limit)} OFFSET {compiled.bind(offset)}"
    sql = (
        f"SELECT {COLUMNS}, events.seq, event_id {way} {where}"
        f" ORDER BY {number}{' DESC' if descends else ''} {cut}"
    )
    return sql, compiled.parameters


def numbered(compiled: CompiledSelector, match: str | None) -> tuple[str, str]:
    """Return the way to events in the order of their numbers, and what their number is called there."""
    if match is None:
        return FROM_EVENTS, "events.seq"
    return f"{FROM_TERMS} {compiled.bind(match)} AND ", "event_terms.rowid"


def _sorted(terms: list[str], rest: str) -> str:
    """Return the statement that sorts the places of rows only, and reads the rows in their order."""
    named = [f"{term} AS o{number}" for number, term in enumerate(terms)]
    places = f"SELECT events.seq AS place, {', '.join(named)} {rest}"
    names = ", ".join(f"o{number}" for number in range(len(terms)))
    # The rows of a CROSS JOIN come in the order of its left side; ordering them again would sort rows.
    return f"SELECT {COLUMNS}, {names} FROM ({places}) CROSS JOIN events ON events.seq = place"  # noqa: S608


def _of_window(query: Query, pass_over: PassOver, match: str | None, window: Window) -> Statement:
    compiled = compile_selector(query.selector, query.fence, pass_over, window.numbers)
    terms = sort_terms(query.sort, compiled)
    order = order_by(terms, query.sort)
    where = [compiled.where]
    if window.after is not None:
        where.append(behind(terms, query.sort, window.after, compiled))
    if window.last is not None:
        where.append(not_behind(terms, query.sort, window.last, compiled))
    cut = f"LIMIT {compiled.bind(min(query.offset + query.limit, _MAX_INT64 - 1) + 1)}"
    if match is not None and window.is_looked_up:
        way = f"{FROM_TERMS} {compiled.bind(match)}{compiled.among} AND {' AND '.join(where)}"
        return _sorted(terms, f"{way} ORDER BY {order} {cut}"), compiled.parameters
    if match is not None:
        where.append(is_listed(compiled.bind(match), compiled.among))
    sql = (
        f"SELECT {COLUMNS}, {', '.join(terms)} {FROM_EVENTS} {' AND '.join(where)}"
        f" ORDER BY {order} {cut}"
    )
    return sql, compiled.parameters
