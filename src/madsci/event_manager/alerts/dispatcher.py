"""Sends what waits in the outbox: a thread for each channel, so that none waits for another."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Final, Protocol

import msgspec

from madsci.common.clock import Clock, iso, now_us
from madsci.common.errors import DeliveryError, MadsciError, StoreError
from madsci.common.types.health import ChannelHealth
from madsci.event_manager.alerts.channel import Channel, Message
from madsci.event_manager.alerts.delivery import (
    GIVEN_UP_AFTER,
    Delivery,
    State,
    encode_delivery,
    pause,
)
from madsci.event_manager.alerts.notice import (
    DELIVERIES,
    OUTBOX,
    Notice,
    decode_notice,
    encode_notice,
)
from madsci.event_manager.feed.place import Place
from madsci.event_manager.model.tables import delete, put
from madsci.event_manager.stores.base import Leases, Tables

_logger = logging.getLogger(__name__)

_LOOK: Final = 1.0
"""Seconds between two looks into the outbox; an empty one costs some microseconds."""
_PAGE: Final = 1_000
_IN_A_ROW: Final = 2
"""Tries that fail, one after the other, until the channel rests: one may be its recipient's fault. Each
of them has a pause of its own besides, so that the next two are others."""
_LONGEST_DETAIL: Final = 1_000
_MOST_URGENT: Final = 100
"""Messages that wait in memory while the store does not work; the oldest ones go first."""


class DispatchStore(Tables, Leases, Protocol):
    """The tables in which notices wait, and who sends them."""


class Line:
    """Sends what is for one channel. Owns a thread; its figures are read by any.

    One server of all that share the store does it at a time. What was handed over is written down
    before anything else is sent; a process that is killed between the two sends it again, under the
    same key.
    """

    def __init__(
        self,
        store: DispatchStore,
        channel: Channel,
        render: Callable[[Notice], Message],
        clock: Clock = now_us,
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        self.channel = channel
        self._store = store
        self._render = render
        self._clock = clock
        self._elapsed = elapsed
        self._place = Place(store, f"alerts/{channel.name}", elapsed)
        self._woken = threading.Event()
        self._stopping = threading.Event()
        self._unwritten: Delivery | None = None
        """What was handed over, or given up, and could not be written down yet."""
        self._urgent: deque[Notice] = deque(maxlen=_MOST_URGENT)
        self._failures = 0
        """Tries in a row that failed, of whatever notice."""
        self._rests_until = 0.0
        self._failing_since: int | None = None
        self._detail: str | None = None
        self._waiting = 0
        self._delivered = 0
        self._given_up = 0
        name = f"alerts-{channel.name}"
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def wake(self) -> None:
        """Say that something waits. Does not block."""
        self._woken.set()

    def stop(self) -> None:
        """Have it leave off after what it is sending. Does not block."""
        self._stopping.set()
        self._woken.set()

    def join(self, deadline: float) -> bool:
        """Wait until it has left off; tell whether that was done in time (seconds)."""
        if self._thread.ident is not None:
            self._thread.join(deadline)
        return not self._thread.is_alive()

    def stats(self) -> ChannelHealth:
        """Return how it stands with the channel, as this server knows it."""
        since, rest = self._failing_since, self._rests_until - self._elapsed()
        return ChannelHealth(
            name=self.channel.name,
            waiting=self._waiting,
            delivered=self._delivered,
            given_up=self._given_up,
            failing_since=None if since is None else iso(since),
            detail=self._detail,
            next_try_at=iso(self._clock() + round(rest * 1e6)) if rest > 0 else None,
        )

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._woken.clear()
            self.send_urgent()
            try:
                self.send_due()
            except StoreError as error:
                name = self.channel.name
                _logger.warning("What waits for %s cannot be read: %s", name, error.message)
            self._woken.wait(_LOOK)
        self._place.let_go()

    def send_at_once(self, notice: Notice) -> None:
        """Have something sent that is in no outbox, since the store does not work. Does not block."""
        self._urgent.append(notice)
        self._woken.set()

    def send_urgent(self) -> None:
        """Send what is urgent, whichever server sends else; what is not taken is tried again."""
        while self._urgent and self._elapsed() >= self._rests_until:
            notice = self._urgent.popleft()
            try:
                self._hand_over(notice)
            except DeliveryError as error:
                self._note_failure(error.message)
                if not error.is_final:
                    self._urgent.append(notice)
                    self._rests_until = self._elapsed() + pause(notice.key, self._failures)

    def send_due(self) -> None:
        """Send what is due, if it is this server that does so. Raises ``StoreError``."""
        if not self._place.keep() or self._elapsed() < self._rests_until:
            return
        self._write_down()
        self._waiting = sum(not self._is_ended(notice) for notice in self._notices())
        if not self._waiting and not self._urgent:
            self._failures, self._failing_since, self._detail = 0, None, None

    def _is_ended(self, notice: Notice) -> bool:
        """Try to send a notice if it is due; tell whether it waits no longer."""
        is_due = notice.not_before <= self._clock() and self._elapsed() >= self._rests_until
        if not is_due or self._stopping.is_set() or not self._place.keep():
            return False
        if self._store.read(DELIVERIES, notice.key) is not None:
            # A step of the alerts that was made again after a crash had put it back.
            self._store.apply([delete(OUTBOX, notice.key)])
            return True
        try:
            self._hand_over(notice)
        except DeliveryError as error:
            return self._failed(notice, error)
        self._failures, self._failing_since, self._detail = 0, None, None
        self._delivered += 1
        self._end(Delivery.of(notice, State.DELIVERED, self._clock()))
        return True

    def _hand_over(self, notice: Notice) -> None:
        try:
            self.channel.send(self._render(notice), notice.recipient)
        except DeliveryError:
            raise
        except Exception as error:  # a channel is the code of others, and may raise anything
            _logger.exception("The channel %s failed in an unexpected way", self.channel.name)
            reason = error.message if isinstance(error, MadsciError) else repr(error)
            raise DeliveryError(f"It failed in an unexpected way: {reason}.") from error

    def _failed(self, notice: Notice, error: DeliveryError) -> bool:
        now, detail = self._clock(), error.message[:_LONGEST_DETAIL]
        whom = notice.recipient or notice.channel
        _logger.warning("%s was not told of an alert: %s", whom, detail)
        if error.is_final or now - notice.made_at >= GIVEN_UP_AFTER:
            self._given_up += 1
            self._end(Delivery.of(notice, State.GIVEN_UP, now, detail))
            return True
        self._note_failure(detail)
        later = now + round(pause(notice.key, notice.tries) * 1e6)
        again = msgspec.structs.replace(notice, tries=notice.tries + 1, not_before=later, detail=detail)
        self._store.apply([put(OUTBOX, notice.key, encode_notice(again))])
        if self._failures >= _IN_A_ROW:
            self._rests_until = self._elapsed() + pause("", self._failures - _IN_A_ROW)
        return False

    def _note_failure(self, detail: str) -> None:
        self._failures += 1
        self._failing_since = self._failing_since or self._clock()
        self._detail = detail

    def _end(self, delivery: Delivery) -> None:
        self._unwritten = delivery
        self._write_down()

    def _write_down(self) -> None:
        """Keep what became of the last notice; nothing else is sent until that is on disk."""
        done = self._unwritten
        if done is not None:
            kept = put(DELIVERIES, done.key, encode_delivery(done))
            self._store.apply([kept, delete(OUTBOX, done.key)])
            self._unwritten = None

    def _notices(self) -> Iterator[Notice]:
        after: str | None = None
        while True:
            page = self._store.scan(OUTBOX, after=after, limit=_PAGE)
            for _, document in page:
                notice = decode_notice(document)
                if notice.channel == self.channel.name:
                    yield notice
            if len(page) < _PAGE:
                return
            after = page[-1][0]


class Dispatcher:
    """Sends what waits in the outbox, over all channels. Owns a thread for each."""

    def __init__(
        self,
        store: DispatchStore,
        channels: Sequence[Channel],
        render: Callable[[Notice], Message],
        clock: Clock = now_us,
    ) -> None:
        self._lines = [Line(store, one, render, clock) for one in channels]

    def start(self) -> None:
        """Begin to send."""
        for line in self._lines:
            line.start()

    def wake(self) -> None:
        """Say that something waits. Does not block."""
        for line in self._lines:
            line.wake()

    def send_at_once(self, notice: Notice) -> None:
        """Have something sent that is in no outbox, since the store does not work. Does not block."""
        for line in self._lines:
            if line.channel.name == notice.channel:
                line.send_at_once(notice)

    def stats(self) -> list[ChannelHealth]:
        """Return how it stands with each channel."""
        return [line.stats() for line in self._lines]

    def close(self, deadline: float) -> bool:
        """Leave off after what is being sent; tell whether that was done in time (seconds).

        What was not sent by then waits in the outbox.
        """
        end = time.monotonic() + deadline
        for line in self._lines:
            line.stop()
        ended = [line.join(max(0.0, end - time.monotonic())) for line in self._lines]
        return all(ended)
