"""The thread that has followers go on when something was committed."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

from madsci.common.clock import iso
from madsci.common.types.health import FollowerHealth
from madsci.event_manager.feed.course import Course, FeedStore
from madsci.event_manager.feed.follower import Follower
from madsci.event_manager.feed.pace import Pace
from madsci.event_manager.feed.place import Place
from madsci.event_manager.model.feed import Entries, Position
from madsci.event_manager.stores.base import EventLog

_logger = logging.getLogger(__name__)

_LOOK: Final = 1.0
"""Seconds after which it is looked what other servers have committed."""
_PACE: Final = 0.25
"""Seconds between two rounds where nothing waits: under load each follower has more to do in a step."""
_LEASE: Final = "followers"


class _SharedPart:
    """The part of the feed that was read last: followers at one place read it once. For one thread."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._asked: tuple[Position, int] | None = None
        self._part: Entries | None = None

    def forget(self) -> None:
        """Read anew from now on."""
        self._asked = self._part = None

    def since(self, position: Position, limit: int) -> Entries:
        """Return what follows a position; see ``EventLog``."""
        if self._part is None or self._asked != (position, limit):
            self._part, self._asked = self._log.since(position, limit), (position, limit)
        return self._part


class Followers:
    """Has durable followers go on, one after the other. Owns a thread; ``wake`` is for any.

    One server of all that share a store does this at a time: it holds a lease, and another one goes on
    where it came to when it stops or dies. One that stood still for longer than its lease has its step
    refused by the store.
    """

    def __init__(
        self,
        store: FeedStore,
        followers: Sequence[Follower],
        *,
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        self._part = _SharedPart(store)
        self._courses = [Course(one, store, since=self._part.since) for one in followers]
        self._place = Place(store, _LEASE, elapsed)
        self._pace = Pace()
        self._woken = threading.Event()
        self._stopping = threading.Event()
        self._turn = threading.Lock()
        """Held while a follower goes on, or is told to skip."""
        self._thread = threading.Thread(target=self._run, name="followers", daemon=True)

    def start(self) -> None:
        """Begin to follow, if somebody does."""
        if self._courses:
            self._thread.start()

    def wake(self) -> None:
        """Say that something was committed. Does not wait."""
        self._woken.set()

    def stats(self) -> list[FollowerHealth]:
        """Return how it stands with each follower; of those of another server, ``lag`` is not known."""
        return [_standing(one) for one in self._courses]

    def lag(self, name: str) -> int | None:
        """Return how many entries a follower is behind; ``None`` if it is another server's."""
        return next((one.lag for one in self._courses if one.follower.name == name), None)

    def skip(self, name: str, event_id: str) -> bool:
        """Have a follower pass over the event that holds it up; tell whether that is so.

        To be asked of the server that has the followers go on; the others know of nothing.
        """
        with self._turn:
            skipped = any(one.skip(event_id) for one in self._courses if one.follower.name == name)
        self.wake()
        return skipped

    def close(self, deadline: float) -> bool:
        """Stop after the step under way; tell whether that was done in time (seconds)."""
        self._stopping.set()
        self._woken.set()
        if self._thread.ident is not None:
            self._thread.join(deadline)
        return not self._thread.is_alive()

    def _run(self) -> None:
        was_ours = False
        while not self._stopping.is_set():
            self._woken.clear()
            is_ours = self._place.keep()
            if was_ours and not is_ours:
                self._leave()
            was_ours = is_ours
            self._pace.begin()
            if not (is_ours and self._advance()):
                self._stopping.wait(_PACE)
                self._woken.wait(self._rest() if is_ours else _LOOK)
            elif self._woken.is_set():
                self._stopping.wait(self._pace.rest())
        self._place.let_go()

    def _leave(self) -> None:
        with self._turn:
            for one in self._courses:
                one.leave()

    def _advance(self) -> bool:
        """Let each follower do a step; tell whether more waits for one of them."""
        more = False
        self._part.forget()
        for one in self._courses:
            if self._stopping.is_set() or not self._place.is_certain:
                return False
            with self._turn:
                more |= one.advance()
        return more

    def _rest(self) -> float:
        rests = [rest for one in self._courses if (rest := one.rest()) is not None]
        return min([_LOOK, *rests])


def _standing(course: Course) -> FollowerHealth:
    failure = course.failure
    return FollowerHealth(
        name=course.follower.name,
        lag=course.lag,
        missed=course.missed,
        failing_since=None if failure is None else iso(failure.since),
        event_id=None if failure is None else failure.event_id,
        detail=None if failure is None else failure.reason,
    )
