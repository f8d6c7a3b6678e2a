"""A live stream that resumes by itself: connections come and go, what they say is one whole.

The server says the position behind each line. Whoever has used all lines up to a position hands it
back and is given what follows: no gap, and no repetition.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Final

from madsci.client.delivery import Backoff, Reply, StreamedReply, Underway, is_temporary
from madsci.client.reading.asking import Asker
from madsci.client.reading.live_lines import Ending, Happening, Line, LineReader
from madsci.common.errors import ServerRefusedError, ServerUnreachableError
from madsci.common.stderr import warn_locally
from madsci.common.telling import INTERVAL
from madsci.common.wake import Wake

ROUTE: Final = "events/stream"
SILENCE: Final = 30.0
"""Seconds without a word after which a connection is dead: the server says something every ten."""
_BACKOFF: Final = Backoff(cap=5.0)
"""Somebody watches, so a server that is back is found soon; it is one small request each time."""
_WORTH: Final = 10.0
"""Seconds that a connection without events has to last, or those before it count as failures still."""
_LINES: Final = "application/x-ndjson"
_TOO_OLD: Final = (404, 405)

Tell = Callable[[str], object]
"""Takes a sentence about a break, or about its end."""


@dataclass(frozen=True)
class LiveQuestion:
    """What is asked for: parameters of the URL, without the place, and the selector as JSON.

    ``seconds`` is the patience with each attempt to connect, and with the beginning of its reply.
    """

    params: Mapping[str, str | int]
    body: bytes
    seconds: float
    silence: float = SILENCE
    backoff: Backoff = field(default=_BACKOFF)


class ResumingStream:
    """One question and its connection, if there is one now.

    For one thread at a time, but for ``close``, which any thread and any signal handler may call.
    After a fork the child has a connection of its own.
    """

    def __init__(self, asker: Asker, question: LiveQuestion, tell: Tell | None = None) -> None:
        self.is_closed = False
        self._asker = asker
        self._question = question
        self._telling = _Telling(tell or warn_locally)
        self._reply: StreamedReply | None = None
        self._pieces: Iterator[bytes] = iter(())
        self._reader = LineReader()
        self._underway = Underway()
        self._wake = Wake()
        self._failures = 0
        self._connected_at = 0.0
        self._has_events = False
        self._reason = ""
        self._pid = os.getpid()

    def open(self, since: str | None, into: deque[Line]) -> None:
        """Connect for the first time and read the first lines; ``since`` is where to begin.

        Raises:
            ServerUnreachableError: the server does not answer in time.
            ServerRefusedError: the server answers with an error, or knows no live stream.
        """
        with ExitStack() as undo:
            undo.callback(self.hang_up)
            undo.callback(self.close)
            self._connect({} if since is None else {"since": since}, repeat=True)
            while not into:
                into.extend(self._read())
            undo.pop_all()
        self._underway.be_patient(self._question.silence)

    def take(self, position: str, into: deque[Line]) -> None:
        """Wait for the lines behind a position, which is behind all that was taken before.

        Returns with some, or with none when it was closed. Breaks are told and resumed for ever.

        Raises:
            ServerRefusedError: the server does not take the position or the question any more.
        """
        self._leave_to_parent()
        with ExitStack() as undo:
            undo.callback(self.hang_up)  # whatever ends this amid a line, such as Ctrl-C
            while not into and not self.is_closed:
                if self._reply is None:
                    self._resume(position)
                else:
                    self._read_on(into)
            if not self.is_closed:
                undo.pop_all()

    def close(self) -> None:
        """End every wait of ``take``, but that for a connection to be made. May be repeated."""
        self.is_closed = True
        self._wake.set()
        if self._pid == os.getpid():
            self._underway.end()

    def hang_up(self) -> None:
        """Let go of the connection; ``take`` makes another."""
        self._leave_to_parent()
        reply, self._reply = self._reply, None
        self._pieces = iter(())
        if reply is not None:
            reply.close()

    def forget_parent(self) -> None:
        """Begin anew what other threads may have held when this process was forked."""
        self._wake = Wake()

    def _leave_to_parent(self) -> None:
        if self._pid != os.getpid():
            # The parent reads on from its socket, which is left alone: its reader may hold a lock.
            self._reply, self._pieces = None, iter(())
            self._underway = Underway()
            self._pid = os.getpid()

    def _resume(self, position: str) -> None:
        try:
            self._connect({"since": position}, repeat=False)
        except ServerUnreachableError as error:
            self._wait(error.message)
        except ServerRefusedError as error:
            if not is_temporary(error.status):
                self.close()
                raise
            self._wait(error.message, error.retry_after)
        else:
            self._underway.be_patient(self._question.silence)
            if self._reply is not None:
                self._telling.resumed(f"The live stream of {self._asker.url} goes on.")

    def _read_on(self, into: deque[Line]) -> None:
        try:
            into.extend(self._read())
        except ServerUnreachableError:
            trouble = self._reply.trouble if self._reply is not None else ""
            self.hang_up()
            if self._has_events or time.monotonic() - self._connected_at > _WORTH:
                self._failures = 0
            self._wait(self._reason or trouble or "the connection was closed")

    def _wait(self, cause: str, retry_after: float | None = None) -> None:
        if self.is_closed:
            return
        self._failures += 1
        self._telling.broke(
            f"The live stream of {self._asker.url} broke off and will be resumed: {cause.rstrip('.')}."
        )
        self._wake.wait(self._question.backoff.delay(self._failures, retry_after))

    def _connect(self, place: Mapping[str, str], *, repeat: bool) -> None:
        question = self._question
        self._underway = Underway()
        if self.is_closed:
            return
        try:
            reply = self._asker.stream(
                ROUTE,
                question.seconds,
                params={**question.params, **place},
                body=question.body,
                headers={"Accept": _LINES},
                underway=self._underway,
                repeat=repeat,
            )
        except ServerRefusedError as error:
            raise self._too_old(error.status) if error.status in _TOO_OLD else error from None
        if not reply.headers.get("Content-Type", "").startswith(_LINES):
            with reply:
                said = Reply(reply.status, next(reply.chunks(), b""))
            raise self._asker.stranger(said, "POST", ROUTE)
        self._reply, self._pieces, self._reader = reply, reply.chunks(), LineReader()
        self._connected_at, self._has_events, self._reason = time.monotonic(), False, ""

    def _read(self) -> list[Line]:
        """Return the lines of the next piece that comes, of which there may be none.

        Raises:
            ServerUnreachableError: the connection broke, or was silent for too long.
        """
        piece = next(self._pieces, None)
        if piece is None:
            raise ServerUnreachableError(
                f"The Event Manager at {self._asker.url} closed the connection of its live stream. Ask"
                " again; if it does so again, its log may say why."
            )
        lines = self._reader.read(piece)
        if lines and isinstance(lines[-1], Ending):
            self._reason = lines[-1].reason
        self._has_events = self._has_events or any(isinstance(line, Happening) for line in lines)
        return lines

    def _too_old(self, status: int) -> ServerRefusedError:
        return ServerRefusedError(
            f"The Event Manager at {self._asker.url} is too old for tail: it has no live stream (POST"
            f" /{ROUTE} gave status {status}). Update it, or ask again and again with iter_events.",
            status=status,
        )


class _Telling:
    """Tells of a break once a minute at most, and of the end of what it told."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._told_at = float("-inf")
        self._is_known = False

    def broke(self, sentence: str) -> None:
        now = time.monotonic()
        if now - self._told_at >= INTERVAL:
            self._told_at, self._is_known = now, True
            self._tell(sentence)

    def resumed(self, sentence: str) -> None:
        if self._is_known:
            self._is_known = False
            self._tell(sentence)
