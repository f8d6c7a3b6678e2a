"""What changes in stored events: alerts are raised, events taken out of sight, and out of the file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import apsw

from madsci.common.errors import StoreUnavailableError
from madsci.event_manager.model.stored_event import StoredEvent, encode_json
from madsci.event_manager.stores.base import Damage
from madsci.event_manager.stores.sqlite import terms
from madsci.event_manager.stores.sqlite.damage.checksums import ARCHIVED, RAISED, changing_bits
from madsci.event_manager.stores.sqlite.damage.rows import read_rows
from madsci.event_manager.stores.sqlite.faults import is_full
from madsci.event_manager.stores.sqlite.feed import note_raised

_AMONG: Final = "event_id IN (SELECT value FROM json_each(?))"


_RAISE: Final = (
    f"UPDATE events SET alert = 1, checksum = {RAISED} WHERE event_id = ? AND alert = 0 RETURNING seq"  # noqa: S608
)


def raise_alert(connection: apsw.Connection, event_id: str, seq: int) -> None:
    """Make an event an alert that is none yet, index that it is one, and note which commit did that."""
    rows: list[Any] = connection.execute(_RAISE, (event_id,)).fetchall()
    for (event_seq,) in rows:
        terms.insert_alert(connection, int(event_seq))
        note_raised(connection, seq, int(event_seq))


def in_parts(event_ids: Sequence[str], change: Callable[[Sequence[str]], int]) -> int:
    """Change events, and return how many; in as many transactions as a full disk makes of it.

    Raises what ``change`` raises, but for a full disk while there is more than one event.
    """
    try:
        return change(event_ids)
    except StoreUnavailableError as error:
        if not is_full(error) or len(event_ids) <= 1:
            raise
    middle = len(event_ids) // 2
    return sum(in_parts(half, change) for half in (event_ids[:middle], event_ids[middle:]))


def archive(connection: apsw.Connection, event_ids: Sequence[str], at: int) -> int:
    """Mark events as archived, but for damaged ones; return how many were not yet."""
    bits = changing_bits(alert=False, archived=True, archived_at=at)
    connection.execute(
        f"UPDATE events SET archived = 1, archived_at = ?, checksum = {ARCHIVED}"  # noqa: S608
        f" WHERE {_AMONG} AND archived = 0 AND seq NOT IN (SELECT seq FROM damaged_events)",
        (at, bits, encode_json(list(event_ids))),
    )
    return connection.changes()


def delete(connection: apsw.Connection, event_ids: Sequence[str]) -> tuple[int, list[Damage]]:
    """Delete those of the events that are archived, with their terms.

    Return how many, and which of them are damaged: those stay where they are.
    """
    listed = encode_json(list(event_ids))
    sql = f"SELECT seq FROM events WHERE {_AMONG} AND archived = 1"  # noqa: S608
    whole: list[int] = []
    damaged: list[Damage] = []

    def rows_of_terms() -> Iterator[tuple[int, str]]:
        seqs = [seq for (seq,) in connection.execute(sql, (listed,))]
        for seq, event in read_rows(connection, seqs):
            if isinstance(event, StoredEvent):
                whole.append(seq)
                yield seq, terms.terms_of(event)
            else:
                damaged.append(event)

    # The inverted index holds no text of its own: it has to be told which terms a row had.
    terms.delete(connection, rows_of_terms())
    connection.execute(
        "DELETE FROM events WHERE seq IN (SELECT value FROM json_each(?))", (encode_json(whole),)
    )
    return len(whole), damaged
