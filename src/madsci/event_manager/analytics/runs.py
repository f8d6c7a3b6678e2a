"""Runs: when something was once under way, and what is under way at an instant."""

from __future__ import annotations

from typing import Final

import msgspec

from madsci.common.clock import FIRST_US
from madsci.event_manager.analytics.marks import Mark, Outcome, Thing
from madsci.event_manager.analytics.spans import HOUR, Span

_GRACE: Final = HOUR
"""For so long the end of something is waited for after what it was part of: clocks differ."""
_LATE: Final = 24 * HOUR
"""For so long an action that ended with its node is kept in mind: how it ended may be told later."""
EXPIRY: Final = 30 * 24 * HOUR
"""After so long without a word, what has not been told to end is over."""
_ENDLESS: Final = (Thing.SESSION, Thing.FAULT)
"""What goes on until something else is told, however quiet it is."""


class Run(msgspec.Struct, gc=False):
    """Something once under way, in microseconds since 1970. No two runs of one thing overlap."""

    thing: Thing
    id: str
    begin: int | None = None
    """``None``: it is only known to have ended, or to have been queued."""
    end: int | None = None
    """``None``: it is not known to have ended."""
    before: int | None = None
    """Of one without an end: when it was over at the latest, if it is known to be over."""
    last: int | None = None
    """Of one without an end: until when it is known to have been under way."""
    queued: int | None = None
    outcome: Outcome | None = None
    seconds: float | None = None
    """How long it took, where whoever ended it says so."""
    paused: list[Span] = msgspec.field(default_factory=list)
    about: dict[str, str] = msgspec.field(default_factory=dict)
    after: int | None = None
    """Of an action without a beginning: when it began at the earliest."""
    is_paused: bool = False
    """Whether nobody ended the last pause: it lasts until the end, or until the last that is known."""

    @property
    def over(self) -> int | None:
        """When it was over at the latest; ``None``: it is not known to be over."""
        return self.before if self.end is None else self.end

    def meets(self, window: Span) -> bool:
        """Tell whether it may have been under way in a window, its ends included."""
        end = self.over
        begin = self.begin if self.begin is not None else self.after
        if begin is None:
            begin = end  # None: it was only queued
        return begin is not None and begin <= window[1] and (end is None or end >= window[0])


class Open(msgspec.Struct, array_like=True, gc=False):
    """What has been told of something that is not known to be over."""

    thing: Thing
    id: str
    begin: int | None
    last: int
    about: dict[str, str]
    queued: int | None = None
    cut: int | None = None
    """When it was over at the latest, though its end may still be told."""
    is_stopped: bool = False
    """Whether its node stopped or began anew then, so that no later end is its own."""
    paused_at: int | None = None
    pauses: list[Span] = msgspec.field(default_factory=list)

    def over_at(self, at: int) -> int | None:
        """Return when it was over without a word, if that is certain at an instant."""
        if self.cut is not None and self.cut + (_LATE if self.is_stopped else _GRACE) <= at:
            return self.cut
        if self.thing in _ENDLESS or self.last + EXPIRY > at:
            return None
        return self.last + EXPIRY

    def run(
        self, *, end: int | None = None, before: int | None = None, told: Mark | None = None
    ) -> Run:
        """Return what it was."""
        pauses = list(self.pauses)
        until = end if end is not None else before if before is not None else self.last
        if self.paused_at is not None:
            pauses.append((self.paused_at, max(self.paused_at, until)))
        return Run(
            self.thing, self.id, self.begin, end, before,
            self.last if end is None and self.begin is not None else None,
            self.queued,
            None if told is None else told.outcome,
            None if told is None else told.seconds,
            pauses, self.about,
            is_paused=self.paused_at is not None,
        )  # fmt: skip


class State(msgspec.Struct, omit_defaults=True, gc=False):
    """What is under way at an instant."""

    at: int = FIRST_US
    """All marks before this instant were taken."""
    open: list[Open] = msgspec.field(default_factory=list)
    over: dict[str, int] = msgspec.field(default_factory=dict)
    """What ended in the last minutes, by key."""
    idle: dict[str, int] = msgspec.field(default_factory=dict)
    """When an action of a node ended last, or the node began or stopped; the latest at the end."""

    def unfinished(self) -> list[Run]:
        """Return what is under way, or was and is not known how it ended."""
        return [one.run(before=one.cut) for one in self.open]
