"""How much the server takes in at once: the size of one body, and of all bodies that are in work.

A body counts from its first byte until its reply, with all that is made of it, so memory is bounded
however many clients send however large batches. Only what is there counts, not what was announced.
Where there is no room, bodies that hardly arrive make way for those that do; small ones need none.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

from madsci.common.errors import OverloadedError, TooLargeError

SMALL: Final = 65_536
"""Bytes of a body that is always let in: a thousand connections hold 64 MB of them."""
_WATCHED_SECONDS: Final = 2.0
"""For so long it is looked at how fast a body arrives."""
_SLOW: Final = 10_000
"""Bytes a second, below which a body makes way for others."""


class Admission:
    """Counts the bytes in work. Used on the event loop only, so it needs no lock."""

    def __init__(
        self,
        *,
        max_body_bytes: int,
        max_bytes_in_work: int,
        small: int = SMALL,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.max_body_bytes = max_body_bytes
        self.bytes_in_work = 0
        self.dropped = 0
        """Bodies that made way for others, since the start."""
        self._max_bytes_in_work = max_bytes_in_work
        self._small = small
        self.clock = clock
        self.arriving: dict[Ticket, None] = {}
        """Bodies whose next piece somebody waits for."""
        self.at_length = asyncio.Lock()
        """Held while a large body, or a piece of one, is read in a thread. More of these would be no
        faster together, take more memory, and leave no core to those who send little."""

    def ticket(self, limit: int | None = None) -> Ticket:
        """Return the account of one request, whose body may have ``limit`` bytes."""
        return Ticket(self, self.max_body_bytes if limit is None else min(limit, self.max_body_bytes))

    def count(self, ticket: Ticket, more: int) -> None:
        """Count more bytes of a request, or raise ``OverloadedError`` and count none."""
        size = ticket.size + more
        if size > self._small and self._excess(ticket, more) > 0:
            self._make_way(ticket, more)
            if self._excess(ticket, more) > 0:
                raise OverloadedError(
                    f"{self.bytes_in_work:,} bytes of requests are in work, which is as many as this"
                    " server holds. Nothing of this was kept; send it again."
                )
        ticket.size = size
        self.bytes_in_work += more

    def _excess(self, ticket: Ticket, more: int) -> int:
        # Without others anything goes, so that no bound can shut out a request that is alone.
        others = self.bytes_in_work - ticket.size
        return self.bytes_in_work + more - self._max_bytes_in_work if others else 0

    def _make_way(self, ticket: Ticket, more: int) -> None:
        """Drop bodies that hardly arrive, the largest first, until there is room."""
        now = self.clock()
        slow = [one for one in self.arriving if one is not ticket and one.is_slow(now)]
        for one in sorted(slow, key=lambda each: -each.size):
            if self._excess(ticket, more) <= 0:
                return
            if one.size > self._small:
                one.drop()
                self.dropped += 1


class Ticket:
    """The bytes of one request. ``give_back`` ends it, in whichever way the request ends."""

    __slots__ = ("_admission", "_is_dropped", "_marks", "_moved_at", "_task", "limit", "size")

    def __init__(self, admission: Admission, limit: int) -> None:
        self._admission = admission
        self._is_dropped = False
        self.limit = limit
        self.size = 0

    @property
    def at_length(self) -> asyncio.Lock:
        """To be held while much of the body is read in a thread; see ``Admission``."""
        return self._admission.at_length

    def announce(self, size: int) -> None:
        """Raise ``TooLargeError`` if a body of that size cannot be taken; it need not be read then."""
        if size > self.limit:
            raise TooLargeError(
                f"The body has more than {self.limit:,} bytes, which is all that this server takes at"
                " once. Send it in parts, or store large data elsewhere and send a reference."
            )

    def take(self, more: int) -> None:
        """Count bytes of the body that arrived.

        Raises:
            TooLargeError: it is more than one body may have.
            OverloadedError: all bodies together are more than the server holds.
        """
        self.announce(self.size + more)
        self._admission.count(self, more)

    def hold(self, more: int) -> None:
        """Count bytes that are made of the body.

        Raises:
            OverloadedError: all bodies together are more than the server holds.
        """
        self._admission.count(self, more)

    def release(self, less: int) -> None:
        """Count bytes no more that were counted."""
        self.size -= less
        self._admission.bytes_in_work -= less

    def give_back(self) -> None:
        """Release all bytes of this request."""
        self._admission.bytes_in_work -= self.size
        self.size = 0

    @contextlib.contextmanager
    def arriving(self) -> Iterator[None]:
        """Let the task that waits for this body be told when the body has to make way.

        Raises:
            OverloadedError: it had to.
        """
        now = self._admission.clock()
        self._task: asyncio.Task[Any] | None = asyncio.current_task()
        self._moved_at = now
        self._marks = [(now, self.size)] * 2
        self._admission.arriving[self] = None
        try:
            yield
        except asyncio.CancelledError:
            if not self._is_dropped or not _was_the_only_one(self._task):
                raise
            raise OverloadedError(
                "The body arrived too slowly while others needed its room. Nothing of this was kept;"
                " send it again, or in smaller parts."
            ) from None
        finally:
            self._admission.arriving.pop(self, None)

    def moved(self) -> None:
        """Note that a piece of the body arrived."""
        now = self._moved_at = self._admission.clock()
        if now - self._marks[1][0] >= _WATCHED_SECONDS:
            self._marks = [self._marks[1], (now, self.size)]

    def is_slow(self, now: float) -> bool:
        """Return whether the body stands still, or arrives by drops."""
        if now - self._moved_at >= _WATCHED_SECONDS:
            return True
        began, size = self._marks[0]
        lasted = now - began
        return lasted >= _WATCHED_SECONDS and (self.size - size) / lasted < _SLOW

    def drop(self) -> None:
        """Make way for others: what waits for the body is told, and its bytes count no more."""
        self._is_dropped = True
        self._admission.arriving.pop(self, None)
        self.give_back()
        if self._task is not None:
            self._task.cancel()


def _was_the_only_one(task: asyncio.Task[Any] | None) -> bool:
    """Take back a cancellation; return whether nobody else has cancelled the task, too."""
    if sys.version_info >= (3, 11) and task is not None:
        return task.uncancel() == 0
    return True
