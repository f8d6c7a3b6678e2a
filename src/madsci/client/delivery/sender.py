"""The thread that takes waiting events to the server.

There is one sender per process and server address, shared by all clients of that address. Nothing
here is ever waited for by a log call: it appends to the spool, whose bell wakes the thread.

What the sender itself has to tell goes to the standard logger of this module, each kind of thing at
most once a minute, and can never come back as an event. What was lost is told to the server, too, as an
event, when it is back.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final
from weakref import WeakSet

from madsci.client.delivery import ending
from madsci.client.delivery.retry import Backoff, is_temporary
from madsci.client.delivery.transport import SendReport, Transport
from madsci.client.spool import (
    LOOK_INTERVAL,
    NEVER,
    Backlog,
    RejectedEvent,
    Spool,
    SpooledEvent,
    losses_event,
)
from madsci.common.errors import EventServerError, ServerRefusedError
from madsci.common.sharing import Shared
from madsci.common.telling import Teller
from madsci.common.wake import Wake

_log = logging.getLogger(__name__)


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
    ``duplicate`` what it already had; ``rejected`` what it refused for good; ``lost`` what a full
    spool had no room for, or damaged files lack. ``oldest_age`` is the age in seconds of the oldest
    waiting event, ``spool_bytes`` the room that waiting events take on the disk. What waits includes
    what this process took over from one that has ended.
    """

    queued: int
    sent: int
    acknowledged: int
    duplicate: int
    rejected: int
    lost: int
    last_error: str | None
    oldest_age: float | None
    spool_bytes: int = 0


