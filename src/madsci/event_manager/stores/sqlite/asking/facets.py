"""Counting everything by a member: what an index holds of all events, less the few that are left out.

The index by node and the terms in clear (see ``countable``) hold how many events there are of each
value, archived ones and those behind a fence included. Where those are few, they are counted by
themselves and taken off. Where they are many, or some events are damaged, rows are counted instead.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

import apsw

from madsci.event_manager.model.feed import Position
from madsci.event_manager.model.selector import EVERYTHING, Equals, conjuncts
from madsci.event_manager.model.tally import GROUPINGS, MAX_GROUPS, Count, Grouping, Tally
from madsci.event_manager.stores.sqlite.asking.compile import (
    CompiledSelector,
    PassOver,
    compile_selector,
)
from madsci.event_manager.stores.sqlite.asking.finding import FROM_EVENTS, FROM_TERMS
from madsci.event_manager.stores.sqlite.asking.grouped import Grouped, nodes_with_events
from madsci.event_manager.stores.sqlite.asking.postings import ARCHIVED, hides_archived, is_any
from madsci.event_manager.stores.sqlite.asking.selectivity import listed_up_to
from madsci.event_manager.stores.sqlite.countable import END, counted_beginnings, mark_for, value_in

VOCABULARY: Final = "CREATE VIRTUAL TABLE temp.vocabulary USING fts5vocab (main, event_terms, row)"
"""Makes what reads how many events each term lists, on a connection; it takes no room."""
_FEW: Final = 50_000
"""Events that are read one by one, beside an index that holds the rest."""

_LOOKUPS: Final = 2_000
"""Nodes that are counted one by one, which is a little faster than grouping, for a few."""

Counts = Counter[int | str | None]


def count_everything(
    connection: apsw.Connection, tally: Tally, pass_over: PassOver
) -> list[Count] | None:
    """Return the counts of a tally of all events; ``None`` where no index holds them."""
    parts = list(conjuncts(tally.selector))
    if tally.buckets is not None or pass_over is not None or not all(map(hides_archived, parts)):
        return None
    left_out = _left_out(connection, tally.fence, without_archived=bool(parts))
    counts = None if left_out is None else _of_all(connection, tally.grouping)
    if left_out is None or counts is None:
        return None
    for compiled in left_out:
        counts.subtract(_grouped(connection, compiled, FROM_EVENTS, tally.grouping))
    return [Count(number, value) for value, number in counts.items()]


def _left_out(
    connection: apsw.Connection, fence: Position | None, *, without_archived: bool
) -> list[CompiledSelector] | None:
    """Return which events are not asked for, each once; ``None`` if they are many."""
    found = []
    if without_archived:
        number = connection.execute(
            f"SELECT count(*) FROM (SELECT 1 {ARCHIVED} LIMIT ?)",  # noqa: S608 - words of ours
            (_FEW,),
        ).get
        if number >= _FEW:
            return None
        if number:
            found.append(compile_selector(Equals(("archived",), True), fence))
    if fence is not None:
        last = connection.execute("SELECT max(seq) FROM events").get or 0
        if last - fence.number >= _FEW:
            return None
        if last > fence.number:
            newer = compile_selector(EVERYTHING)
            where = f"events.seq > {newer.bind(fence.number)}"
            found.append(CompiledSelector(where, newer.parameters))
    return found


def _grouped(
    connection: apsw.Connection, compiled: CompiledSelector, way: str, grouping: Grouping | None
) -> Counts:
    tally = Tally(grouping=grouping, top=MAX_GROUPS)
    counted = Grouped(connection, compiled, way, tally).counts()
    return Counter({one.value: one.count for one in counted})


def _of_all(connection: apsw.Connection, grouping: Grouping | None) -> Counts | None:
    """Return the counts of all events, and under ``None`` of those without a value."""
    if grouping is None:
        counts: Counts | None = Counter()
    elif grouping == GROUPINGS["node"]:
        counts = _nodes(connection)
    else:
        counts = _terms(connection, grouping)
    if counts is not None:
        del counts[None]
        counts[None] = int(connection.execute("SELECT count(*) FROM events").get) - counts.total()
    return counts


def _nodes(connection: apsw.Connection) -> Counts | None:
    nodes = nodes_with_events(connection, _LOOKUPS)
    if nodes is not None:
        one = "SELECT count(*) FROM events WHERE node_id = ?"
        return Counter({node: connection.execute(one, (node,)).get for node in nodes})
    rows = connection.execute(
        "SELECT node_id, count(*) FROM events INDEXED BY events_by_node WHERE node_id IS NOT NULL"
        " GROUP BY node_id"
    )
    return _bounded(rows)


def _terms(connection: apsw.Connection, grouping: Grouping) -> Counts | None:
    beginnings = counted_beginnings(grouping)
    if beginnings is None or is_any(connection, "FROM stale_terms"):
        return None
    counts: Counts = Counter()
    mark = mark_for(grouping)
    if mark is not None:
        expression = f'"{mark}"'
        listed = listed_up_to(connection, expression, _FEW)
        if listed >= _FEW:
            return None
        if listed:
            compiled = compile_selector(EVERYTHING)
            way = f"{FROM_TERMS} {compiled.bind(expression)} AND "
            counts = _grouped(connection, compiled, way, grouping)
    for beginning, sign in beginnings.items():
        found = _in_clear(connection, beginning)
        if found is None:
            return None
        for value, number in found.items():
            counts[value] += sign * number
    return counts


def _in_clear(connection: apsw.Connection, beginning: str) -> Counts | None:
    """Return how many events have each value in clear; ``None`` if some are not, or they are many."""
    rows = connection.execute(
        "SELECT term, doc FROM temp.vocabulary WHERE term >= ? AND term < ?",
        (beginning, beginning + END),
    )
    counts = _bounded((value_in(term, beginning), number) for term, number in rows)
    return None if counts is None or None in counts else counts


def _bounded(rows: Iterator[tuple[Any, int]]) -> Counts | None:
    counts: Counts = Counter()
    for value, number in rows:
        counts[value] += number
        if len(counts) > MAX_GROUPS:
            return None
    return counts
