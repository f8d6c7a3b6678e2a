"""Which rows of an event file are not what was written.

A damaged row may make any statement that touches it fail: a text that is no UTF-8, JSONB that is none.
So here every value is read as bytes or not at all, and a row is judged by itself. The table is asked,
never an index, whose copies of a value may be whole where the row is not, or the other way round.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any, Final

import apsw
import msgspec

from madsci.event_manager.model.stored_event import StoredEvent, encode_json
from madsci.event_manager.stores.base import Damage, DamageOf
from madsci.event_manager.stores.sqlite.codec import COLUMNS, Sources, to_event
from madsci.event_manager.stores.sqlite.columns import AS_READ
from madsci.event_manager.stores.sqlite.faults import is_of_index

OnDamage = Callable[[Sequence[Damage]], None]
"""Is told what somebody met who reads the file; may be called by any thread, again for the same."""

BATCH: Final = 500
"""Numbers of rows that are looked at together: some milliseconds."""


def _text(column: str) -> str:
    # 0 is no text, so that a value of another type counts as damaged, as it does when it is read.
    return (
        f"CASE typeof({column}) WHEN 'text' THEN CAST({column} AS BLOB)"
        " WHEN 'null' THEN NULL ELSE 0 END"
    )


def _integer(column: str) -> str:
    return f"CASE typeof({column}) WHEN 'integer' THEN {column} WHEN 'null' THEN NULL ELSE '' END"


def _json(column: str) -> str:
    return (
        f"CASE WHEN {column} IS NULL THEN NULL WHEN json_valid({column}, 8)"
        f" THEN CAST(json({column}) AS BLOB) ELSE 0 END"
    )


_RAW_VALUES: Final = {"TEXT": _text, "INTEGER": _integer, "BLOB": _json}
_RAW: Final = ", ".join(
    _RAW_VALUES[column.type_name](column.name) if column.name != "seq" else "seq" for column in AS_READ
)
"""``codec.COLUMNS`` in a form that reading never fails at."""
SIGNS: Final = (apsw.SQLError, msgspec.MsgspecError, ValueError, TypeError, OverflowError)
"""What a statement raises that touches a damaged row: about texts that are no UTF-8, or JSONB that is
none, and from our functions in SQL, which cannot read a value."""
_JSON_PLACES: Final = tuple(place for place, column in enumerate(AS_READ) if column.is_json)
_SPAN: Final = "seq BETWEEN ? AND ? ORDER BY seq"
_READ_WHOLE: Final = f"SELECT {COLUMNS} FROM events NOT INDEXED WHERE {_SPAN}"  # noqa: S608
_READ: Final = f"SELECT {_RAW} FROM events NOT INDEXED WHERE seq "  # noqa: S608 - words of ours
_READ_SPAN: Final = f"{_READ.removesuffix('seq ')}{_SPAN}"


def verify(
    connection: apsw.Connection, first: int, last: int, size: int = BATCH
) -> Iterator[list[Damage]]:
    """Yield the damaged rows with numbers from the first to the last one, batch by batch, newest first.

    A batch of ``size`` rows without damage is an empty list, so that a caller may leave off after it.
    Reads what the connection sees then; nothing is changed.

    Raises:
        apsw.CorruptError: the structure of the table is damaged, not only what is in a row.
    """
    while last >= first:
        beginning = max(first, last - size + 1)
        yield look(connection, beginning, last)
        last = beginning - 1


def span(connection: apsw.Connection) -> tuple[int, int]:
    """Return the numbers of the first and the last row, the last below the first if there are none."""
    first, last = (
        connection.execute(f"SELECT {end}(seq) FROM events").get  # noqa: S608 - words of ours
        for end in ("min", "max")
    )
    return (1, 0) if first is None else (int(first), int(last))


def look(connection: apsw.Connection, first: int, last: int) -> list[Damage]:
    """Return the damaged ones among the rows from one number to another; raises as ``verify``."""
    rows = read_span(connection, first, last)
    return [found for _, found in rows if isinstance(found, Damage)]


def read_span(
    connection: apsw.Connection, first: int, last: int
) -> Iterator[tuple[int, StoredEvent | Damage]]:
    """Yield the events from one number to another as ``read_rows`` does; raises as ``verify``."""
    source_of = Sources().__getitem__
    with suppress(*SIGNS):  # faster than looking at each value by itself
        for row in connection.execute(_READ_WHOLE, (first, last)):
            event = to_event(row, source_of)
            if event is None:
                break
            first = row[0] + 1
            yield row[0], event
        else:
            return
    for raw in connection.execute(_READ_SPAN, (first, last)):
        yield raw[0], judged(raw)


def read_row(connection: apsw.Connection, seq: int) -> StoredEvent | Damage | None:
    """Return the event of a row, or what is the matter with it, or ``None`` if there is no such row."""
    raw = connection.execute(f"{_READ} = ?", (seq,)).fetchone()
    return None if raw is None else judged(raw)


def get_event(connection: apsw.Connection, event_id: str) -> StoredEvent | Damage | None:
    """Return the event with an id, as the connection sees it, or what is the matter with it."""
    sql = f"{_READ} = (SELECT seq FROM events WHERE event_id = ?)"  # noqa: S608 - words of ours
    raw = connection.execute(sql, (event_id,)).fetchone()
    return None if raw is None else judged(raw)


def read_rows(
    connection: apsw.Connection, seqs: Sequence[int]
) -> Iterator[tuple[int, StoredEvent | Damage]]:
    """Yield the events of rows, each with its number, or what is the matter with them.

    One after the other is read, since each may be large.
    """
    sql = f"{_READ} IN (SELECT value FROM json_each(?))"  # noqa: S608 - words of ours
    for raw in connection.execute(sql, (encode_json(list(seqs)),)):
        yield raw[0], judged(raw)


def judged(raw: tuple[Any, ...]) -> StoredEvent | Damage:
    """Return the event of a row as ``_READ`` gives it, or what is the matter with it."""
    try:
        row = tuple(value.decode() if isinstance(value, bytes) else value for value in raw)
    except UnicodeDecodeError:
        return Damage(raw[0], _readable_id(raw), "a text in it is not UTF-8")
    event = to_event(row)
    if event is not None:
        return event
    if any(row[place] == 0 for place in _JSON_PLACES):
        return Damage(raw[0], _readable_id(raw), "its JSON cannot be read")
    return Damage(raw[0], _readable_id(raw), "it is not what was written")


def _readable_id(raw: tuple[Any, ...]) -> str | None:
    event_id = raw[1]
    return event_id.decode(errors="replace") if isinstance(event_id, bytes) else None


def beyond_events(error: apsw.CorruptError) -> Damage:
    """Return what the engine says of damage that is more than what is in single rows."""
    return Damage(0, None, str(error), DamageOf.INDEX if is_of_index(error) else DamageOf.STORE)


class DamageMetError(Exception):
    """A question met damaged events that it did not pass over. Stays inside this engine."""

    def __init__(self, found: list[Damage]) -> None:
        super().__init__(found)
        self.found = found


def second_look(
    connection: apsw.Connection, seq: int, on_damage: OnDamage
) -> StoredEvent | Damage | None:
    """Return the event of a row that came out of a question damaged, or what is the matter with it.

    A value that came out of an index may be wrong and the row whole: then ``on_damage`` is told of the
    index, and the event is that of the row, if there is one.
    """
    found = read_row(connection, seq)
    if isinstance(found, StoredEvent):
        on_damage([Damage(seq, found.event_id, "an index is wrong about it", DamageOf.INDEX)])
    return found
