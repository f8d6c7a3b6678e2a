"""How much the server takes in at once: the size of one body, and of all bodies that are in work.

A body counts from its first byte until its reply, so memory is bounded however many clients send
however large batches. What is over the bound is refused with 503 before it is read.
"""

from __future__ import annotations

from madsci.common.errors import OverloadedError, TooLargeError


class Admission:
    """Counts the bytes in work. Used on the event loop only, so it needs no lock."""

    def __init__(self, *, max_body_bytes: int, max_bytes_in_work: int) -> None:
        self.max_body_bytes = max_body_bytes
        self._max_bytes_in_work = max_bytes_in_work
        self.bytes_in_work = 0

    def ticket(self) -> Ticket:
        """Return the account of one request."""
        return Ticket(self)

    def admits(self, size: int, more: int) -> None:
        """Raise if a body that has ``size`` bytes so far may not have ``more``.

        Raises:
            TooLargeError: it is more than one body may have.
            OverloadedError: all bodies together are more than the server holds.
        """
        if size + more > self.max_body_bytes:
            raise TooLargeError(
                f"The body has more than {self.max_body_bytes:,} bytes, which is all that this server"
                " takes at once. Send it in parts."
            )
        others = self.bytes_in_work - size
        # Without others anything goes, so that no bound can shut out a request that is alone.
        if others and self.bytes_in_work + more > self._max_bytes_in_work:
            raise OverloadedError(
                f"{self.bytes_in_work:,} bytes of requests are in work, which is as many as this"
                " server holds. Nothing of this was kept; send it again."
            )


class Ticket:
    """The bytes of one request. ``give_back`` ends it, in whichever way the request ends."""

    __slots__ = ("_admission", "_size")

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self._size = 0

    def take(self, more: int) -> None:
        """Add bytes; raise what ``Admission.admits`` raises."""
        self._admission.admits(self._size, more)
        self._size += more
        self._admission.bytes_in_work += more

    def give_back(self) -> None:
        """Release all bytes of this request."""
        self._admission.bytes_in_work -= self._size
        self._size = 0
