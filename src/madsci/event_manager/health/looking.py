"""Looking how the store is, from a thread that may hang with it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from madsci.common.errors import StoreError
from madsci.event_manager.health.growth import Growth
from madsci.event_manager.ingest.writer import Commits
from madsci.event_manager.stores.base import EventStore, Space

PERIOD: Final = 0.5
"""Seconds between two looks, so that trouble is known within a second."""
_PROBE_AFTER: Final = 1.0
"""Seconds after the last write that somebody who asks gets one made, and between two amid trouble."""
_PROBE_AT_REST: Final = 60.0
"""And where nobody asks: each probe is a sync, which wears a disk."""
_SPACE_EACH: Final = 5.0
"""Seconds between two looks at the disk's room."""

Answered = Callable[[], None]


@dataclass(frozen=True)
class Look:
    """What was found. Times are of ``time.monotonic``; sentences say why something cannot be done."""

    at: float
    """When it ended."""
    unreadable: str | None = None
    unwritable: str | None = None
    probed_at: float = float("-inf")
    """When a probe ended last."""
    events: int | None = None
    damaged: int | None = None
    space: Space | None = None
    bytes_per_day: int | None = None
    troubles: tuple[str, ...] = ()
    damage: str | None = None
    """What is damaged beyond single events."""


class Looker:
    """Owns the thread that looks. ``latest`` and ``began_at`` may be read from anywhere."""

    def __init__(self, store: EventStore, commits: Commits) -> None:
        self._store = store
        self._commits = commits
        self._growth = Growth()
        self._space_at = float("-inf")
        self._lock = threading.Lock()
        """Held by the thread that adds or takes somebody who asks."""
        self._asking: set[Answered] = set()
        self._wanted = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="health-look", daemon=True)
        self.latest = Look(time.monotonic())
        self.began_at: float | None = None
        """When the look under way began, if there is one."""
        self.looks = 0

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    @property
    def running(self) -> bool:
        """Whether looks are made."""
        return self._thread.is_alive()

    def ask(self, answered: Answered) -> None:
        """Have a look made that begins after now; ``answered`` is called when it has ended."""
        with self._lock:
            self._asking.add(answered)
        self._wanted.set()

    def leave(self, answered: Answered) -> None:
        """Wait no longer."""
        with self._lock:
            self._asking.discard(answered)

    def close(self, deadline: float) -> bool:
        """Stop; tell whether that was done in time (seconds). A look may hang with its disk."""
        self._stopping = True
        self._wanted.set()
        if self._thread.ident is not None:
            self._thread.join(deadline)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while not self._stopping:
            self._wanted.clear()
            with self._lock:
                asking, self._asking = self._asking, set()
            self.began_at = time.monotonic()
            self.latest = self._look(is_asked=bool(asking))
            self.began_at = None
            self.looks += 1
            for answered in asking:
                answered()
            self._wanted.wait(PERIOD)

    def _look(self, *, is_asked: bool) -> Look:
        look = replace(self.latest, troubles=tuple(self._store.troubles()), damage=self._store.damage)
        try:
            self._store.check()
            look = replace(
                look,
                events=self._store.count(),
                damaged=self._store.damaged_events,
                unreadable=None,
            )
            look = self._measured(look)
        except StoreError as error:
            look = replace(look, events=None, damaged=None, unreadable=error.message)
        if self._is_probe_due(look, is_asked=is_asked):
            look = replace(look, unwritable=self._probed(), probed_at=time.monotonic())
        return replace(look, at=time.monotonic())

    def _is_probe_due(self, look: Look, *, is_asked: bool) -> bool:
        commits, now = self._commits, time.monotonic()
        has_failed = commits.failed_at > max(commits.kept_at, look.probed_at)
        if look.unreadable:
            return False  # that says enough
        if has_failed or look.unwritable:
            return now - look.probed_at >= _PROBE_AFTER
        rest = now - max(look.probed_at, commits.kept_at)
        return rest >= (_PROBE_AFTER if is_asked else _PROBE_AT_REST)

    def _probed(self) -> str | None:
        try:
            self._store.probe()
        except StoreError as error:
            return error.message
        return None

    def _measured(self, look: Look) -> Look:
        now = time.monotonic()
        if now - self._space_at < _SPACE_EACH:
            return look
        self._space_at = now
        space = self._store.space()
        if space is None:
            return look
        self._growth.note(now, space.used)
        return replace(look, space=space, bytes_per_day=self._growth.bytes_per_day(now, space.used))
