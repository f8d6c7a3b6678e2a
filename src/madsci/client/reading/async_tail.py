"""The asynchronous twin of a tail: the same iteration, without holding up the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Final

from typing_extensions import Self

from madsci.client.reading.live_lines import Line
from madsci.client.reading.resuming import ResumingStream
from madsci.client.reading.tail import Place
from madsci.common.errors import EventServerError
from madsci.common.types.event import Event

CLOSE_SECONDS: Final = 5.0
"""How long ``aclose`` waits for the thread, which a connection that is being made may hold up."""

Lines = deque[Line]


class AsyncTail(Place, AsyncIterator[Event]):
    """What ``EventClient.async_tail`` returns: a ``Tail`` for one event loop, and one task at a time.

    The first connection is made by ``async with`` or by the first event that is asked for. Each wait
    has a thread, which ends with it, also when the wait is cancelled, as ``asyncio.wait_for`` does. The
    next wait then connects again and goes on from ``position``.
    """

    def __init__(
        self,
        make_stream: Callable[[], ResumingStream],
        begin: Callable[[ResumingStream, Lines], None],
    ) -> None:
        """``begin`` connects a stream for the first time."""
        super().__init__()
        self._make_stream = make_stream
        self._begin = begin
        self._stream: ResumingStream | None = None
        self._waiting: asyncio.Future[Lines] | None = None
        self._is_closed = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        """Wait for the next event; raises what ``EventClient.tail`` and ``Tail.__next__`` raise."""
        event = await self._next(is_history=False)
        if event is None:
            raise StopAsyncIteration
        return event

    async def history(self) -> AsyncIterator[Event]:
        """Yield the events that there are already, as ``Tail.history`` does."""
        while (event := await self._next(is_history=True)) is not None:
            yield event

    async def aclose(self) -> None:
        """End the iteration and its thread, for which it waits. May be repeated."""
        self._is_closed = True
        waiting = self._waiting
        self._let_go()
        if waiting is not None:
            await asyncio.wait([waiting], timeout=CLOSE_SECONDS)

    async def __aenter__(self) -> Self:
        if not self.position:
            await self._receive()
            self._find_place()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    def __del__(self) -> None:
        self._let_go()

    async def _next(self, *, is_history: bool) -> Event | None:
        while not self._is_closed:
            if is_history and self.is_live:
                return None
            if not self._lines:
                await self._receive()
            elif (event := self._step()) is not None:
                return event
        return None

    async def _receive(self) -> None:
        """Wait in a thread for the next lines, which are none when it is closed meanwhile."""
        if self._stream is not None and self._waiting is not None and not self._waiting.done():
            raise RuntimeError("Another task waits for this tail already. Give each one of its own.")
        if self._stream is None:
            self._stream = self._make_stream()
        stream, begin, position = self._stream, self._begin, self.position

        def receive() -> Lines:
            lines: Lines = deque()
            if position:
                stream.take(position, lines)
            else:
                begin(stream, lines)
            return lines

        self._waiting = waiting = _in_thread(receive)
        with contextlib.ExitStack() as undo:
            undo.callback(self._let_go)  # whatever ends the wait, such as being cancelled
            await asyncio.wait([waiting])
            try:
                self._lines.extend(waiting.result())
            except EventServerError:
                if self._is_closed:  # by another task, amid connecting
                    return
                self._is_closed = True
                raise
            undo.pop_all()

    def _let_go(self) -> None:
        stream, self._stream = self._stream, None
        if stream is None:
            return
        stream.close()
        if self._waiting is None or self._waiting.done():  # or the thread hangs up
            stream.hang_up()


def _in_thread(receive: Callable[[], Lines]) -> asyncio.Future[Lines]:
    """Call a function in a thread of its own, since it may wait for ever; return its result to come.

    The threads that the loop has for such calls are few, and are waited for when it ends.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Lines] = loop.create_future()
    future.add_done_callback(lambda done: done.cancelled() or done.exception())  # known, if unwanted

    def settle(lines: Lines | None, error: BaseException | None) -> None:
        if not future.done():
            if lines is None:
                future.set_exception(error or RuntimeError("The thread of a tail ended; see stderr."))
            else:
                future.set_result(lines)

    def run() -> None:
        lines: Lines | None = None
        trouble: EventServerError | None = None
        try:
            lines = receive()
        except EventServerError as error:
            trouble = error
        finally:
            with contextlib.suppress(RuntimeError):  # the loop has ended, and nobody waits
                loop.call_soon_threadsafe(settle, lines, trouble)

    threading.Thread(target=run, name="madsci-tail", daemon=True).start()
    return future
