"""Room in the queue before the writer: given out in the order of asking, to few events before many.

A batch waits for room instead of coming back again and again, while single events always fit. Used on
the event loop only.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

from madsci.common.errors import OverloadedError

FEW: Final = 100
"""Events of a request that goes before those of many: somebody waits for the reply to these."""
_MAX_IN_LINE: Final = 1_000
"""Requests that wait for room: one of each connection. Their bodies are counted by the admission."""


class Room:
    """Counts the events that wait to be written, at most ``max_events``, and who waits for room."""

    def __init__(self, max_events: int) -> None:
        self.taken = 0
        self._max_events = max_events
        # A tenth is kept for few events, which else would have to wait for many.
        self._max_of_many = max_events - max_events // 10
        self._few: deque[tuple[int, asyncio.Future[None]]] = deque()
        self._many: deque[tuple[int, asyncio.Future[None]]] = deque()

    def take(self, count: int, *, is_few: bool) -> bool:
        """Take room for so many events if there is some; return whether there was."""
        if (self._few if is_few else self._many) or not self._has(count, is_few=is_few):
            return False
        self.taken += count
        return True

    async def wait(self, count: int, *, is_few: bool, is_under_way: bool = False) -> None:
        """Take room once there is some; what is under way already is not turned away.

        Raises:
            OverloadedError: as many requests wait for room as this server lets wait.
        """
        in_line = len(self._few) + len(self._many)
        if in_line >= min(self._max_events, _MAX_IN_LINE) and not is_under_way:
            raise OverloadedError(
                f"{self.taken:,} events and {in_line:,} requests wait to be written, as many as"
                " this server holds. Nothing of this was kept; send it again."
            )
        line = self._few if is_few else self._many
        turn = asyncio.get_running_loop().create_future()
        line.append((count, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                self.give_back(count)  # it was given, but too late
            raise

    def give_back(self, count: int) -> None:
        """Free room, and let those have it who wait for it."""
        self.taken -= count
        for line in (self._few, self._many):
            while line and self._has(line[0][0], is_few=line is self._few):
                size, turn = line.popleft()
                if not turn.done():
                    self.taken += size
                    turn.set_result(None)

    def close(self, error: OverloadedError) -> None:
        """Turn away everybody who waits."""
        for line in (self._few, self._many):
            while line:
                _, turn = line.popleft()
                if not turn.done():
                    turn.set_exception(error)

    def _has(self, count: int, *, is_few: bool) -> bool:
        # An empty queue takes anything, so that no bound can shut out a request that is alone.
        most = self._max_events if is_few else self._max_of_many
        return not self.taken or self.taken + count <= most
