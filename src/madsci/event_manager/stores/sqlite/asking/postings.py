"""Counting what the inverted index lists, without a look at the events.

That is right where the index tells all that is asked, less what it lists and is left out: what is
archived, newer than asked for, damaged, or gone. That is little, or has an index of its own.
"""

from __future__ import annotations

from typing import Any, Final

import apsw

from madsci.event_manager.model.selector import Equals, Not, Selector, conjuncts
from madsci.event_manager.model.stored_event import encode_json
from madsci.event_manager.model.tally import Count, Tally
from madsci.event_manager.stores.sqlite.asking.compile import PassOver
from madsci.event_manager.stores.sqlite.terms import is_told_by_terms, narrowing

ARCHIVED: Final = "FROM events INDEXED BY archived_events WHERE archived = 1"
"""The events that are archived, by their own index."""
_STALE: Final = "FROM stale_terms"
_DAMAGED: Final = "FROM damaged_events"


def count_postings(
    connection: apsw.Connection, tally: Tally, pass_over: PassOver
) -> list[Count] | None:
    """Return the one count of a tally without groups; ``None`` where the index does not tell it."""
    every = list(conjuncts(tally.selector))
    parts = [part for part in every if not hides_archived(part)]
    if tally.grouping is not None or tally.buckets is not None or not parts:
        return None
    match = narrowing(tally.selector)
    if match is None or not all(map(is_told_by_terms, parts)):
        return None
    sql = "SELECT count(*) FROM event_terms WHERE event_terms MATCH ?"
    parameters: list[Any] = [match]
    if tally.fence is not None:
        sql += " AND rowid <= ?"
        parameters.append(tally.fence.number)
    left_out = [_STALE, _DAMAGED]
    if len(parts) < len(every):
        left_out.append(ARCHIVED)
    for rows in left_out:
        if is_any(connection, rows):
            # The plus: to be asked of each event that is listed, not a way to them.
            sql += f" AND +rowid NOT IN (SELECT seq {rows})"
    if pass_over:
        sql += " AND +rowid NOT IN (SELECT value FROM json_each(?))"
        parameters.append(encode_json(list(pass_over)))
    return [Count(int(connection.execute(sql, parameters).get))]


def hides_archived(part: Selector) -> bool:
    """Tell whether a part of a selector says that events are not archived, and no more."""
    if isinstance(part, Not):
        return part.part == Equals(("archived",), True)
    return part == Equals(("archived",), False)


def is_any(connection: apsw.Connection, rows: str) -> bool:
    """Tell whether there is a row."""
    return connection.execute(f"SELECT 1 {rows} LIMIT 1").fetchone() is not None
