"""The thread that has followers go on when something was committed."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from madsci.event_manager.feed.course import Course, Failure, FeedStore
from madsci.event_manager.feed.follower import Follower

_LOOK: Final = 1.0
"""Seconds after which it is looked what other servers have committed."""


@dataclass(frozen=True)
class Standing:
    """How it stands with a follower."""

    name: str
    lag: int | None
    missed: int
    failure: Failure | None


class Followers:
    """Has durable followers go on, one after the other. Owns a thread; ``wake`` is for any.

    One server of all that share a store does this at a time; where two do, the later step is refused
    by the store, and its follower goes on from where the other one came to.
    """

    def __init__(self, store: FeedStore, followers: Sequence[Follower]) -> None:
        self._courses = [Course(one, store) for one in followers]
        self._woken = threading.Event()
        self._stopping = False
        self._turn = threading.Lock()
        """Held while a follower goes on, or is told to skip."""
        self._thread = threading.Thread(target=self._run, name="followers", daemon=True)

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    def wake(self) -> None:
        """Say that something was committed. Does not wait."""
        self._woken.set()

    def stats(self) -> list[Standing]:
        """Return how it stands with each follower."""
        return [Standing(one.follower.name, one.lag, one.missed, one.failure) for one in self._courses]

    def skip(self, name: str, event_id: str) -> bool:
        """Have a follower pass over the event that holds it up; tell whether that is so."""
        with self._turn:
            skipped = any(one.skip(event_id) for one in self._courses if one.follower.name == name)
        self.wake()
        return skipped

    def close(self, deadline: float) -> bool:
        """Stop after the step under way; tell whether that was done in time (seconds)."""
        self._stopping = True
        self._woken.set()
        if self._thread.ident is not None:
            self._thread.join(deadline)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while not self._stopping:
            self._woken.clear()
            if not self._advance():
                rests = [rest for one in self._courses if (rest := one.rest()) is not None]
                self._woken.wait(min([_LOOK, *rests]))

    def _advance(self) -> bool:
        """Let each follower do a step; tell whether more waits for one of them."""
        more = False
        for one in self._courses:
            if self._stopping:
                return False
            with self._turn:
                more |= one.advance()
        return more
