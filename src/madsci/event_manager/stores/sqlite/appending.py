"""Writing events into an event file, each once, and giving them their places in the feed."""

from __future__ import annotations

from collections.abc import Sequence

import apsw
import msgspec

from madsci.common.errors import StoreError
from madsci.event_manager.model.stored_event import StoredEvent
from madsci.event_manager.stores.base import AppendOutcome, Damage, Disposition
from madsci.event_manager.stores.sqlite import terms
from madsci.event_manager.stores.sqlite.codec import INSERT, to_row
from madsci.event_manager.stores.sqlite.damage.healing import heal
from madsci.event_manager.stores.sqlite.damage.rows import get_event
from madsci.event_manager.stores.sqlite.facts import LAST_SEQ, set_fact
from madsci.event_manager.stores.sqlite.retiring import raise_alert

Appended = tuple[list[AppendOutcome], int, int]


def append(writer: apsw.Connection, events: Sequence[StoredEvent], last: int) -> Appended:
    """Keep events in the transaction under way, behind the last commit.

    Return the outcomes, by how many rows the file grew, and the number of this commit, which is the
    last one that it gave.
    """
    stored = _insert(writer, events, last)
    if stored < len(events):
        return _append_among_duplicates(writer, events, last)
    terms.insert(writer, last + 1, [terms.terms_of(event) for event in events])
    return [AppendOutcome(Disposition.STORED, event) for event in events], stored, last + stored


def _insert(writer: apsw.Connection, events: Sequence[StoredEvent], last: int) -> int:
    before = writer.total_changes()
    writer.executemany(INSERT, [to_row(event, seq) for seq, event in enumerate(events, last + 1)])
    return writer.total_changes() - before


def _append_among_duplicates(
    writer: apsw.Connection, events: Sequence[StoredEvent], last: int
) -> Appended:
    """Insert the new ones again, without the numbers between that belong to duplicates."""
    undone = writer.execute("DELETE FROM events WHERE seq > ? RETURNING event_id", (last,))
    inserted = {event_id for (event_id,) in undone}
    new: dict[str, StoredEvent] = {}
    for event in events:
        if event.event_id in inserted:
            new.setdefault(event.event_id, event)
    stored = _insert(writer, list(new.values()), last)
    terms.insert(writer, last + 1, [terms.terms_of(event) for event in new.values()])
    last = last_stored = last + stored
    outcomes: list[AppendOutcome] = []
    for event in events:
        if new.pop(event.event_id, None) is not None:
            outcomes.append(AppendOutcome(Disposition.STORED, event))
            continue
        outcomes.append(_duplicate(writer, event, last + 1))
        last += outcomes[-1].disposition is not Disposition.DUPLICATE
    if last > last_stored:  # which may be that of an alert
        set_fact(writer, LAST_SEQ, str(last))
    return outcomes, stored, last


def _duplicate(writer: apsw.Connection, event: StoredEvent, seq: int) -> AppendOutcome:
    """Do what a duplicate asks for, with this number if it is to be in the feed."""
    stored = get_event(writer, event.event_id)
    if stored is None:
        raise StoreError(f"The stored event {event.event_id} cannot be found again.")
    if isinstance(stored, Damage):
        if not heal(writer, stored.seq, event, seq):
            return AppendOutcome(Disposition.DUPLICATE, event)
        terms.insert(writer, seq, [terms.terms_of(event)])
        return AppendOutcome(Disposition.STORED, event)
    if not event.alert or stored.alert:
        return AppendOutcome(Disposition.DUPLICATE, stored)
    raise_alert(writer, event.event_id, seq)
    return AppendOutcome(Disposition.ALERT_RAISED, msgspec.structs.replace(stored, alert=True))
