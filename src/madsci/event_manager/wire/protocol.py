"""HTTP/1.1 of one connection, within bounds: uvicorn's protocol with an end to everything.

uvicorn bounds neither heads nor trailers, neither requests sent ahead nor the time of any of it. Here
heads are read in slices and measured after each; what takes too long is seen by a look at all
connections once a second.
"""

from __future__ import annotations

import array
import asyncio
import sys
from typing import Any, Final

from httptools.parser.errors import HttpParserError, HttpParserUpgrade
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from madsci.common.errors import (
    HeadTooLargeError,
    MadsciError,
    MalformedRequestError,
    OverloadedError,
    RequestTimeoutError,
)
from madsci.event_manager.api.problems import problem_of
from madsci.event_manager.wire.bounds import Bounds
from madsci.event_manager.wire.connections import Connections
from madsci.event_manager.wire.gathering import GatheringTransport
from madsci.event_manager.wire.progress import Phase, Progress
from madsci.event_manager.wire.standing import Standing

_SLICE: Final = 16_384
"""Bytes of a head that are parsed before it is measured."""
_DISCARDED: Final = 4 * 1024 * 1024
"""Bytes that are read after the last reply, so that it is not lost; closing earlier would reset."""
_PROBE_SECONDS: Final = 0.25
_PROBE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
"""An interim response, which every client of HTTP/1.1 has to pass over (RFC 9110, 15.2)."""
_STOPPED: Final = (
    "The server stops, and had not answered yet. It may have kept what it was sent: send that again"
    " under the same ids, of which it keeps one each."
)


