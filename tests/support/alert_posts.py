"""What waits to be sent over a channel of alerts: clocks, a channel and a store that tests direct."""

from __future__ import annotations

from madsci.event_manager.alerts.channel import Message
from madsci.event_manager.alerts.delivery import Delivery, decode_delivery
from madsci.event_manager.alerts.line import Line
from madsci.event_manager.alerts.notice import (
    DELIVERIES,
    OUTBOX,
    Notice,
    Occasion,
    Subject,
    decode_notice,
    encode_notice,
)
from madsci.event_manager.model.tables import put_if_absent
from madsci.event_manager.stores.local_leases import LocalLeases
from madsci.event_manager.stores.memory import MemoryStore

EVENING = 1_800_000_000_000_000
DAY = 86_400.0
SUBJECT = Subject("a", "errors", 40, "stuck", "It fired.", {}, EVENING)


class Clocks:
    """The clock on the wall and the one of the process, which tests move."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.set_by = 0.0
        """Seconds by which somebody has set the one on the wall."""

    def wall(self) -> int:
        return EVENING + round((self.seconds + self.set_by) * 1e6)

    def elapsed(self) -> float:
        return self.seconds


class Post:
    """A channel that keeps what it gets, and fails as it is told."""

    def __init__(self, name: str = "post", *recipients: str) -> None:
        self.name = name
        self.recipients = recipients or ("anna", "ben")
        self.taken: list[tuple[str, str]] = []
        self.tried: list[tuple[str, str]] = []
        self.failure: Exception | None = None
        self.refused: dict[str, Exception] = {}
        """By recipient, or by the key of a message."""

    @property
    def tries(self) -> int:
        return len(self.tried)

    def send(self, message: Message, recipient: str) -> None:
        self.tried.append((message.key, recipient))
        failure = self.failure or self.refused.get(recipient) or self.refused.get(message.key)
        if failure is not None:
            raise failure
        self.taken.append((message.key, recipient))

    def taken_by(self, recipient: str) -> list[str]:
        return [key for key, whom in self.taken if whom == recipient]


def rendered(notice: Notice) -> Message:
    return Message(notice.key, "title", "text", None, 40)


def notice(
    number: int, recipient: str = "anna", channel: str = "post", at: int = EVENING, **members
) -> Notice:
    key = f"{EVENING + number:016d}-{recipient}"
    return Notice(key, Occasion.OPENED, channel, recipient, SUBJECT, at, **members)


def keys_of(notices) -> list[str]:
    return [one.key for one in notices]


def decide(store, *notices: Notice) -> None:
    store.apply([put_if_absent(OUTBOX, one.key, encode_notice(one)) for one in notices])


def waiting(store) -> list[Notice]:
    return [decode_notice(text) for _, text in store.scan(OUTBOX)]


def ended(store) -> list[Delivery]:
    return [decode_delivery(text) for _, text in store.scan(DELIVERIES)]


class ClockedStore(MemoryStore):
    """A store whose leases go by the clock of a test."""

    def __init__(self, clocks: Clocks) -> None:
        super().__init__()
        self.clocked = LocalLeases(clocks.elapsed)

    def hold(self, name, holder, seconds):
        return self.clocked.hold(name, holder, seconds)

    def let_go(self, name, holder):
        self.clocked.let_go(name, holder)


class Office:
    """A line over a store, without a thread."""

    def __init__(self, store=None, *recipients: str, render=rendered) -> None:
        self.clocks, self.post = Clocks(), Post("post", *recipients)
        self.store = store or ClockedStore(self.clocks)
        self.render = render
        self.line = self.another()

    def another(self) -> Line:
        """Return the line of another server."""
        return Line(self.store, self.post, self.render, self.clocks.wall, self.clocks.elapsed)

    def restart(self) -> None:
        """Let the process end as it should, and another one begin."""
        self.line.end()
        self.line = self.another()

    def decide(self, *notices: Notice) -> None:
        decide(self.store, *notices)

    def send(self) -> None:
        """Send what is due now."""
        while self.line.send_due():
            pass

    def passes(self, seconds: float, step: float = 1.0) -> None:
        """Let time pass; every so many seconds it is looked what is due."""
        end = self.clocks.seconds + seconds
        while self.clocks.seconds < end:
            self.clocks.seconds += step
            self.send()
