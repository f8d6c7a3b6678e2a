"""A request that is under way, for the threads that do not wait for it.

The HTTP library gives the socket of a request to nobody before the reply begins. Whoever wants to end a
wait for that reply, or for more of it, says so here.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

_of_thread = threading.local()


class Underway:
    """The socket of one request at a time. Thread-safe, and safe in signal handlers: it has no lock.

    Connecting itself cannot be ended; it is over within its timeout.
    """

    def __init__(self) -> None:
        self._socket: socket.socket | None = None
        self._is_ended = False

    def begin(self, connected: socket.socket) -> None:
        """Take the socket whose reply is waited for from now on."""
        self._socket = connected
        if self._is_ended:  # while it was being connected
            self.end()

    def end(self) -> None:
        """Let whoever waits for the request find its connection at an end. Not for use after a fork."""
        self._is_ended = True
        connected = self._socket
        if connected is not None:
            with contextlib.suppress(OSError):
                # Not the method of a TLS socket: it would make the reader take cipher for text.
                socket.socket.shutdown(connected, socket.SHUT_RDWR)

    def be_patient(self, seconds: float) -> None:
        """Change how long each wait for more of the reply may last."""
        connected = self._socket
        if connected is not None:
            with contextlib.suppress(OSError):
                connected.settimeout(seconds)


@contextlib.contextmanager
def seen_by(underway: Underway | None) -> Iterator[None]:
    """Tell the requests that this thread makes in the block."""
    before = getattr(_of_thread, "underway", None)
    _of_thread.underway = underway
    try:
        yield
    finally:
        _of_thread.underway = before


def begun(connected: socket.socket) -> None:
    """Tell whoever asked in this thread which socket the reply comes from."""
    underway: Underway | None = getattr(_of_thread, "underway", None)
    if underway is not None:
        underway.begin(connected)
