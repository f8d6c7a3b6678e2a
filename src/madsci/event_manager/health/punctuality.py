"""Senders whose events do not come when they happen: a clock that is wrong, or a spool that grows."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from madsci.common.lengths import duration
from madsci.event_manager.health.conditions import Finding
from madsci.event_manager.model.identity import who
from madsci.event_manager.model.stored_event import StoredEvent, encode_json

_OFF: Final = 300_000_000
"""Microseconds between an event's own time and its receipt from which on it is not punctual: retries
and batches take seconds, and what keeps clocks right lets them differ by less than one."""
_LONG: Final = 600.0
"""Seconds in which nothing punctual came, until a sender is told of. After an outage of hours a spool
is empty in less."""
_FORGOTTEN: Final = 3_600.0
"""Seconds after which a sender of whom nothing comes any more is no longer told of."""
_CHANGED: Final = 60_000_000
"""Microseconds from which on the distance has grown, or shrunk; that of a wrong clock stays."""
_MOST: Final = 1_000
"""Senders that are not punctual: as many as a lab has machines, should its time server be wrong."""
_EACH: Final = 5
"""Senders that are told of one by one; the others are counted."""


@dataclass
class _Sender:
    name: str
    since: float
    seen: float
    first: int
    """How late the first of these events came, in microseconds; negative for one from the future."""
    last: int
    furthest: int
    """The greatest of these distances, whatever its sign."""


class Punctuality:
    """Compares the times of events with their receipt, sender by sender. Thread-safe.

    What a sender spooled during an outage comes late, too; so only those are told of whose events come
    late for long, and not less and less so.
    """

    def __init__(self, elapsed: Callable[[], float] = time.monotonic) -> None:
        self._elapsed = elapsed
        self._lock = threading.Lock()
        self._senders: dict[str, _Sender] = {}

    def see(self, events: Sequence[StoredEvent]) -> None:
        """Take note of events that came just now."""
        off: dict[str, StoredEvent] = {}
        punctual: set[str] = set()
        for event in events:
            if -_OFF < event.received_at - event.event_timestamp < _OFF:  # no call: it is all of them
                if self._senders:
                    punctual.add(_key(event))
                continue
            key = _key(event)
            if key not in off or abs(_lateness(event)) < abs(_lateness(off[key])):
                off[key] = event
        if off or punctual:
            with self._lock:
                self._note(off, punctual)

    def _note(self, off: dict[str, StoredEvent], punctual: set[str]) -> None:
        now = self._elapsed()
        for key in punctual:
            self._senders.pop(key, None)
        for key, event in off.items():
            if key in punctual:
                continue
            lateness = _lateness(event)
            known = self._senders.get(key)
            if known is not None and not _has_come_closer(known, lateness):
                known.seen, known.last = now, lateness
                known.furthest = max(known.furthest, abs(lateness))
            elif known is not None or len(self._senders) < _MOST:
                name = who(event.document())
                self._senders[key] = _Sender(name, now, now, lateness, lateness, abs(lateness))

    def findings(self) -> list[Finding]:
        """Return who is not punctual for long, those first who began first."""
        now = self._elapsed()
        with self._lock:
            for key, one in list(self._senders.items()):
                if now - one.seen >= _FORGOTTEN:
                    del self._senders[key]
            found = {key: one for key, one in self._senders.items() if one.seen - one.since >= _LONG}
            told = [
                Finding(f"sender {key}", _sentence(one), is_trouble=False)
                for key, one in list(found.items())[:_EACH]
            ]
        if len(found) > _EACH:
            sentence = (
                f"{len(found) - _EACH:,} further senders have events that do not come at their times."
                " Where all of them do, it is the clock of this server that is wrong."
            )
            told.append(Finding("further senders", sentence, is_trouble=False))
        return told


def _lateness(event: StoredEvent) -> int:
    return event.received_at - event.event_timestamp


def _key(event: StoredEvent) -> str:
    return event.sender or encode_json(event.source)


def _has_come_closer(known: _Sender, lateness: int) -> bool:
    """Tell whether a sender catches up, or its clock was set."""
    return (known.last < 0) != (lateness < 0) or abs(lateness) < known.furthest - _CHANGED


def _sentence(one: _Sender) -> str:
    if one.last < 0:
        return (
            f"Events of {one.name} are from the future, by {duration(one.last)}: its clock, or that"
            " of this server, is wrong. Have both set by a time server."
        )
    late = f"Events of {one.name} come {duration(one.last)} after their time"
    if one.last > one.first + _CHANGED:
        return (
            f"{late}, and ever later: it makes more than it gets sent. Look at its network, and at how"
            " much it logs; when its spool is full, the oldest of them are lost."
        )
    return (
        f"{late}, all alike: its clock, or that of this server, is wrong."
        " Have both set by a time server."
    )
