"""Counting events, by a member and by spans of time.

Grouping rows costs SQLite a sort of all of them. So where the values are known beforehand (levels, the
types that occur), one pass per bucket counts each with a FILTER; where an index holds the values in
order (nodes), the index is asked for each; else rows are grouped, bucket by bucket.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import apsw

from madsci.common.types.event_type import EventType
from madsci.common.types.log_level import EventLogLevel
from madsci.event_manager.model.selector import Path, Selector, leaves
from madsci.event_manager.model.tally import (
    GROUPINGS,
    MAX_GROUPS,
    Count,
    Grouping,
    Tally,
    ordered,
    too_many_groups,
)
from madsci.event_manager.stores.sqlite.asking.compile import (
    CompiledSelector,
    PassOver,
    compile_selector,
)
from madsci.event_manager.stores.sqlite.asking.finding import FROM_EVENTS, FROM_TERMS
from madsci.event_manager.stores.sqlite.asking.leaf_sql import COLUMNS, json_path
from madsci.event_manager.stores.sqlite.asking.selectivity import listed_up_to
from madsci.event_manager.stores.sqlite.terms import narrowing, type_expression

_FILTERS: Final = 12
"""Values that are counted in one pass; each costs as much as a twelfth of grouping."""
_LOOKUPS: Final = 20_000
"""Ranges of an index that are counted one by one: each takes a few microseconds at least."""
_INDEXED_BY_NODE: Final[frozenset[Path]] = frozenset(
    {("event_timestamp",), ("_id",), ("log_level",), ("archived",)}
)
_LISTED: Final = 300_000
"""Listed events up to which the inverted index is the way, instead of passing over all events."""


def count(connection: apsw.Connection, tally: Tally, pass_over: PassOver = None) -> list[Count]:
    """Return the counts of a tally, those of nothing left out."""
    compiled = compile_selector(tally.selector, tally.fence, pass_over)
    match = narrowing(tally.selector)
    if match is not None and listed_up_to(connection, match, _LISTED) < _LISTED:
        way = f"{FROM_TERMS} {compiled.bind(match)} AND "
        counts = _Grouped(connection, compiled, way, tally).counts()
    else:
        counts = _counts(connection, compiled, tally)
    found = [one for one in counts if one.count]
    return found if tally.buckets else ordered(found, tally.top)


def _counts(connection: apsw.Connection, compiled: CompiledSelector, tally: Tally) -> Iterator[Count]:
    values = _known_values(connection, tally.grouping)
    if values is not None:
        return _Filtered(connection, compiled, tally, values).counts()
    if tally.buckets is not None and tally.grouping == GROUPINGS["node"]:
        nodes = _nodes(connection, _LOOKUPS // tally.buckets.number)
        if nodes is not None and _is_indexed_by_node(tally.selector):
            return _by_node(connection, compiled, tally, nodes)
    return _Grouped(connection, compiled, FROM_EVENTS, tally).counts()


def _known_values(connection: apsw.Connection, grouping: Grouping | None) -> list[Any] | None:
    """Return the values of a grouping, where they are few and known."""
    if grouping is None:
        return []
    if grouping == GROUPINGS["level"]:
        return [int(level) for level in EventLogLevel]
    if grouping != GROUPINGS["type"]:
        return None
    types = [
        kind.value for kind in EventType if listed_up_to(connection, type_expression(kind.value), 1)
    ]
    return types if len(types) <= _FILTERS else None


@dataclass(frozen=True)
class _Filtered:
    """Counts known values, all in one pass over each bucket."""

    connection: apsw.Connection
    compiled: CompiledSelector
    tally: Tally
    values: list[Any]

    def counts(self) -> Iterator[Count]:
        columns = ["count(*)"]
        if self.tally.grouping is not None:
            column = COLUMNS[self.tally.grouping.paths[0]].name
            columns = [
                f"count(*) FILTER (WHERE {column} = {self.compiled.bind(value)})"
                for value in self.values
            ]
        sql = f"SELECT {', '.join(columns)} {FROM_EVENTS} {self.compiled.where}"
        if not columns:
            return
        for bucket, row in _per_bucket(self.connection, self.compiled, sql, self.tally):
            for value, number in zip(self.values or [None], row, strict=True):
                yield Count(number, value, bucket)


def _per_bucket(
    connection: apsw.Connection, compiled: CompiledSelector, sql: str, tally: Tally
) -> Iterator[tuple[int | None, tuple[Any, ...]]]:
    """Run a statement that ends with a condition, for each bucket; yield its rows."""
    parameters = compiled.parameters
    if tally.buckets is None:
        yield from ((None, row) for row in connection.execute(sql, parameters))
        return
    start, end = compiled.bind(0), compiled.bind(0)
    sql += f" AND event_timestamp >= {start} AND event_timestamp < {end}"
    for bucket in tally.buckets.starts():
        tally.budget.check()
        parameters[-2:] = bucket, bucket + tally.buckets.width
        yield from ((bucket, row) for row in connection.execute(sql, parameters))


@dataclass(frozen=True)
class _Grouped:
    """Groups rows by value; by bucket, too, where they come from the inverted index in any order."""

    connection: apsw.Connection
    compiled: CompiledSelector
    way: str
    tally: Tally

    def counts(self) -> Iterator[Count]:
        grouping, buckets = self.tally.grouping, self.tally.buckets
        value = "NULL" if grouping is None else _value(grouping, self.compiled)
        bucket, inside = "NULL", ""
        if buckets is not None:
            start, width = self.compiled.bind(buckets.start), self.compiled.bind(buckets.width)
            end = self.compiled.bind(buckets.start + buckets.number * buckets.width)
            bucket = f"{start} + (event_timestamp - {start}) / {width} * {width}"
            inside = f" AND event_timestamp >= {start} AND event_timestamp < {end}"
        sql = (
            f"SELECT count(*) AS n, {value} AS v, {bucket} AS b {self.way} {self.compiled.where}"
            f"{inside} GROUP BY v, b"
        )
        if buckets is None:
            # The greatest counts, and that of the events without a value.
            limit = self.compiled.bind(self.tally.top + 1)
            sql += f" ORDER BY v IS NULL DESC, n DESC, v LIMIT {limit}"
        for number, row in enumerate(self.connection.execute(sql, self.compiled.parameters)):
            if number >= MAX_GROUPS and buckets is not None:
                raise too_many_groups()
            yield Count(*row)


def _value(grouping: Grouping, compiled: CompiledSelector) -> str:
    """Return the expression of a value, as ``tally.group_value`` reads it."""
    if grouping.paths[0] in COLUMNS:
        return COLUMNS[grouping.paths[0]].name
    parts = []
    for path in grouping.paths:
        where = compiled.bind(json_path(path[1:]))
        parts.append(
            f"CASE json_type({path[0]}, {where}) WHEN 'text' THEN {path[0]} ->> {where}"
            f" WHEN 'null' THEN NULL ELSE {path[0]} -> {where} END"
        )
    return f"coalesce({', '.join(parts)})"


def _nodes(connection: apsw.Connection, bound: int) -> list[str] | None:
    """Return the nodes that have events, by hopping over the index; ``None`` for too many."""
    nodes: list[str] = []
    node: str | None = ""
    sign = ">="
    while len(nodes) <= bound:
        node = connection.execute(
            f"SELECT min(node_id) FROM events WHERE node_id {sign} ?",  # noqa: S608
            (node,),
        ).get
        if node is None:
            return nodes
        nodes.append(node)
        sign = ">"
    return None


def _is_indexed_by_node(selector: Selector) -> bool:
    """Tell whether the index by node holds all that the selector asks for."""
    return all(getattr(leaf, "path", None) in _INDEXED_BY_NODE for leaf in leaves(selector))


def _by_node(
    connection: apsw.Connection, compiled: CompiledSelector, tally: Tally, nodes: list[str]
) -> Iterator[Count]:
    """Count each node in each bucket by a range of the index; the rest has no node."""
    rest = dict(_one_each(connection, compiled, "", tally))
    node = compiled.bind("")
    for name in nodes:
        compiled.parameters[-1] = name
        for bucket, number in _one_each(connection, compiled, f" AND node_id = {node}", tally):
            rest[bucket] -= number
            yield Count(number, name, bucket)
    for bucket, number in rest.items():
        yield Count(number, None, bucket)


def _one_each(
    connection: apsw.Connection, compiled: CompiledSelector, condition: str, tally: Tally
) -> Iterator[tuple[int, int]]:
    own = CompiledSelector(compiled.where, list(compiled.parameters))
    sql = f"SELECT count(*) {FROM_EVENTS} {compiled.where}{condition}"
    for bucket, (number,) in _per_bucket(connection, own, sql, tally):
        yield bucket or 0, number
