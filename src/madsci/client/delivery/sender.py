"""The thread that takes waiting events to the server.

There is one sender per process and server address, shared by all clients of that address. Nothing
here is ever waited for by a log call: ``put`` appends to the spool and returns.

What the sender itself has to tell goes to the standard logger of this module, each kind of thing at
most once a minute, and can never come back as an event. What was lost for want of room is told to the
server, too, as an event, when it is back.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from madsci.client.delivery.retry import Backoff, is_temporary
from madsci.client.delivery.transport import SendReport, Transport
from madsci.client.delivery.wake import Wake
from madsci.client.spool.contract import Backlog, RejectedEvent, Spool, SpooledEvent
from madsci.client.spool.losses import losses_event
from madsci.common.errors import EventServerError, ServerRefusedError

_log = logging.getLogger(__name__)

COMPLAINT_INTERVAL: Final = 60.0
"""Seconds between two local warnings: a server that is away for a night fills no log."""
_NEVER: Final = 1 << 62


@dataclass(frozen=True)
class SenderSettings:
    """How a sender works: batch bounds, seconds between batches, seconds to drain at the end."""

    batch_max_events: int = 500
    batch_max_bytes: int = 1_000_000
    flush_interval: float = 0.05
    close_timeout: float = 5.0
    backoff: Backoff = field(default_factory=Backoff)


@dataclass(frozen=True)
class SenderStats:
    """Counts since the start of the process.

    ``sent`` counts every transmission, also repeated ones; ``acknowledged`` what the server has,
    ``duplicate`` what it already had; ``dead`` what it refused for good; ``dropped`` what a full
    queue lost. ``oldest_age`` is the age in seconds of the oldest waiting event, ``spool_bytes`` the
    room that waiting events take on the disk. What waits includes what this process took over from
    one that has ended.
    """

    queued: int
    sent: int
    acknowledged: int
    duplicate: int
    dead: int
    dropped: int
    last_error: str | None
    oldest_age: float | None
    spool_bytes: int = 0


class Sender:
    """Owns the spool, the transport and the one thread between them."""

    def __init__(
        self, spool: Spool, transport: Transport, settings: SenderSettings | None = None
    ) -> None:
        self.settings = settings or SenderSettings()
        self._spool = spool
        self._transport = transport
        self._sent = self._acknowledged = self._duplicate = 0
        self._failures = 0
        self._last_error: str | None = None
        self._complained_at: dict[str, float] = {}
        self._batch_events = self.settings.batch_max_events
        self._begin()
        _living.add(self)
        if spool.has_backlog():
            self._start()

    def _begin(self) -> None:
        """Set everything that belongs to the thread; also what a forked child starts from."""
        self._lock = threading.RLock()
        self._progress = threading.Condition()
        self._wake = Wake()
        self._wake_at = _NEVER  # how many waiting events wake the thread
        self._nudges = 0  # how often somebody asked for haste
        self._flush_to = 0  # the position up to which somebody waits
        self._closing_at: float | None = None
        self._thread: threading.Thread | None = None
        self._is_starting = False
        self._backlog: Backlog | None = None
        self._is_own_turn = True

    # Called by clients, from any thread.

    def put(self, event_id: str, body: bytes) -> None:
        """Take an event over. Returns at once, whatever the server does."""
        if threading.get_ident() in _sender_threads:
            return
        if self._spool.append(event_id, body) >= self._wake_at:
            self._wake_at = _NEVER  # one call to set() is enough, and it is not cheap
            self._wake.set()
        if self._thread is None:
            self._start()

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until all events put so far are settled; tell whether they were in time."""
        target = self._spool.last_position
        if self._spool.settled_position >= target:
            return True
        if threading.get_ident() in _sender_threads:
            return False
        self._start()
        self._flush_to = max(self._flush_to, target)
        self._hurry()
        seconds = self.settings.close_timeout if timeout is None else timeout
        with self._progress:
            return self._progress.wait_for(
                lambda: self._spool.settled_position >= target, max(seconds, 0.0)
            )

    def close(self, timeout: float | None = None) -> bool:
        """Send what waits, for ``timeout`` seconds at most, and end the thread.

        Returns whether everything was settled. A later ``put`` begins anew.
        """
        seconds = self.settings.close_timeout if timeout is None else timeout
        self.end_by(time.monotonic() + max(seconds, 0.0))
        return self.join()

    def end_by(self, deadline: float) -> None:
        """Let the thread end when the spool is empty or the monotonic clock reaches the deadline."""
        if self._thread is None and self._spool.settled_position < self._spool.last_position:
            self._start()
        self._closing_at = deadline
        self._hurry()

    def join(self) -> bool:
        """Wait for the end that ``end_by`` asked for; tell whether everything was settled."""
        thread, deadline = self._thread, self._closing_at
        if thread is not None and deadline is not None:
            thread.join(max(deadline - time.monotonic(), 0.0))
        waiting = self._spool.last_position - self._spool.settled_position
        if thread is None or not thread.is_alive():
            self._transport.close()
            self._spool.close()
        if waiting:
            _log.warning(
                "%d events were not delivered before the end (%s). Those in the spool directory are"
                " sent by the next process that logs to this server; clients that write a local log"
                " file have them there, too.", waiting, self._last_error or "the server was too slow",
            )  # fmt: skip
        return not waiting

    def stats(self) -> SenderStats:
        """Count what was sent, what waits and what was lost."""
        spool = self._spool.stats()
        return SenderStats(
            queued=spool.queued,
            sent=self._sent,
            acknowledged=self._acknowledged,
            duplicate=self._duplicate,
            dead=spool.dead,
            dropped=spool.dropped,
            last_error=self._last_error,
            oldest_age=spool.oldest_age,
            spool_bytes=spool.spool_bytes,
        )

    @property
    def rejected(self) -> Sequence[RejectedEvent]:
        """The last events that the server refused for good, with its reasons."""
        return self._spool.rejected

    def _hurry(self) -> None:
        self._nudges += 1
        self._wake.set()

    def _start(self) -> None:
        with self._lock:
            if self._is_starting:  # a signal handler, in the middle of what follows
                return
            self._is_starting = True
            try:
                if self._thread is not None and self._thread.is_alive():
                    return
                self._closing_at = None
                thread = threading.Thread(target=self._run, name="madsci-event-sender", daemon=True)
                self._thread = thread
                thread.start()
            except RuntimeError as error:  # the interpreter is ending, or the system is out of threads
                self._thread = None
                self._last_error = str(error)
            finally:
                self._is_starting = False

    def forget_parent(self) -> None:
        """Begin anew in a forked child: the thread stayed with the parent, and so do its events."""
        self._begin()
        self._spool.forget_parent()
        self._transport.close()

    # The thread.

    def _run(self) -> None:
        ident = threading.get_ident()
        _sender_threads.add(ident)
        try:
            while True:
                nudges = self._nudges
                try:
                    if not self._await_work():
                        return
                    nudges = self._nudges
                    pause, patient = self._deliver()
                except Exception as error:  # noqa: BLE001 - the border of the sender loop
                    pause, patient = self._note_failure(f"{type(error).__name__}: {error}"), False
                if pause:
                    self._rest(pause, nudges, patient=patient)
        finally:
            _sender_threads.discard(ident)
            self._thread = None  # the next put() starts another

    def _await_work(self) -> bool:
        """Sleep until a batch is due; ``False`` when the thread is to end."""
        while True:
            self._tend()
            self._backlog = self._spool.backlog()
            has_own = self._spool.settled_position < self._spool.last_position
            if self._closing_at is not None:
                # What others left behind is worth the time only while it goes well.
                has_work = has_own or (self._backlog is not None and not self._failures)
                return has_work and time.monotonic() < self._closing_at
            if self._backlog is not None:
                return True
            if has_own:
                break
            self._sleep(1, self._spool.next_tending())
        if self._flush_to <= self._spool.settled_position:
            self._sleep(self.settings.batch_max_events, self.settings.flush_interval)
        return True

    def _tend(self) -> None:
        for notice in self._spool.tend():
            self._last_error = notice
            self._complain(notice, topic="spool")

    def _sleep(self, wake_at: int, timeout: float | None) -> None:
        nudges = self._nudges
        self._wake.clear()
        self._wake_at = wake_at
        # Looked at after saying what wakes us: what came in between is seen here or wakes us.
        spool = self._spool
        waiting = spool.last_position - spool.settled_position
        if waiting < wake_at and nudges == self._nudges:
            self._wake.wait(timeout)
        self._wake_at = _NEVER

    def _rest(self, seconds: float, nudges: int, *, patient: bool) -> None:
        """Wait before the next attempt. Somebody in a hurry ends it, unless the server asked for it."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self._wake.clear()
            if self._nudges != nudges and not patient:
                return
            if self._closing_at is not None:
                left = min(left, self._closing_at - time.monotonic())
                if left <= 0:
                    return
            tending = self._spool.next_tending()
            self._wake.wait(left if tending is None else min(left, tending))
            self._tend()

    def _next_source(self) -> Backlog:
        """Take turns between what this process logs and what another one left behind."""
        if self._backlog is None or self._flush_to > self._spool.settled_position:
            return self._spool
        self._is_own_turn = not self._is_own_turn
        has_own = self._spool.settled_position < self._spool.last_position
        return self._spool if self._is_own_turn and has_own else self._backlog

    def _deliver(self) -> tuple[float, bool]:
        """Send one batch. Returns the seconds to rest, and whether the server asked for them."""
        source = self._next_source()
        batch = source.read(self._batch_events, self.settings.batch_max_bytes)
        if not batch:
            return 0.0, False
        self._sent += len(batch)
        report = self._transport.send(batch)
        self._settle(source, batch, report)
        failure, rest = report.failure, batch[report.settled :]
        if failure is None:
            self._failures = 0
            if self._batch_events < self.settings.batch_max_events:
                self._batch_events = min(self._batch_events * 2, self.settings.batch_max_events)
            self._tell_losses()
            return 0.0, False
        if isinstance(failure, ServerRefusedError) and not is_temporary(failure.status):
            self._divide(source, rest, failure)
            return 0.0, False
        if report.settled:
            self._failures = 0  # it goes on, if slowly
        retry_after = getattr(failure, "retry_after", None)
        return self._note_failure(failure.message, retry_after), retry_after is not None

    def _tell_losses(self) -> None:
        """Have the server keep, as an event, what it will never get."""
        lost = self._spool.losses()
        if lost.count:
            self._spool.forget_losses()
            self._spool.append(*losses_event(lost))

    def _settle(self, source: Backlog, batch: Sequence[SpooledEvent], report: SendReport) -> None:
        for rejection in report.rejected:
            self._bury(batch[rejection.index], rejection.reason)
        self._acknowledged += report.settled - len(report.rejected)
        self._duplicate += report.duplicate
        if report.settled:
            self._acknowledge(source, batch[report.settled - 1])

    def _divide(
        self, source: Backlog, events: Sequence[SpooledEvent], failure: EventServerError
    ) -> None:
        """Halve the batch that was refused as a whole; a single event is what is wrong with it."""
        if len(events) > 1:
            self._batch_events = len(events) // 2
            return
        self._bury(events[0], failure.message)
        self._acknowledge(source, events[0])

    def _acknowledge(self, source: Backlog, event: SpooledEvent) -> None:
        source.acknowledge(event.position)
        with self._progress:
            self._progress.notify_all()

    def _bury(self, event: SpooledEvent, reason: str) -> None:
        self._spool.reject(event, reason)
        self._last_error = reason
        self._complain(f"The Event Manager refused event {event.event_id} for good: {reason}")

    def _note_failure(self, reason: str, retry_after: float | None = None) -> float:
        self._failures += 1
        self._last_error = reason
        self._complain(f"{reason} ({self._spool.stats().queued} events wait for the next attempt.)")
        return self.settings.backoff.delay(self._failures, retry_after)

    def _complain(self, text: str, topic: str = "server") -> None:
        now = time.monotonic()
        if now - self._complained_at.get(topic, float("-inf")) >= COMPLAINT_INTERVAL:
            self._complained_at[topic] = now
            _log.warning("%s", text)


# The senders of this process.

_living: weakref.WeakSet[Sender] = weakref.WeakSet()
_sender_threads: set[int] = set()


def _drain_at_exit() -> None:
    """Give every sender its time to finish, all at once."""
    senders = list(_living)
    now = time.monotonic()
    for sender in senders:
        sender.end_by(now + sender.settings.close_timeout)
    for sender in senders:
        sender.join()


def _forget_parent() -> None:
    _sender_threads.clear()
    for sender in list(_living):
        sender.forget_parent()


atexit.register(_drain_at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_parent)