class Sender:
    """Owns the spool, the transport and the one thread between them.

    The thread begins with the first event, and ends when nothing waits and nobody is left who may log.
    """

    def __init__(
        self, spool: Spool, transport: Transport, settings: SenderSettings | None = None
    ) -> None:
        self.settings = settings or SenderSettings()
        self.spool = spool
        self.users: WeakSet[object] = WeakSet()
        """Who may log: a client that is dropped leaves by itself."""
        self._transport = transport
        self._sent = self._acknowledged = self._duplicate = 0
        self._failures = 0
        self._teller = Teller(_log)
        self._batch_events = self.settings.batch_max_events
        self._begin()
        spool.bell = self._on_bell
        if spool.has_backlog():
            self._start()

    def _begin(self) -> None:
        """Set everything that belongs to the thread; also what a forked child starts from."""
        self._lock = threading.RLock()
        """Held to decide about the thread, and for nothing that takes time."""
        self._progress = threading.Condition()
        self._wake = Wake()
        self._nudges = 0  # how often somebody asked for haste
        self._flush_to = 0  # the position up to which somebody waits
        self._given_up_to = -1  # the position up to which nobody waits any more
        self._closing_at: float | None = None
        self._thread: threading.Thread | None = None
        self._is_delivering_here = False
        self._backlog: Backlog | None = None
        self._is_own_turn = True

    # Called by clients, from any thread.

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until all events logged so far are settled; tell whether they were in time."""
        target = self.spool.last_position
        if self.spool.settled_position >= target:
            return True
        if threading.current_thread() is self._thread:
            return False
        seconds = self.settings.close_timeout if timeout is None else timeout
        self._flush_to = max(self._flush_to, target)
        self._hurry()
        if not self._start():
            self._deliver_here(ending.deadline())
            return self.spool.settled_position >= target
        with self._progress:
            return self._progress.wait_for(
                lambda: self.spool.settled_position >= target, max(seconds, 0.0)
            )

    def leave(self, user: object, timeout: float | None = None) -> bool:
        """Have a user go when all is settled, after ``timeout`` seconds at the latest.

        Returns whether everything was settled. What was not goes on being sent for as long as the
        process lives; its end does not wait once more for what a user waited for in vain.
        """
        seconds = self.settings.close_timeout if timeout is None else timeout
        deadline = time.monotonic() + max(seconds, 0.0)
        is_settled = self.flush(seconds)
        self.users.discard(user)
        thread = self._thread
        if not is_settled:
            if seconds > 0:
                self._given_up_to = self.spool.last_position
        elif not self.users and thread is not None and thread is not threading.current_thread():
            self._hurry()
            thread.join(max(deadline - time.monotonic(), 0.0))
        return is_settled

    def end_by(self, deadline: float) -> None:
        """Let the thread end when nothing waits or the monotonic clock reaches the deadline."""
        if self.spool.last_position <= self._given_up_to:
            deadline = time.monotonic()
        self.spool.look_again()
        self._closing_at = deadline
        self._hurry()
        if self.spool.waiting:
            self._start()

    def join(self) -> None:
        """Wait for the end that ``end_by`` asked for, and tell what is left."""
        thread, deadline = self._thread, self._closing_at
        if thread is not None and deadline is not None:
            thread.join(max(deadline - time.monotonic(), 0.0))
        self._deliver_here(deadline)
        waiting = self.spool.waiting
        if waiting:
            _log.warning(
                "%d events were not delivered before the end (%s). %s", waiting,
                self._teller.last or "the server was too slow", self.spool.prospects,
            )  # fmt: skip

    def stats(self) -> SenderStats:
        """Count what was sent, what waits and what was lost."""
        spool = self.spool.stats()
        return SenderStats(
            queued=spool.queued,
            sent=self._sent,
            acknowledged=self._acknowledged,
            duplicate=self._duplicate,
            rejected=spool.rejected,
            lost=spool.lost,
            last_error=self._teller.last or self.spool.last_trouble,
            oldest_age=spool.oldest_age,
            spool_bytes=spool.spool_bytes,
        )

    @property
    def rejected(self) -> Sequence[RejectedEvent]:
        """The last events that the server refused for good, with its reasons."""
        return self.spool.rejected

    def forget_parent(self) -> None:
        """Begin anew in a forked child: the thread stayed with the parent, and so do its events."""
        self._begin()
        self.spool.forget_parent()
        self._transport.close()

    def _hurry(self) -> None:
        self._nudges += 1
        self._wake.set()

    def _on_bell(self) -> None:
        self._wake.set()
        if self._thread is None and not self._start():
            self.spool.ring_at(1)
            self._deliver_here(ending.deadline())

    def _start(self) -> bool:
        """Have a thread, and tell whether there is one: at the end of the program there is none."""
        with self._lock:
            if self._thread is not None:
                return True
            if ending.is_over():
                return False
            ending.drain_before_processes_end()
            self._thread = threading.Thread(target=self._run, name="madsci-event-sender", daemon=True)
            try:
                self._thread.start()
            except RuntimeError as error:  # the interpreter is ending, or the system is out of threads
                self._thread = None
                self._teller.last = str(error)
            return self._thread is not None

    def _deliver_here(self, deadline: float | None) -> None:
        """Deliver without a thread, where there can be none any more: at the end of the program."""
        if deadline is None or self._is_delivering_here or self._thread is not None:
            return
        self._is_delivering_here = True
        try:
            while not self._failures:
                self._look_for_work()
                left = deadline - time.monotonic()
                if left <= 0 or not (self.spool.waiting or self._backlog):
                    break
                self._deliver(left)
            self.spool.rest()
            self._transport.close()
        finally:
            self._is_delivering_here = False

    # The thread.

    def _run(self) -> None:
        while True:
            nudges = self._nudges
            try:
                while self._await_work():
                    nudges = self._nudges
                    pause, patient = self._deliver()
                    if pause:
                        self._rest(pause, nudges, patient=patient)
                self.spool.rest()
                self._transport.close()
            except Exception as error:  # noqa: BLE001 - the border of the sender loop
                pause = self._note_failure(f"{type(error).__name__}: {error}")
                self._rest(pause, nudges, patient=False)
            with self._lock:
                self.spool.ring_at(1)
                if self._is_done():  # nothing came after the last look: whoever comes now rings
                    self._thread = None
                    return

    def _is_done(self) -> bool:
        """Tell whether the thread is to end: without users, or at the end of the program."""
        is_closing = self._closing_at is not None
        if self.spool.waiting:
            return is_closing and time.monotonic() >= (self._closing_at or 0.0)
        return is_closing or not self.users

    def _await_work(self) -> bool:
        """Sleep until a batch is due; ``False`` when the thread is to end."""
        while True:
            self._look_for_work()
            has_own = self.spool.waiting > 0
            if self._closing_at is not None:
                # What others left behind is worth the time only while it goes well.
                has_work = has_own or (self._backlog is not None and not self._failures)
                return has_work and time.monotonic() < self._closing_at
            if self._backlog is not None:
                return True
            if has_own:
                break
            if not self.users:
                return False
            self._sleep(1, LOOK_INTERVAL)  # for users, and for what others left behind
        if self._flush_to <= self.spool.settled_position:
            self._sleep(self.settings.batch_max_events, self.settings.flush_interval)
        return True

    def _look_for_work(self) -> None:
        self._backlog = self.spool.backlog()
        if self._backlog is None and not self.spool.waiting:
            self._tell_losses()  # there may be nothing left with which it could be told

    def _sleep(self, wake_at: int, timeout: float) -> None:
        nudges = self._nudges
        self._wake.clear()
        self.spool.ring_at(wake_at)
        # Looked at after saying what wakes us: what came in between is seen here or wakes us.
        if self.spool.waiting < wake_at and nudges == self._nudges:
            self._wake.wait(timeout)
        self.spool.ring_at(NEVER)

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
            self._wake.wait(left)

    def _next_source(self) -> Backlog:
        """Take turns between what this process logs and what another one left behind."""
        if self._backlog is None or self._flush_to > self.spool.settled_position:
            return self.spool
        self._is_own_turn = not self._is_own_turn
        return self.spool if self._is_own_turn and self.spool.waiting else self._backlog

    def _deliver(self, timeout: float | None = None) -> tuple[float, bool]:
        """Send one batch. Returns the seconds to rest, and whether the server asked for them."""
        source = self._next_source()
        batch = source.read(self._batch_events, self.settings.batch_max_bytes)
        if not batch:
            return 0.0, False
        self._sent += len(batch)
        send = self._transport.send
        report = send(batch) if timeout is None else send(batch, timeout)
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
        lost = self.spool.losses()
        if lost.count and self.spool.has_room:  # or telling of losses would cost further events
            self.spool.forget_losses()
            self.spool.append(losses_event(lost))

    def _settle(self, source: Backlog, batch: Sequence[SpooledEvent], report: SendReport) -> None:
        for rejection in report.rejected:
            self._reject(batch[rejection.index], rejection.reason)
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
        self._reject(events[0], failure.message)
        self._acknowledge(source, events[0])

    def _acknowledge(self, source: Backlog, event: SpooledEvent) -> None:
        source.acknowledge(event.position)
        with self._progress:
            self._progress.notify_all()

    def _reject(self, event: SpooledEvent, reason: str) -> None:
        self.spool.reject(event, reason)
        self._teller.tell(
            f"The Event Manager refused event {event.event_id} for good: {reason}", "event"
        )

    def _note_failure(self, reason: str, retry_after: float | None = None) -> float:
        self._failures += 1
        self._teller.tell(
            f"{reason} ({self.spool.stats().queued} events wait for the next attempt.)", "server"
        )
        return self.settings.backoff.delay(self._failures, retry_after)


senders: Final[Shared[Sender]] = Shared()
"""The senders of this process, by the address of their server."""

ending.drain_with(senders.living)
