"""The way of notices over one channel: which are due, what becomes of each, and that it is written."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple, Protocol

import msgspec

from madsci.common.clock import Clock, iso, now_us
from madsci.common.errors import DeliveryError, MadsciError, StoreError
from madsci.common.types.health import ChannelHealth
from madsci.event_manager.alerts.blame import Blame
from madsci.event_manager.alerts.channel import Channel, Message
from madsci.event_manager.alerts.delivery import GIVEN_UP_AFTER, Delivery, State
from madsci.event_manager.alerts.notice import Notice
from madsci.event_manager.alerts.outbox import Outbox
from madsci.event_manager.feed.place import Place
from madsci.event_manager.stores.base import Leases, Tables
from madsci.event_manager.tasks.clock_watch import Elapsed

_logger = logging.getLogger(__name__)

_AT_ONCE: Final = 100
"""Notices of one look: then it is looked anew, since those that were put back may be due by then."""
_LONGEST_CALL: Final = 120.0
"""Seconds that a call of a channel takes at most, such as eight steps of SMTP with 15 s each: for as
long it is not for another server to send. One that hangs for longer is not waited for."""
_TRIED_FOR: Final = 900.0
"""Seconds for which this process has tried before it gives anything up, however old that is: the mail
server may start later than this one, and the clock may have been set."""
_MOST_TRIES: Final = 1_000
"""As many as three days have, and twice as many again: where the clock was set back for years."""
_LONGEST_DETAIL: Final = 1_000
_MOST_URGENT: Final = 100
"""Messages that wait in memory while the store does not work; the oldest ones go first."""


class DispatchStore(Tables, Leases, Protocol):
    """The tables in which notices wait, and who sends them."""


class _Failure(NamedTuple):
    """Why a message could not be sent; ``is_of_message`` where no recipient had a part in it."""

    reason: str
    is_final: bool = False
    is_of_message: bool = False


class Line:
    """Sends what is for one channel. Used by one thread; its figures are read by any.

    One server of all that share the store does it at a time. What was handed over is written down
    before anything else is sent; a process that is killed between the two sends it again, under the
    same key. Pauses are kept in memory and measured by ``elapsed``: whoever has just started tries all
    that waits at once, as it may have been started because something was corrected.
    """

    def __init__(
        self,
        store: DispatchStore,
        channel: Channel,
        render: Callable[[Notice], Message],
        clock: Clock = now_us,
        elapsed: Elapsed = time.monotonic,
    ) -> None:
        self.channel = channel
        self._render = render
        self._clock = clock
        self._elapsed = elapsed
        self._outbox = Outbox(store, channel.name)
        self._place = Place(store, lease_of(channel.name), elapsed)
        self._is_ours = False
        self._calling_since: float | None = None
        self._stopping = threading.Event()
        self._blame = Blame(elapsed)
        self._unwritten: Delivery | Notice | None = None
        """What became of the last notice, if that could not be written down yet."""
        self._urgent: deque[Notice] = deque(maxlen=_MOST_URGENT)
        self._next_at: int | None = None
        self._detail: str | None = None
        self._waiting = 0
        self._delivered = 0
        self._given_up = 0
        self.look_took = 0.0
        """Seconds of the last look into the outbox."""

    def stop(self) -> None:
        """Have it leave off after what it is sending. For any thread; does not block."""
        self._stopping.set()

    def stay(self) -> None:
        """Keep the right to send while a call lasts. For any thread, every few seconds."""
        since = self._calling_since
        if since is not None and self._elapsed() - since < _LONGEST_CALL:
            self._place.keep()

    def send_at_once(self, notice: Notice) -> None:
        """Have something sent that is in no outbox, since the store does not work. Does not block."""
        self._urgent.append(notice)

    def send_urgent(self) -> None:
        """Send what is urgent, whichever server sends else; what is not taken is tried again."""
        for _ in range(len(self._urgent)):
            notice = self._urgent.popleft()
            if not self._blame.may_try(notice) or self._stopping.is_set():
                self._urgent.append(notice)
            elif (failure := self._hand_over(notice)) is None:
                self._blame.worked(notice)
            elif not failure.is_final:
                self._note(notice, failure)
                if self._clock() - notice.made_at < GIVEN_UP_AFTER:
                    self._urgent.append(notice)

    def send_due(self) -> bool:
        """Send what is due, if it is this server that does so; tell whether more is due already.

        Raises:
            StoreError: what waits cannot be read, or what became of it cannot be written down.
        """
        self.write_down()
        was_ours, self._is_ours = self._is_ours, self._place.keep()
        if not self._is_ours:
            if was_ours:
                self._forget()
            return False
        due = self._look()
        for notice in self._blame.in_order(due):
            if self._stopping.is_set() or not self._place.keep():
                return False
            if self._blame.may_try(notice) and self._try(notice):
                return True
        return len(due) == _AT_ONCE and not self._blame.suspects_channel

    def _forget(self) -> None:
        """Know nothing of the channel any more: another server sends, or nothing waits."""
        self._blame, self._detail, self._waiting, self._next_at = Blame(self._elapsed), None, 0, None

    def write_down(self) -> None:
        """Keep what became of the last notice; nothing else is sent until that is on disk.

        Raises:
            StoreError: it could not be kept.
        """
        if isinstance(self._unwritten, Delivery):
            self._outbox.settle(self._unwritten)
        elif self._unwritten is not None:
            self._outbox.put_back(self._unwritten)
        self._unwritten = None

    def end(self) -> None:
        """Write down what is left to write, and let another server go on."""
        try:
            self.write_down()
        except StoreError as error:
            _logger.warning(
                "What was sent over %s last could not be written down, and may be sent again: %s",
                self.channel.name, error.message,
            )  # fmt: skip
        self._place.let_go()

    def rest(self) -> float | None:
        """Return in how many seconds something is due though nobody says so; ``None`` if nothing is."""
        tried_at, rests = self._blame.next_try(), []
        if tried_at is not None:
            rests.append(tried_at - self._elapsed())
        if self._next_at is not None:
            rests.append((self._next_at - self._clock()) / 1e6)
        return max(0.0, min(rests)) if rests else None

    def stats(self) -> ChannelHealth:
        """Return how it stands with the channel, as this server knows it."""
        since, rest = self._blame.failing_since(), self.rest()
        return ChannelHealth(
            name=self.channel.name,
            waiting=self._waiting,
            delivered=self._delivered,
            given_up=self._given_up,
            failing_since=None if since is None else self._time_at(since - self._elapsed()),
            detail=self._detail,
            next_try_at=None if rest is None else self._time_at(rest),
        )

    def _time_at(self, seconds: float) -> str:
        return iso(self._clock() + round(seconds * 1e6))

    def _look(self) -> list[Notice]:
        """Return what is due, a part of it where it is much; give up what waits for too long."""
        began, now = self._elapsed(), self._clock()
        self._blame.begin()
        due: list[Notice] = []
        late: list[Notice] = []
        recipients: set[str] = set()
        self._waiting, self._next_at = 0, None
        for notice in self._outbox.waiting():
            self._waiting += 1
            if notice.not_before > now and not notice.tries:  # then it is a pause, see above
                self._next_at = min(self._next_at or notice.not_before, notice.not_before)
            elif not self._blame.may_try(notice):
                if len(late) < _AT_ONCE and self._is_late(notice):
                    late.append(notice)
            elif len(due) < _AT_ONCE and not (
                self._blame.suspects_channel and notice.recipient in recipients
            ):
                due.append(notice)
                recipients.add(notice.recipient)
        if not self._waiting and not self._urgent:
            self._forget()
        self.look_took = self._elapsed() - began
        for notice in late:
            self._give_up(notice, notice.detail or self._detail)
        return due

    def _is_late(self, notice: Notice) -> bool:
        """Tell whether it is of no use any more to try again what was tried, or waits for its turn."""
        since = self._blame.since(notice)
        is_old = self._clock() - notice.made_at >= GIVEN_UP_AFTER
        was_tried = since is not None and self._elapsed() - since >= _TRIED_FOR
        return notice.tries >= _MOST_TRIES or (is_old and was_tried)

    def _try(self, notice: Notice) -> bool:
        """Try to send a notice; tell whether others are due now that were not."""
        if self._outbox.is_settled(notice):
            self._waiting -= 1
            return False
        self._calling_since = self._elapsed()
        failure = self._hand_over(notice)
        self._calling_since = None
        tried = msgspec.structs.replace(notice, tries=notice.tries + 1)
        if failure is not None:
            self._failed(tried, failure)
            return False
        self._delivered += 1
        others = self._blame.worked(notice)
        self._end(Delivery.of(tried, State.DELIVERED, self._clock()))
        return others

    def _hand_over(self, notice: Notice) -> _Failure | None:
        message = None
        try:
            message = self._render(notice)
            self.channel.send(message, notice.recipient)
        except DeliveryError as error:
            return _Failure(error.message, error.is_final, message is None)
        except Exception as error:  # a channel is the code of others, and may raise anything
            if message is None and isinstance(error, MadsciError):
                return _Failure(error.message, is_of_message=True)
            _logger.exception("The channel %s failed in an unexpected way", self.channel.name)
            reason = error.message if isinstance(error, MadsciError) else repr(error)
            return _Failure(f"It failed in an unexpected way: {reason}.", is_of_message=message is None)
        return None

    def _failed(self, notice: Notice, failure: _Failure) -> None:
        rest = 0.0 if failure.is_final else self._note(notice, failure)
        detail = failure.reason[:_LONGEST_DETAIL]
        if failure.is_final or self._is_late(notice):
            self._give_up(notice, detail)
            return
        later = self._clock() + round(rest * 1e6)
        self._unwritten = msgspec.structs.replace(notice, not_before=later, detail=detail)
        self.write_down()

    def _note(self, notice: Notice, failure: _Failure) -> float:
        whom = notice.recipient or notice.channel
        self._detail = failure.reason[:_LONGEST_DETAIL]
        _logger.warning("%s was not told of an alert: %s", whom, self._detail)
        return self._blame.failed(notice, is_of_message=failure.is_of_message)

    def _give_up(self, notice: Notice, detail: str | None) -> None:
        whom = notice.recipient or notice.channel
        _logger.warning("%s is not told of an alert any more: %s", whom, detail)
        self._given_up += 1
        self._blame.drop(notice)
        self._end(Delivery.of(notice, State.GIVEN_UP, self._clock(), detail))

    def _end(self, delivery: Delivery) -> None:
        self._unwritten = delivery
        self.write_down()
        self._waiting -= 1


def lease_of(channel: str) -> str:
    """Return the name of the lease of whoever sends over a channel."""
    return f"alerts/{channel}"
