"""The files that are being streamed: a few at once, none of them held up by a reader that stopped."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from madsci.common.errors import OverloadedError
from madsci.event_manager.search.answering import Answering, Stream
from madsci.event_manager.search.jobs import StreamJob

T = TypeVar("T")

MAX_STREAMS: Final = 4
"""Files streamed at once, each by a process of its own."""
_STALLED: Final = 5.0
"""Seconds without progress of its reader after which a stream gives way to somebody who waits."""
_LOOK: Final = 1.0
"""Seconds between two looks at how the readers get on."""


class OpenStream:
    """A file under way, for one reader; used on one event loop.

    Who reads it says with ``begins_to_send`` and ``has_sent`` when he waits for the client. If that is
    for too long, it is cut off: the task that sends is cancelled, and ``is_cut`` says why.
    """

    def __init__(self, owner: Streams, stream: Stream) -> None:
        self._owner = owner
        self._stream = stream
        self._sending: asyncio.Task[object] | None = None
        self._sending_since = 0.0
        self.is_cut = False

    async def next_part(self) -> bytes | None:
        """Return the next part, ``None`` at the end.

        Raises:
            MadsciError: it cannot be made.
        """
        return await self._owner.in_thread(lambda: next(self._stream, None))

    def begins_to_send(self) -> None:
        """Note that the client is to take something."""
        self._sending = asyncio.current_task()
        self._sending_since = time.monotonic()

    def has_sent(self) -> None:
        """Note that the client took it."""
        self._sending = None

    @property
    def stalled_for(self) -> float:
        """For how many seconds the client has taken nothing."""
        return time.monotonic() - self._sending_since if self._sending is not None else 0.0

    def cut(self) -> None:
        """Wait for the client no longer."""
        if self._sending is not None:
            self.is_cut = True
            self._sending.cancel()
            self._sending = None

    async def close(self) -> None:
        """Give the place back, and end what makes the file."""
        await self._owner.close_one(self)

    def end(self) -> None:
        """End what makes the file; blocks."""
        self._stream.close()


class Streams:
    """Opens streams and looks after them. Used on one event loop.

    ``seconds`` is how long a client may take for a piece, as it is for making one.
    """

    def __init__(self, answering: Answering, seconds: float) -> None:
        self._answering = answering
        self._seconds = seconds
        self._threads = ThreadPoolExecutor(2 * MAX_STREAMS, "stream")  # a part each, and its end
        self._places = 0
        self._open: set[OpenStream] = set()
        self._look: asyncio.TimerHandle | None = None

    async def open(self, job: StreamJob) -> OpenStream:
        """Begin to make a file.

        Raises:
            OverloadedError: as many streams run as may, and the readers of all get on.
        """
        if self._places >= MAX_STREAMS and not self._cut_slowest():
            raise OverloadedError(
                f"{self._places} exports are under way, which is as many as this server makes at once."
                " Ask again when one of them has ended.",
                retry_after=10,
            )
        with contextlib.ExitStack() as undoing:
            self._places += 1
            undoing.callback(self._give_place_back)
            made = await self.in_thread(lambda: self._answering.stream(job))
            undoing.pop_all()
        stream = OpenStream(self, made)
        self._open.add(stream)
        if self._look is None:
            self._look_later()
        return stream

    async def in_thread(self, call: Callable[[], T]) -> T:
        """Do a step of a stream beside the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)

    async def close_one(self, stream: OpenStream) -> None:
        """Take a stream out, and end it; again, it does nothing."""
        if stream in self._open:
            self._open.discard(stream)
            self._give_place_back()
            await asyncio.shield(self.in_thread(stream.end))

    def _give_place_back(self) -> None:
        self._places -= 1

    def _cut_slowest(self) -> bool:
        slowest = max(self._open, key=lambda one: one.stalled_for, default=None)
        if slowest is None or slowest.stalled_for < _STALLED:
            return False
        slowest.cut()
        return True

    def _look_later(self) -> None:
        self._look = asyncio.get_running_loop().call_later(_LOOK, self._look_at_readers)

    def _look_at_readers(self) -> None:
        self._look = None
        for stream in self._open:
            if stream.stalled_for > self._seconds:
                stream.cut()
        if self._open:
            self._look_later()

    def close(self) -> None:
        """Begin nothing more."""
        self._threads.shutdown(wait=False, cancel_futures=True)
