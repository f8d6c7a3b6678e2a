"""Rows counted by value and by spans of time, whichever way they come."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import apsw

from madsci.event_manager.model.tally import MAX_GROUPS, Count, Grouping, Tally, too_many_groups
from madsci.event_manager.stores.sqlite.asking.compile import CompiledSelector
from madsci.event_manager.stores.sqlite.asking.leaf_sql import COLUMNS, json_path


def per_bucket(
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
class Grouped:
    """Groups rows by value; by bucket, too, where they come from the inverted index in any order."""

    connection: apsw.Connection
    compiled: CompiledSelector
    way: str
    tally: Tally

    def counts(self) -> Iterator[Count]:
        """Yield the counts; without buckets the greatest ones, and that of events without a value."""
        grouping, buckets = self.tally.grouping, self.tally.buckets
        value = "NULL" if grouping is None else value_of(grouping, self.compiled)
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


def value_of(grouping: Grouping, compiled: CompiledSelector) -> str:
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
    return parts[0] if len(parts) == 1 else f"coalesce({', '.join(parts)})"


def nodes_with_events(connection: apsw.Connection, bound: int) -> list[str] | None:
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