class BoundedProtocol(HttpToolsProtocol):
    """A connection. ``connections`` are all those of the server."""

    def __init__(self, *, connections: Connections, **parts: Any) -> None:
        super().__init__(**parts)
        self._all = connections
        self.headers = []
        self.idle_since = self.loop.time()
        self.standing = Standing.NEW
        self._progress = Progress(self.idle_since)
        self._in_head = True
        self._pending = 0
        """Bytes since a head, or a piece of a body, was complete."""
        self._received = 0
        self._requests = 0
        self._left_out = 0
        """Bytes of a body that the parser will not give."""
        self._body_began = 0
        self._running: RequestResponseCycle | None = None
        self._is_deaf = False
        """Nothing that comes is read any more."""
        self._is_leaving = False
        """The last reply is written."""
        self._has_ended = False
        """The other side will send nothing more."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to serve a connection."""
        super().connection_made(GatheringTransport(transport, self.loop))  # type: ignore[arg-type]
        self._all.enter(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """End everything that works for a connection that is gone."""
        self._all.leave(self)
        self.pipeline.clear()
        super().connection_lost(exc)
        self._give_up()

    def _give_up(self) -> None:
        """Have the work at an answer end that nobody will get."""
        running = self._running
        if running is not None and not running.response_complete:
            running.disconnected = True
            running.message_event.set()

    def eof_received(self) -> bool:  # type: ignore[override]
        """Answer what was asked before the client closed its side, then close.

        A client that is gone altogether looks the same; ``_probe`` finds out.
        """
        if self._is_leaving or not self._is_busy or not (self._in_head or self.cycle.response_complete):
            return False  # half a request, or none: nobody waits for a reply
        if not self._has_ended:
            self._has_ended = True
            self.cycle.keep_alive = False
            self.loop.call_later(_PROBE_SECONDS, self._probe)
        return True

    def drop(self) -> None:
        """Close the connection at once."""
        self.transport.abort()

    def cut(self) -> None:
        """Close the connection, telling who waits for an answer that there will be none."""
        if not self._is_busy or self._is_leaving:
            self.transport.close()
        elif self._running is not None and self._running.response_started:
            self._give_up()
            self.transport.abort()
        else:
            self._answer_last(OverloadedError(_STOPPED, retry_after=5))

    @property
    def _bounds(self) -> Bounds:
        return self._all.bounds

    @property
    def _is_busy(self) -> bool:
        # There is none before the first request, whatever its type says.
        return self.cycle is not None and not self.cycle.response_complete  # type: ignore[redundant-expr]

    @property
    def is_waiting(self) -> bool:
        """Whether nothing would be lost with it: it has sent no whole head that is not answered."""
        return self._in_head and not self._is_busy and self._progress.phase is not Phase.REPLY

    def data_received(self, data: bytes) -> None:
        """Read what the client sent."""
        if self._is_deaf:
            self._discard(len(data))
            return
        self._received += len(data)
        if len(data) <= _SLICE:
            self._feed(data)
            return
        rest = memoryview(data)
        while self._in_head and len(rest) > _SLICE:
            self._feed(rest[:_SLICE])
            rest = rest[_SLICE:]
            if self._is_deaf:
                return
        self._feed(rest)

    def _feed(self, data: bytes | memoryview) -> None:
        self._pending += len(data)
        if self._left_out:
            self._feed_body(data)
            return
        try:
            self.parser.feed_data(data)
        except HttpParserUpgrade as upgrade:
            # No other protocol is spoken here: what follows is the body, or the next request.
            self._feed_body(data[upgrade.args[0] :])
            return
        except HttpParserError as error:
            cause = error.__context__
            self._refuse(
                cause
                if isinstance(cause, MadsciError)
                else MalformedRequestError(f"This is not a request of HTTP/1.1: {error}.")
            )
            return
        if self._pending > self._bounds.head_bytes or len(self.headers) > self._bounds.head_lines:
            self._refuse(self._too_large())

    def _feed_body(self, data: bytes | memoryview) -> None:
        """Read the body of a request that offered another protocol, which the parser leaves out."""
        body = bytes(data[: self._left_out])
        if body:
            self._left_out -= len(body)
            self.on_body(body)
        if not self._in_head and not self._left_out:
            self.on_message_complete()
        if len(body) < len(data):
            self._feed(data[len(body) :])

    def _too_large(self) -> HeadTooLargeError:
        return HeadTooLargeError(
            f"The head of the request has more than {self._bounds.head_bytes:,} bytes or"
            f" {self._bounds.head_lines} lines. Send fewer or shorter headers; a long selector belongs"
            " into the body of POST /events/query."
        )

    def on_headers_complete(self) -> None:
        """Begin to answer a request whose head is complete."""
        bounds = self._bounds
        if len(self.headers) > bounds.head_lines or (
            self._pending > bounds.head_bytes and self._head_size() > bounds.head_bytes
        ):
            raise self._too_large()
        if not self._all.begins(self, self.parser.get_method(), self.url):
            raise OverloadedError(
                f"Of {bounds.connections:,} connections, which is as many as this server has, too many"
                " are at work. Nothing of this was read; send it again."
            )
        if len(self.pipeline) >= bounds.pipelined:
            raise OverloadedError  # closed behind the others, so that the client sends it again
        if self.parser.should_upgrade():
            self._left_out = _announced(self.headers)
        self._in_head = False
        self._pending = 0
        self._requests += 1
        self._body_began = self._received
        super().on_headers_complete()
        self.headers = []  # of trailers, which nobody reads

    def _head_size(self) -> int:
        lines = sum([len(name) + len(value) + 4 for name, value in self.headers])
        return len(self.url) + lines

    def on_body(self, body: bytes) -> None:
        """Take a piece of a body."""
        self._pending = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Note that the next byte begins another request."""
        if self._left_out:
            return
        self._in_head = True
        self._pending = 0
        super().on_message_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def on_response_complete(self) -> None:
        """Go on with the next request, or wait for it."""
        self.server_state.total_requests += 1
        self.idle_since = self.loop.time()
        if self.transport.is_closing():
            return
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
            return
        # A client that was to wait for our word before it sends the body may never send it.
        is_held_back = self.expect_100_continue and not self._in_head
        if self._is_deaf or (is_held_back and self._body_began == self._received):
            self._leave()
        elif self._has_ended:
            self.transport.close()
        else:
            self._all.rests(self)
            self.flow.resume_reading()

    def _refuse(self, error: MadsciError) -> None:
        """Answer with an error what cannot be read on, and close; requests before it are answered."""
        self._is_deaf = True
        self._received = 0
        cycle = self.cycle
        if self._is_busy and (self._in_head or cycle.response_started or cycle is not self._running):
            self.flow.pause_reading()
            return
        self._answer_last(error)

    def _answer_last(self, error: MadsciError) -> None:
        """Answer with an error, in place of whoever is at work at the answer, and close."""
        self._give_up()
        reply = problem_of(error)
        pairs = [*self.server_state.default_headers, *reply.raw_headers, (b"connection", b"close")]
        head = [STATUS_LINE[reply.status_code], *(b"%s: %s\r\n" % pair for pair in pairs), b"\r\n"]
        self.transport.write(b"".join(head) + bytes(reply.body))
        self._leave()

    def _leave(self) -> None:
        """Close once the other side has read the last reply.

        Closing at once what was not read to its end resets a connection, and the reply is lost.
        """
        self._is_deaf = self._is_leaving = True
        self.transport.write_eof()
        self.flow.resume_reading()

    def _discard(self, size: int) -> None:
        self._received += size
        if self._received > _DISCARDED:
            self.transport.abort()

    def look(self, now: float) -> Phase:
        """Close the connection if it has waited too long; return what it is doing."""
        phase, count = self._state()
        progress, bounds = self._progress, self._bounds
        still = progress.note(phase, count, now)
        if phase is Phase.HEAD and still > bounds.head_seconds:
            self._refuse(_too_slow("head", bounds.head_seconds))
        elif phase is Phase.BODY and (
            still > bounds.body_seconds or progress.rate(now, bounds.body_seconds) < bounds.body_rate
        ):
            self._refuse(_too_slow("body", bounds.body_seconds))
        elif phase is Phase.IDLE and now - self.idle_since > bounds.idle_seconds:
            self.transport.close()
        elif phase is Phase.DISCARD and still > bounds.discard_seconds:
            self._leave()
        elif (phase is Phase.REPLY and still > bounds.reply_seconds) or (
            phase is Phase.LEAVE and still > bounds.leave_seconds
        ):
            self.transport.abort()
        return phase

    def still(self, now: float) -> float:
        """Return the seconds for which its sender or reader has not got on."""
        progress, bounds = self._progress, self._bounds
        if progress.phase is Phase.BODY:
            return progress.still(now, below=bounds.body_rate)
        stuck = (Phase.REPLY, Phase.DISCARD, Phase.LEAVE)
        return progress.still(now) if progress.phase in stuck else 0.0

    def _state(self) -> tuple[Phase, int]:
        """Return what the connection waits for, and what grows while it gets on with that."""
        transport: Any = self.transport
        if transport.get_write_buffer_size():
            return Phase.REPLY, transport.taken - _unsent(transport)
        if self._is_leaving or transport.is_closing():
            return Phase.LEAVE, 0
        if self._in_head:
            if self._is_busy:
                return Phase.WORK, 0
            return (Phase.HEAD if self._pending else Phase.IDLE), self._requests
        if self.cycle.response_complete:
            return Phase.DISCARD, self._requests
        return (Phase.WORK if self.flow.read_paused else Phase.BODY), self._received

    def _probe(self) -> None:
        """Write to a client that closed its side: one that is gone answers that with a reset."""
        running = self._running
        if self.transport.is_closing() or running is None or running.response_started:
            return
        if running.scope["http_version"] == "1.1":
            self.transport.write(_PROBE)
        self.loop.call_later(_PROBE_SECONDS, self._probe)


def _announced(headers: list[tuple[bytes, bytes]]) -> int:
    """Return the length of a body; the parser has seen to it that it is a number, and the only one."""
    names = dict(headers)
    if b"transfer-encoding" in names:
        raise MalformedRequestError(
            "A body in chunks cannot be read of a request that offers another protocol. Leave out the"
            " header Upgrade, or send Content-Length."
        )
    return int(names.get(b"content-length", 0))


def _too_slow(part: str, seconds: float) -> RequestTimeoutError:
    return RequestTimeoutError(
        f"The {part} of the request did not arrive in time: this server waits {seconds:g} seconds."
        " Nothing of this was kept; send it again."
    )


def _unsent(transport: Any) -> int:
    """Return the bytes that the system has not brought to the reader yet, where it tells.

    It takes new ones from us in large portions only, which may be minutes apart for a slow reader.
    """
    if sys.platform != "linux":
        return 0
    import fcntl  # noqa: PLC0415 - there is none on Windows
    import termios  # noqa: PLC0415

    counted = array.array("i", [0])
    try:
        fcntl.ioctl(transport.get_extra_info("socket").fileno(), termios.TIOCOUTQ, counted)
    except OSError:
        return 0
    return counted[0]
