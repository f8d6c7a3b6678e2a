"""Somebody who watches events: what is ready to be sent to him, and how far he is."""

from __future__ import annotations

import asyncio
from collections import deque
from enum import Enum, auto
from typing import Final

from madsci.common.errors import MadsciError
from madsci.event_manager.export.frames import Frames
from madsci.event_manager.model.feed import Position
from madsci.event_manager.model.selector import Selector

MOST_BYTES: Final = 1_000_000
"""Bytes that wait for one watcher, most of which wait for others, too: a second of a very busy lab. Who
takes them more slowly reads them from the store, at his own pace."""


class _State(Enum):
    PAST = auto()
    JOINING = auto()
    LIVE = auto()
    LEFT = auto()


class Watcher:
    """Used on the event loop, but for what says otherwise.

    It is in the past, where somebody reads for it, or it is live, where what comes is shown to it.
    """

    def __init__(self, selector: Selector, frames: Frames, position: Position) -> None:
        self.selector = selector
        self.frames = frames
        self.position = position
        """Behind everything that was taken."""
        self.rounds = 0
        """How often it was not let in yet; for who lets it in."""
        self._state = _State.PAST
        self._ready: deque[tuple[bytes, Position]] = deque()
        """What is to be taken, each with the position behind it."""
        self._size = 0
        self._changed = asyncio.Event()
        self._error: MadsciError | None = None

    @property
    def is_live(self) -> bool:
        """Whether it is to be shown what comes; for any thread."""
        return self._state is _State.LIVE or self._state is _State.JOINING

    @property
    def has_left(self) -> bool:
        """Whether nobody takes anything any more; for any thread."""
        return self._state is _State.LEFT

    def joins(self) -> None:
        """Wait to be let in among those who are shown what comes."""
        if self._state is _State.PAST:
            self._state, self.rounds = _State.JOINING, 0

    async def let_in(self) -> None:
        """Return once it was let in, or there is more of the past to read.

        Raises:
            MadsciError: it cannot be let in.
        """
        while self._state is _State.JOINING and self._error is None:
            await self._wait()
        if self._error is not None:
            raise self._error

    async def next_chunk(self) -> bytes | None:
        """Return what is ready, once something is; ``None`` where it is not live any more."""
        while not self._ready and self._state is _State.LIVE:
            await self._wait()
        if not self._ready:
            return None
        chunk, self.position = self._ready.popleft()
        self._size -= len(chunk)
        return chunk

    async def _wait(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    def admit(self, chunk: bytes, position: Position) -> None:
        """Be live from a position on."""
        if self._state is _State.JOINING:
            self._state = _State.LIVE
            self.show(chunk, position)
        self._changed.set()

    def refuse(self) -> None:
        """Have more of the past to read, behind what is ready."""
        if self.is_live:
            self._state = _State.PAST
        self._changed.set()

    def fail(self, error: MadsciError) -> None:
        """Be told that there is nothing behind this position."""
        self._error = error
        self._changed.set()

    def show(self, chunk: bytes, position: Position) -> None:
        """Have what comes up to a position ready, unless too much waits to be taken."""
        if self._state is not _State.LIVE:
            return
        if chunk and self._size > MOST_BYTES:
            self._state = _State.PAST
            self._ready.clear()  # it is read again
            self._size = 0
        elif chunk:
            self._ready.append((chunk, position))
            self._size += len(chunk)
        elif not self._ready:
            self.position = position
        self._changed.set()

    def leave(self) -> None:
        """Take nothing more."""
        self._state = _State.LEFT
        self._changed.set()
