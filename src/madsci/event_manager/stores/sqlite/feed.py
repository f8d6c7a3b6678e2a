"""The feed of an event file: its events and raised alerts, in the order of commits."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing
from heapq import merge
from typing import Final

import apsw

from madsci.event_manager.model.feed import START, Entries, Entry, Position, unknown_position
from madsci.event_manager.model.matcher import matches
from madsci.event_manager.model.query import PAGE_BYTES
from madsci.event_manager.model.selector import Selector
from madsci.event_manager.model.stored_event import StoredEvent, encode_json, size_of
from madsci.event_manager.stores.base import Damage
from madsci.event_manager.stores.sqlite.asking.compile import PassOver, compile_selector
from madsci.event_manager.stores.sqlite.asking.finding import numbered
from madsci.event_manager.stores.sqlite.damage.rows import (
    DamageMetError,
    OnDamage,
    read_row,
    read_span,
)
from madsci.event_manager.stores.sqlite.facts import NOTED_FROM, fact, lanes, last_seq
from madsci.event_manager.stores.sqlite.terms import narrowing

_RAISED: Final = "SELECT seq, event_seq FROM raises WHERE seq > ? AND seq <= ? ORDER BY seq"
_OTHERS: Final = "SELECT count(*) FROM other_commits WHERE seq > ? AND seq <= ?"
_FIRST_OF: Final = """
SELECT min(seq) FROM events WHERE event_id IN (SELECT value FROM json_each(?))
"""
_FIRST_FROM: Final = "SELECT min(seq) FROM events INDEXED BY events_by_time WHERE event_timestamp >= ?"
_WALKED: Final = 200_000
"""Events that are looked at, one after the other, until somebody hears of it: a second, or two."""

_Found = tuple[int, "StoredEvent | Damage | None", bool]


def note_raised(connection: apsw.Connection, seq: int, event_seq: int) -> None:
    """Note that a commit's number is that of an alert."""
    connection.execute("INSERT INTO raises VALUES (?, ?)", (seq, event_seq))


def note_other(connection: apsw.Connection, seq: int) -> None:
    """Note that a commit's number is that of no entry."""
    connection.execute("INSERT INTO other_commits VALUES (?)", (seq,))


def since(
    connection: apsw.Connection,
    position: Position,
    limit: int,
    on_damage: OnDamage,
    until: Position | None = None,
) -> Entries:
    """Return what follows a position; called in a snapshot. See ``FeedReader``."""
    lane, before, last = _span(connection, position, until)
    entries: list[Entry] = []
    damaged: list[Damage] = []
    has_more = False
    room = PAGE_BYTES
    with closing(_between(connection, before, last)) as found:
        for number, event, is_raised in found:
            if len(entries) == limit or (room < 0 and entries):
                last, has_more = entries[-1].number, True
                break
            if isinstance(event, StoredEvent):
                entries.append(Entry(lane, number, event, is_raised))
                room -= size_of(event)
            elif event is not None:
                damaged.append(event)
    if damaged:
        on_damage(damaged)
    missed = _missed(connection, before, last, entries)
    end = _at(lane, max(before, last))
    return Entries(_at(lane, before), entries, end, has_more, missed, before > last)


def matching_since(  # noqa: PLR0913, PLR0917 - what it is asked, and what is known of damage
    connection: apsw.Connection,
    position: Position,
    limit: int,
    until: Position | None,
    selector: Selector,
    pass_over: PassOver,
) -> Entries:
    """Return what follows a position and matches; called in a snapshot. See ``FeedReader``.

    Raises:
        DamageMetError: some of that is damaged, and not among what is to be passed over.
    """
    lane, before, last = _span(connection, position, until)
    is_ahead = before > last
    match = narrowing(selector)
    has_more = match is None and last - before > _WALKED
    last = min(last, before + _WALKED) if match is None else last
    numbers = _numbers(connection, selector, match, (before, last), limit + 1, pass_over)
    raised = _raised(connection, selector, (before, last), limit + 1)
    places = sorted([(number, number, False) for number in numbers] + raised)
    if len(places) > limit:
        places, has_more = places[:limit], True
        last = places[-1][0]
    entries: list[Entry] = []
    room = PAGE_BYTES
    for number, event_seq, is_raised in places:
        event = read_row(connection, event_seq)
        if isinstance(event, Damage):
            raise DamageMetError([event])
        if event is not None:
            entries.append(Entry(lane, number, event, is_raised))
            room -= size_of(event)
        if room < 0 and number < places[-1][0]:
            last, has_more = number, True
            break
    end = _at(lane, max(before, last))
    return Entries(_at(lane, before), entries, end, has_more, is_ahead=is_ahead)


def _at(lane: str, number: int) -> Position:
    return Position.of([(lane, number)])


def _numbers(  # noqa: PLR0913, PLR0917 - a selector, and where what matches is sought
    connection: apsw.Connection,
    selector: Selector,
    match: str | None,
    between: tuple[int, int],
    limit: int,
    pass_over: PassOver,
) -> list[int]:
    """Return the first numbers of events that match, behind one number and up to another."""
    compiled = compile_selector(selector, pass_over=pass_over)
    way, number = numbered(compiled, match)
    before, last = map(compiled.bind, between)
    sql = (  # what is spliced was written by the compiler
        f"SELECT {number} {way} {compiled.where} AND {number} > {before} AND {number} <= {last}"
        f" ORDER BY {number} LIMIT {compiled.bind(limit)}"
    )
    return [seq for (seq,) in connection.execute(sql, compiled.parameters)]


def _raised(
    connection: apsw.Connection, selector: Selector, between: tuple[int, int], limit: int
) -> list[tuple[int, int, bool]]:
    """Return the alerts raised between two numbers whose events match, which are few."""
    found: list[tuple[int, int, bool]] = []
    for seq, event_seq in connection.execute(_RAISED, between):
        event = read_row(connection, event_seq)
        if isinstance(event, StoredEvent) and matches(selector, event.document()):
            found.append((seq, event_seq, True))
        if len(found) == limit:
            break
    return found


def before(connection: apsw.Connection, event_ids: Sequence[str]) -> Position:
    """Return the last position before events; see ``FeedReader``."""
    first = connection.execute(_FIRST_OF, (encode_json(list(event_ids)),)).get
    return _before(connection, first)


def before_time(connection: apsw.Connection, time: int) -> Position:
    """Return the last position before what happened from a time on; see ``FeedReader``."""
    return _before(connection, connection.execute(_FIRST_FROM, (time,)).get)


def _before(connection: apsw.Connection, first: int | None) -> Position:
    number = last_seq(connection) if first is None else first - 1
    return _at(lanes(connection)[-1][0], number)


def _span(
    connection: apsw.Connection, position: Position, until: Position | None
) -> tuple[str, int, int]:
    """Return the lane of now, the number behind which is read, and the last that is."""
    known, newest = lanes(connection), last_seq(connection)
    last = newest if until is None else _number_at(until, known, newest)
    return known[-1][0], _number_at(position, known, newest), last


def _number_at(position: Position, known: list[tuple[str, int]], newest: int) -> int:
    """Return the number behind which a position is."""
    if position == START:
        return 0
    names = [name for name, _ in known]
    if len(position.lanes) != 1 or position.lanes[0][0] not in names:
        raise unknown_position(position)
    ((name, number),) = position.lanes
    ends = [before for _, before in known[1:]]
    place = names.index(name)
    if place < len(ends):
        return min(number, ends[place])
    if number > newest:
        raise unknown_position(position)
    return number


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
