"""The feed of an event file: its events and raised alerts, in the order of commits."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from heapq import merge
from typing import Final

import apsw

from madsci.event_manager.model.feed import START, Entries, Entry, Position, unknown_position
from madsci.event_manager.model.stored_event import StoredEvent
from madsci.event_manager.stores.base import Damage
from madsci.event_manager.stores.sqlite.damage.rows import OnDamage, read_row, read_span
from madsci.event_manager.stores.sqlite.facts import NOTED_FROM, fact, lanes, last_seq

_RAISED: Final = "SELECT seq, event_seq FROM raises WHERE seq > ? AND seq <= ? ORDER BY seq"
_OTHERS: Final = "SELECT count(*) FROM other_commits WHERE seq > ? AND seq <= ?"

_Found = tuple[int, "StoredEvent | Damage | None", bool]


def note_raised(connection: apsw.Connection, seq: int, event_seq: int) -> None:
    """Note that a commit's number is that of an alert."""
    connection.execute("INSERT INTO raises VALUES (?, ?)", (seq, event_seq))


def note_other(connection: apsw.Connection, seq: int) -> None:
    """Note that a commit's number is that of no entry."""
    connection.execute("INSERT INTO other_commits VALUES (?)", (seq,))


def since(connection: apsw.Connection, position: Position, limit: int, on_damage: OnDamage) -> Entries:
    """Return what follows a position; called in a snapshot. See ``EventLog``."""
    known = lanes(connection)
    lane = known[-1][0]
    before, last = _number_at(position, known), last_seq(connection)
    entries: list[Entry] = []
    damaged: list[Damage] = []
    has_more = False
    with closing(_between(connection, before, last)) as found:
        for number, event, is_raised in found:
            if len(entries) == limit:
                last, has_more = entries[-1].number, True
                break
            if isinstance(event, StoredEvent):
                entries.append(Entry(lane, number, event, is_raised))
            elif event is not None:
                damaged.append(event)
    if damaged:
        on_damage(damaged)
    missed = _missed(connection, before, last, entries)
    return Entries(entries, Position.of([(lane, last)]), has_more, missed)


def _number_at(position: Position, known: list[tuple[str, int]]) -> int:
    """Return the number behind which a position is."""
    if position == START:
        return 0
    names = [name for name, _ in known]
    if len(position.lanes) != 1 or position.lanes[0][0] not in names:
        raise unknown_position(position)
    ((name, number),) = position.lanes
    ends = [before for _, before in known[1:]]
    place = names.index(name)
    return number if place == len(ends) else min(number, ends[place])


def _between(connection: apsw.Connection, before: int, last: int) -> Generator[_Found, None, None]:
    events = ((seq, event, False) for seq, event in read_span(connection, before + 1, last))
    raised = (
        (seq, read_row(connection, event_seq), True)
        for seq, event_seq in connection.execute(_RAISED, (before, last))
    )
    yield from merge(events, raised, key=lambda one: one[0])


def _missed(connection: apsw.Connection, before: int, last: int, entries: list[Entry]) -> int:
    """Return how many numbers were given to entries that are not there any more, or are damaged."""
    first = max(before, int(fact(connection, NOTED_FROM) or 0))
    if last <= first:
        return 0
    there = sum(entry.number > first for entry in entries)
    others = int(connection.execute(_OTHERS, (first, last)).get)
    return last - first - there - others
