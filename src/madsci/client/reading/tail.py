"""The events that arrive, one after another, for as long as a program wants them."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from types import TracebackType
from typing import Final
from weakref import WeakSet

from typing_extensions import Self

from madsci.client.reading.event_reader import read_event
from madsci.client.reading.live_lines import Happening, Line, Standing
from madsci.client.reading.resuming import ResumingStream
from madsci.common.forking import reset_in_child
from madsci.common.types.event import Event


class Place:
    """Where in the feed a program stands that is given events one by one.

    ``position`` is behind the last event that was given out; as ``since`` it goes on there, also in the
    next run of the program. ``missed`` counts entries that were deleted before they could be read, and
    ``is_live`` tells whether history is over, so that events come as the server takes them.
    """

    def __init__(self, position: str = "") -> None:
        self.position = position
        self.missed = 0
        self.is_live = False
        self._lines: deque[Line] = deque()

    def _find_place(self) -> None:
        """Use the lines before the first event: at the beginning they say where that is."""
        while self._lines and not isinstance(self._lines[0], Happening):
            self._step()

    def _step(self) -> Event | None:
        """Use one of the lines; return its event, if it has one that can be read."""
        line = self._lines[0]
        event = read_event("", line.document) if isinstance(line, Happening) else None
        if isinstance(line, Standing):
            self.is_live = line.is_live
            self.missed += line.missed
        self.position = line.position
        self._lines.popleft()
        return event


class Tail(Place, Iterator[Event]):
    """What ``EventClient.tail`` returns: an iterator of events that ends when it is closed.

    Breaks of the connection are told on the local console and resumed from ``position``, without a gap
    and without repetition. Threads that share one get each event once; ``close`` may be called in any
    thread and in signal handlers, and ends a wait at once, or within the timeout while a connection is
    being made. In a forked child it goes on from where it was, on a connection of its own.
    """

    def __init__(self, stream: ResumingStream, since: str | None) -> None:
        """Raises what ``ResumingStream.open`` raises."""
        super().__init__()
        self._stream = stream
        self._turn = threading.Lock()
        _open_tails.add(self)
        stream.open(since, self._lines)
        self._find_place()

    def __next__(self) -> Event:
        """Wait for the next event.

        Raises:
            ServerRefusedError: the server does not take the position any more, as when its database was
                replaced. The tail is closed then.
        """
        event = self._next(is_history=False)
        if event is None:
            raise StopIteration
        return event

    def history(self) -> Iterator[Event]:
        """Yield the events that there are already, and end where those begin that are to come.

        Iterating over the tail itself goes on behind them.
        """
        while (event := self._next(is_history=True)) is not None:
            yield event

    def close(self) -> None:
        """End the iteration, here and in other threads. May be repeated."""
        self._stream.close()
        # Who waits has the turn and hangs up itself.
        if self._turn.acquire(blocking=False):
            try:
                self._stream.hang_up()
            finally:
                self._turn.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _next(self, *, is_history: bool) -> Event | None:
        with self._turn:
            while not self._stream.is_closed:
                if is_history and self.is_live:
                    return None
                if not self._lines:
                    self._stream.take(self.position, self._lines)
                elif (event := self._step()) is not None:
                    return event
            self._stream.hang_up()  # what ``close`` leaves to whoever has the turn
        return None

    def __del__(self) -> None:
        self._stream.hang_up()

    def _forget_parent(self) -> None:
        self._turn = threading.Lock()
        self._stream.forget_parent()


_open_tails: Final[WeakSet[Tail]] = WeakSet()


def _forget_parents() -> None:
    for tail in list(_open_tails):
        tail._forget_parent()  # noqa: SLF001 - for this function alone


reset_in_child(_forget_parents)
