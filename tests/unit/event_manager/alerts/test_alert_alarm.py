"""People hear that the recorder itself is not well, also where it cannot keep an event of that."""

from __future__ import annotations

from concurrent.futures import Future

import pytest

from madsci.common.errors import DeliveryError, OverloadedError, StoreUnavailableError
from madsci.event_manager.alerts.alarm import Alarm
from madsci.event_manager.alerts.channel import Message
from madsci.event_manager.alerts.dispatcher import Dispatcher
from madsci.event_manager.alerts.notice import Notice
from madsci.event_manager.stores.memory import MemoryStore
from support.server import wait_until


class Broken(MemoryStore):
    """A store that answers nothing."""

    def hold(self, name, holder, seconds):
        raise StoreUnavailableError

    def scan(self, table, prefix="", after=None, limit=1_000):
        raise StoreUnavailableError


class Recorder:
    """Keeps alarms, or fails at it."""

    def __init__(self) -> None:
        self.kept: list[str] = []
        self.failure: Exception | None = None
        self.later: Exception | None = None

    def begin_alarm(self, message: str) -> Future:
        if self.failure is not None:
            raise self.failure
        future: Future = Future()
        if self.later is not None:
            future.set_exception(self.later)
        else:
            self.kept.append(message)
            future.set_result([])
        return future


class Post:
    name, recipients = "post", ("anna", "ben")

    def __init__(self) -> None:
        self.taken: list[tuple[str, str]] = []
        self.failures = 0

    def send(self, message: Message, recipient: str) -> None:
        if self.failures:
            self.failures -= 1
            raise DeliveryError("no")
        self.taken.append((message.title, recipient))


def rendered(notice: Notice) -> Message:
    return Message(notice.key, notice.subject.reason, "", None, 50)


@pytest.fixture
def desk():
    recorder, post = Recorder(), Post()
    dispatcher = Dispatcher(Broken(), [post], rendered)
    dispatcher.start()
    yield recorder, post, Alarm(recorder, dispatcher, [post])
    assert dispatcher.close(10)


def test_while_events_are_kept_it_is_told_by_one(desk):
    recorder, post, alarm = desk
    alarm.give("free space", "The disk is nearly full.")
    assert recorder.kept == ["The disk is nearly full."]
    assert post.taken == []


@pytest.mark.parametrize("way", ["failure", "later"])
def test_where_no_event_can_be_kept_everybody_is_told_at_once(desk, way):
    recorder, post, alarm = desk
    setattr(recorder, way, OverloadedError("the writer has stopped"))
    alarm.give("writing", "The disk is full.")
    wait_until(lambda: len(post.taken) == 2, "two messages")
    assert post.taken == [("The disk is full.", "anna"), ("The disk is full.", "ben")]


def test_that_alerts_do_not_go_on_is_told_without_them(desk):
    _, post, alarm = desk
    alarm.give("follower alerts", "The follower alerts does not go on.")
    wait_until(lambda: len(post.taken) == 2, "two messages")


def test_what_cannot_be_sent_at_once_is_tried_again(desk):
    recorder, post, alarm = desk
    recorder.failure, post.failures = OverloadedError(), 1
    alarm.give("writing", "The disk is full.")
    wait_until(lambda: len(post.taken) == 2, "two messages")
