"""Whose fault it is that a message could not be sent, and for how long that one is left alone.

One failure tells little: the mail server may be down, a mailbox may be full, or a message may be one
that nobody takes. What is tried next tells them apart, by these rules:

* A recipient for whom a try failed is left alone. So the next try is for somebody else.
* Where that fails, too, with nothing sent in between, it is the channel: all of it is left alone, and
  one try is made when the pause is over. A recipient who was refused before does not count for this:
  else two full mailboxes would be taken for a dead server again and again.
* That one try is for who was asked longest ago, with his first message, so that everybody's messages
  stay in order, and those who are refused do not hide that the channel works for others. While there is
  one for whom nothing was tried since the channel failed, its pauses are short.
* At every fourth failure in a row for a recipient, his next message is tried at once. If that one is
  taken, it was the first message: from then on that is left alone, and he is not.
* A message that is known to be to blame, such as one that cannot be rendered, is left alone from the
  beginning.
* Pauses double from a second to a quarter of an hour. What was sent forgives its recipient and the
  channel; their failures are counted anew.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, TypeVar

from madsci.event_manager.alerts.delivery import pause
from madsci.event_manager.alerts.notice import Notice
from madsci.event_manager.tasks.clock_watch import Elapsed

_SECOND_OPINION: Final = 4
"""At every so many failures of a recipient another message of his is tried."""
_NEWCOMERS: Final = 120.0
"""Seconds that a channel rests at most while it was not tried for somebody who waits."""
_MOST: Final = 1_000
"""Recipients, and messages, that are left alone; of more the first are forgotten and tried again."""

_Kept = TypeVar("_Kept")


@dataclass
class _Trouble:
    """Failures in a row of a recipient, a message or the channel. Times are seconds of ``elapsed``."""

    name: str
    since: float
    failures: int = 0
    failed_at: float = 0.0
    until: float = 0.0
    not_only: str | None = None
    """The key of a message that may be to blame: another one may be tried now."""

    def grow(self, now: float) -> float:
        """Note one more failure; return for how many seconds it is left alone."""
        rest = pause(self.name, self.failures)
        self.failures, self.failed_at, self.until = self.failures + 1, now, now + rest
        self.not_only = None
        return rest


class Blame:
    """Keeps who of one channel is left alone. For one thread."""

    def __init__(self, elapsed: Elapsed) -> None:
        self._elapsed = elapsed
        self._channel: _Trouble | None = None
        self._recipients: dict[str, _Trouble] = {}
        self._messages: dict[str, _Trouble] = {}
        self._worked_at = float("-inf")
        """When something was sent the last time."""
        self._doubts: set[str] = set()
        """Who failed for the first time since something was sent."""
        self._asked: dict[str, int] = {}
        """Who was tried since the channel failed, and at which of its failures the last time."""

    def begin(self) -> None:
        """Begin a round: only what is tried in the same one as another message says something of it."""
        for one in self._recipients.values():
            one.not_only = None

    def may_try(self, notice: Notice) -> bool:
        """Tell whether a message may be tried now."""
        now = self._elapsed()
        message, channel = self._messages.get(notice.key), self._channel
        if message is not None and now < message.until:
            return False
        if channel is not None:
            return now >= self._channel_rests_until(channel, notice.recipient)
        recipient = self._recipients.get(notice.recipient)
        if recipient is None or now >= recipient.until:
            return True
        return recipient.not_only not in (None, notice.key)

    def _channel_rests_until(self, channel: _Trouble, recipient: str) -> float:
        soon = channel.failed_at + _NEWCOMERS
        return channel.until if recipient in self._asked else min(channel.until, soon)

    @property
    def suspects_channel(self) -> bool:
        """Whether one try decides for all; only the first message of each recipient is of use then."""
        return self._channel is not None

    def in_order(self, notices: Iterable[Notice]) -> list[Notice]:
        """Return messages in the order in which they are to be tried; they come by their keys."""
        return sorted(notices, key=lambda one: self._asked.get(one.recipient, 0))

    def failed(self, notice: Notice, *, is_of_message: bool = False) -> float:
        """Note that a try failed; return after how many seconds there is another one."""
        now = self._elapsed()
        if is_of_message or notice.key in self._messages:
            return self._blame_message(notice.key, now)
        if self._channel is not None:
            return self._blame_channel(self._channel, notice.recipient, now)
        return self._blame_recipient(notice, now)

    def _blame_message(self, key: str, now: float) -> float:
        trouble = self._messages.get(key)
        if trouble is None:
            trouble = _keep(self._messages, key, _Trouble(key, now))
        return trouble.grow(now)

    def _blame_channel(self, channel: _Trouble, recipient: str, now: float) -> float:
        rest = channel.grow(now)
        self._asked.pop(recipient, None)
        _keep(self._asked, recipient, channel.failures)
        return rest

    def _blame_recipient(self, notice: Notice, now: float) -> float:
        trouble = self._recipients.get(notice.recipient)
        if trouble is None:
            self._doubts.add(notice.recipient)
            trouble = _keep(self._recipients, notice.recipient, _Trouble(notice.recipient, now))
        rest = trouble.grow(now)
        if trouble.failures % _SECOND_OPINION == 0:
            trouble.not_only = notice.key
        if len(self._doubts) > 1:
            self._channel = _Trouble("", min(self._recipients[one].since for one in self._doubts))
            self._asked = dict.fromkeys(self._doubts, 1)
            rest = self._blame_channel(self._channel, notice.recipient, now)
            self._doubts.clear()
        return rest

    def worked(self, notice: Notice) -> bool:
        """Note that a message was sent; tell whether others may be tried now that were left alone."""
        self._worked_at = self._elapsed()
        self._doubts.clear()
        self._messages.pop(notice.key, None)
        recipient = self._recipients.pop(notice.recipient, None)
        if recipient is not None and recipient.not_only not in (None, notice.key):
            self._blame_message(str(recipient.not_only), self._elapsed())
        had_failed = self._channel is not None
        if had_failed:
            self._channel = None
            self._asked.clear()
        return had_failed or recipient is not None

    def drop(self, notice: Notice) -> None:
        """Forget what is known of a message that is not tried any more."""
        self._messages.pop(notice.key, None)

    def since(self, notice: Notice) -> float | None:
        """Return since when a message is left alone, or was until now; ``None`` if it is not."""
        trouble = (
            self._messages.get(notice.key) or self._channel or self._recipients.get(notice.recipient)
        )
        return None if trouble is None else trouble.since

    def failing_since(self) -> float | None:
        """Return since when every try has failed; ``None`` while messages are sent, or none is tried.

        For any thread.
        """
        channel = self._channel
        if channel is not None:
            return channel.since
        known = [one.since for one in list(self._recipients.values())]
        return min((since for since in known if since > self._worked_at), default=None)

    def next_try(self) -> float | None:
        """Return when the next pause is over; ``None`` where nobody is left alone. For any thread."""
        channel, now = self._channel, self._elapsed()
        if channel is not None:
            return channel.until if channel.until > now else None
        troubles = [*self._recipients.values(), *self._messages.values()]  # copied at once
        return min((one.until for one in troubles if one.until > now), default=None)


def _keep(known: dict[str, _Kept], key: str, value: _Kept) -> _Kept:
    if len(known) >= _MOST:
        del known[next(iter(known))]
    known[key] = value
    return value
