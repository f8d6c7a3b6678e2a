"""What one step reads and changes: documents as they will be, written down once at its end."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from madsci.event_manager.alerts.notice import OUTBOX, Notice, encode_notice
from madsci.event_manager.alerts.records import ALERTS, STATES, TIMERS, Alert, GroupState
from madsci.event_manager.feed.follower import Kept
from madsci.event_manager.model.stored_event import decode_json, encode_json
from madsci.event_manager.model.tables import Change, delete, put, put_if_absent

_PAGE: Final = 64
"""Timers that are looked at in one go; few are due at a time."""


class Desk:
    """The documents of alerts within one step. For one thread."""

    def __init__(self, kept: Kept) -> None:
        self._kept = kept
        self._documents: dict[tuple[str, str], Any] = {}
        """What was read or made, as objects; ``None`` is not there (any more)."""
        self._changed: dict[tuple[str, str], None] = {}
        self._notices: list[Notice] = []
        self._timers: dict[str, bool] = {}
        """Whether a timer of this key will be there, of those that this step changed."""
        self._made: list[str] = []
        """Those that it made, as a heap."""
        self._page: deque[str] = deque()
        """Those that were there before and come next; only this follower changes them."""
        self._page_end: str | None = None
        self._is_last_page = False

    def alert(self, alert_id: str) -> Alert | None:
        """Return an alert, to be changed in place and then given to ``keep_alert``."""
        found: Alert | None = self._read(ALERTS, alert_id, Alert)
        return found

    def keep_alert(self, alert: Alert) -> None:
        """Keep an alert as it is at the end of the step."""
        self._keep(ALERTS, alert.id, alert)

    def state(self, key: str) -> GroupState | None:
        """Return what a rule knows of a group, to be changed in place and given to ``keep_state``."""
        found: GroupState | None = self._read(STATES, key, GroupState)
        return found

    def keep_state(self, key: str, state: GroupState) -> None:
        """Keep it as it is at the end of the step, with its timer."""
        self._keep(STATES, key, state)

    def forget_state(self, key: str, state: GroupState) -> None:
        """Remove it, and its timer."""
        self.arm(key, state, None)
        self._keep(STATES, key, None)

    def arm(self, key: str, state: GroupState, due: int | None) -> None:
        """Have it asked at a time of those that are watched. It may be asked earlier."""
        if state.due is not None and due is not None and state.due <= due:
            return  # a timer that comes too early finds that it does, which is cheaper than moving it
        if state.due is not None:
            self._timers[_timer_key(state.due, key)] = False
        if due is not None:
            timer = _timer_key(due, key)
            self._timers[timer] = True
            heapq.heappush(self._made, timer)
        state.due = due

    def due(self, watched: int) -> Iterator[tuple[str, GroupState]]:
        """Yield those whose time has come, the longest due first, their timers taken."""
        while (timer := self._first_timer()) is not None and _due_of(timer) <= watched:
            self._timers[timer] = False
            key = timer.partition("/")[2]
            state = self.state(key)
            if state is not None:
                state.due = None
                yield key, state

    def next_due(self) -> int | None:
        """Return when the next one is to be asked, in watched time."""
        timer = self._first_timer()
        return None if timer is None else _due_of(timer)

    def _first_timer(self) -> str | None:
        while self._made and not self._timers[self._made[0]]:
            heapq.heappop(self._made)
        kept = self._first_kept_timer()
        if self._made and (kept is None or self._made[0] < kept):
            return self._made[0]
        return kept

    def _first_kept_timer(self) -> str | None:
        while True:
            while self._page and not self._timers.get(self._page[0], True):
                self._page.popleft()
            if self._page or self._is_last_page:
                return self._page[0] if self._page else None
            rows = self._kept.scan(TIMERS, after=self._page_end, limit=_PAGE)
            self._page.extend(key for key, _ in rows)
            self._page_end = rows[-1][0] if rows else self._page_end
            self._is_last_page = len(rows) < _PAGE

    def text(self, key: str) -> str | None:
        """Return a document of other kinds among the states, as text."""
        place = (STATES, key)
        if place not in self._documents:
            self._documents[place] = self._kept.read(*place)
        found: str | None = self._documents[place]
        return found

    def keep_text(self, key: str, text: str) -> None:
        """Keep such a document."""
        self._keep(STATES, key, text)

    def tell(self, notice: Notice) -> None:
        """Have somebody told."""
        self._notices.append(notice)

    def take(self, table: str, key: str) -> str | None:
        """Return a document of another table, once, and remove it."""
        if (table, key) in self._documents:
            return None
        document = self._kept.read(table, key)
        self._keep(table, key, None)
        return document

    def changes(self) -> list[Change]:
        """Return all that is to be changed."""
        changes = []
        for table, key in self._changed:
            value = self._documents[table, key]
            if value is None:
                changes.append(delete(table, key))
            else:
                text = value if isinstance(value, str) else encode_json(value)
                changes.append(put(table, key, text))
        for timer, is_there in self._timers.items():
            changes.append(put(TIMERS, timer, "{}") if is_there else delete(TIMERS, timer))
        changes.extend(put_if_absent(OUTBOX, one.key, encode_notice(one)) for one in self._notices)
        return changes

    def _read(self, table: str, key: str, kind: type[Any]) -> Any:
        place = (table, key)
        if place not in self._documents:
            text = self._kept.read(table, key)
            value = None if text is None else msgspec.convert(decode_json(text), kind)
            self._documents[place] = value
        return self._documents[place]

    def _keep(self, table: str, key: str, value: Any) -> None:
        self._documents[table, key] = value
        self._changed[table, key] = None


def _timer_key(due: int, key: str) -> str:
    return f"{due:020d}/{key}"


def _due_of(timer: str) -> int:
    return int(timer.partition("/")[0])
