"""Sends what waits in the outbox: a thread for each channel, so that none waits for another."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

from madsci.common.clock import Clock, iso, now_us
from madsci.common.errors import MadsciError
from madsci.common.telling import Teller
from madsci.common.types.health import ChannelHealth
from madsci.event_manager.alerts.channel import Channel, Message
from madsci.event_manager.alerts.line import DispatchStore, Line
from madsci.event_manager.alerts.notice import Notice
from madsci.event_manager.tasks.clock_watch import Elapsed

_logger = logging.getLogger(__name__)

_LOOK: Final = 1.0
"""Seconds after which it is looked what other servers have decided; an empty outbox costs little."""
_TIMES: Final = 19.0
_LONGEST_REST: Final = 5.0
"""So many times as long as a look took, and so many seconds at most, there is no other: where much
waits for a channel that is down, reading it costs a twentieth of the time."""
_STAYING: Final = 5.0
"""Seconds between two times that the leases of those are kept who wait for a channel; one lasts 30."""
_LEAST: Final = 0.05
"""Seconds between two rounds of which the first found nothing to do, whatever seems to be due."""

_STOPPED: Final = "What sends over it has stopped. Restart the server."


class _Sending:
    """The thread of a line."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self._woken = threading.Event()
        self._stopping = threading.Event()
        self._teller = Teller(_logger)
        self._ended_at: int | None = None
        """When it was noticed that the thread has ended, which only a mistake of ours can do."""
        name = f"alerts-{line.channel.name}"
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        self._woken.set()

    def stop(self) -> None:
        self.line.stop()
        self._stopping.set()
        self._woken.set()

    def stats(self) -> ChannelHealth:
        health = self.line.stats()
        has_begun = self._thread.ident is not None
        if not has_begun or self._thread.is_alive() or self._stopping.is_set():
            return health
        self._ended_at = self._ended_at or now_us()
        told = {"failing_since": iso(self._ended_at), "detail": _STOPPED}
        return health.model_copy(update=told)

    def join(self, deadline: float) -> bool:
        if self._thread.ident is not None:
            self._thread.join(deadline)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._woken.clear()
            self.line.send_urgent()
            if not self._send_due():
                self._stopping.wait(min(_LONGEST_REST, _TIMES * self.line.look_took))
                rest = self.line.rest()
                self._woken.wait(_LOOK if rest is None else max(_LEAST, min(_LOOK, rest)))
        self.line.end()

    def _send_due(self) -> bool:
        try:
            return self.line.send_due()
        except MadsciError as error:  # of the store, which is asked again
            name = self.line.channel.name
            self._teller.tell(f"The alerts that wait for {name} do not go on: {error.message}")
            self._stopping.wait(_LOOK)
            return False


class Dispatcher:
    """Sends what waits in the outbox, over all channels. Thread-safe.

    Owns a thread for each channel, and one that keeps their leases while they wait for it. ``clock``
    says how old notices are, ``elapsed`` how long pauses and leases last.
    """

    def __init__(
        self,
        store: DispatchStore,
        channels: Sequence[Channel],
        render: Callable[[Notice], Message],
        *,
        clock: Clock = now_us,
        elapsed: Elapsed = time.monotonic,
    ) -> None:
        self._sending = [_Sending(Line(store, one, render, clock, elapsed)) for one in channels]
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._stay, name="alerts-leases", daemon=True)

    def start(self) -> None:
        """Begin to send."""
        if self._sending:
            self._thread.start()
        for one in self._sending:
            one.start()

    def _stay(self) -> None:
        while not self._stopping.wait(_STAYING):
            for one in self._sending:
                one.line.stay()

    def wake(self) -> None:
        """Say that something waits. Does not block."""
        for one in self._sending:
            one.wake()

    def send_at_once(self, notice: Notice) -> None:
        """Have something sent that is in no outbox, since the store does not work. Does not block."""
        for one in self._sending:
            if one.line.channel.name == notice.channel:
                one.line.send_at_once(notice)
                one.wake()

    def stats(self) -> list[ChannelHealth]:
        """Return how it stands with each channel."""
        return [one.stats() for one in self._sending]

    def close(self, deadline: float) -> bool:
        """Leave off after what is being sent; tell whether that was done in time (seconds).

        What was not sent by then waits in the outbox.
        """
        end = time.monotonic() + deadline
        self._stopping.set()
        for one in self._sending:
            one.stop()
        if self._thread.ident is not None:  # first, so that no lease is taken again that was let go
            self._thread.join(deadline)
        ended = [one.join(max(0.0, end - time.monotonic())) for one in self._sending]
        return all(ended) and not self._thread.is_alive()
