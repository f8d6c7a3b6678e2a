"""What waits in the outbox is sent: once, in order, after outages too; no channel waits for another."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from madsci.common.errors import DeliveryError, StoreUnavailableError
from madsci.event_manager.alerts.channel import Message
from madsci.event_manager.alerts.delivery import GIVEN_UP_AFTER, State, pause
from madsci.event_manager.alerts.dispatcher import Dispatcher
from madsci.event_manager.alerts.line import Line
from madsci.event_manager.alerts.notice import OUTBOX
from madsci.event_manager.stores.memory import MemoryStore
from support.alert_posts import EVENING, ClockedStore, Clocks, Post, decide, ended, notice, rendered
from support.server import PATIENCE, wait_until


class Faulty(ClockedStore):
    """A store that cannot be written for as long as it is told."""

    is_full = False

    def apply(self, changes, step=None):
        if self.is_full:
            raise StoreUnavailableError("The disk is full.")
        return super().apply(changes, step)


class Desk:
    """A line over a store, without its thread."""

    def __init__(self) -> None:
        self.clocks, self.post = Clocks(), Post()
        self.store = Faulty(self.clocks)
        self.restart()

    def restart(self) -> None:
        self.line = Line(self.store, self.post, rendered, self.clocks.wall, self.clocks.elapsed)

    def passes(self, seconds: float, step: float = 1.0) -> None:
        end = self.clocks.seconds + seconds
        while self.clocks.seconds < end:
            self.clocks.seconds += step
            self.line.send_due()


@pytest.fixture
def desk():
    return Desk()


def test_what_waits_is_sent_in_the_order_in_which_it_was_decided(desk):
    decide(desk.store, *(notice(number) for number in (3, 1, 2)))
    desk.line.send_due()
    assert [key for key, _ in desk.post.taken] == [notice(number).key for number in (1, 2, 3)]
    assert desk.store.scan(OUTBOX) == []
    assert [(one.state, one.tries) for one in ended(desk.store)] == [(State.DELIVERED, 1)] * 3


def test_what_was_sent_and_is_put_back_by_a_step_that_is_made_again_is_not_sent_again(desk):
    decide(desk.store, notice(1))
    desk.line.send_due()
    decide(desk.store, notice(1))
    desk.restart()
    desk.passes(60)
    assert len(desk.post.taken) == 1
    assert desk.store.scan(OUTBOX) == []


def test_what_is_for_another_channel_is_left_alone(desk):
    decide(desk.store, notice(1, channel="other"))
    desk.passes(60)
    assert desk.post.tries == 0
    assert len(desk.store.scan(OUTBOX)) == 1


def test_what_is_to_wait_for_the_morning_waits(desk):
    decide(desk.store, notice(1, not_before=EVENING + 100_000_000))
    desk.passes(99)
    assert desk.post.taken == []
    desk.passes(2)
    assert len(desk.post.taken) == 1


@pytest.mark.slow
def test_after_an_hour_without_a_mail_server_everything_is_delivered_and_few_tries_were_made(desk):
    desk.post.failure = DeliveryError("The mail server said nothing for 15 s.")
    decide(desk.store, *(notice(number, f"p{number}") for number in range(300)))
    desk.passes(3_600)
    assert desk.post.taken == []
    assert desk.post.tries < 50
    health = desk.line.stats()
    assert (health.waiting, health.detail) == (300, "The mail server said nothing for 15 s.")
    assert health.failing_since is not None
    assert health.next_try_at is not None
    desk.post.failure = None
    desk.passes(2_000)
    assert sorted(desk.post.taken) == sorted((notice(n, f"p{n}").key, f"p{n}") for n in range(300))
    assert desk.line.stats().failing_since is None


def test_one_recipient_who_is_refused_for_now_holds_up_nobody(desk):
    desk.post.refused["ben"] = DeliveryError("450 mailbox busy")
    decide(desk.store, *(notice(n, name) for n in range(20) for name in ("anna", "ben")))
    desk.passes(120)
    assert len(desk.post.taken) == 20
    desk.post.refused.clear()
    desk.passes(2_000)
    assert len(desk.post.taken) == 40


def test_what_is_refused_for_good_is_given_up_at_once_with_its_reason(desk):
    desk.post.refused["ben"] = DeliveryError("550 no such user", is_final=True)
    decide(desk.store, notice(1, "ben"), notice(2, "anna"))
    desk.line.send_due()
    assert [(one.recipient, one.state, one.detail) for one in ended(desk.store)] == [
        ("ben", State.GIVEN_UP, "550 no such user"),
        ("anna", State.DELIVERED, None),
    ]
    assert desk.line.stats().failing_since is None


def test_after_three_days_of_trying_it_is_given_up(desk):
    desk.post.failure = DeliveryError("no route to host")
    decide(desk.store, notice(1))
    desk.passes(GIVEN_UP_AFTER / 1e6 - 3_600, step=300)
    assert ended(desk.store) == []
    desk.passes(7_200, step=300)
    assert [(one.state, one.detail) for one in ended(desk.store)] == [
        (State.GIVEN_UP, "no route to host")
    ]


def test_a_channel_of_which_nothing_waits_any_more_does_not_fail(desk):
    desk.post.failure = DeliveryError("not now")
    decide(desk.store, notice(1), notice(2, "ben"))
    desk.passes(3)
    assert desk.line.stats().failing_since is not None
    desk.post.failure = DeliveryError("550 gone", is_final=True)
    desk.passes(300)
    health = desk.line.stats()
    assert (health.failing_since, health.waiting, health.given_up) == (None, 0, 2)


def test_a_channel_that_fails_in_an_unexpected_way_is_tried_again(desk, caplog):
    desk.post.failure = KeyError("token")
    decide(desk.store, notice(1))
    desk.line.send_due()
    assert "failed in an unexpected way: KeyError('token')" in (desk.line.stats().detail or "")
    desk.post.failure = None
    desk.passes(10)
    assert len(desk.post.taken) == 1


def test_what_was_handed_over_while_the_disk_is_full_is_not_sent_again_by_this_process(desk):
    decide(desk.store, notice(1), notice(2))
    desk.store.is_full = True
    for _ in range(5):
        with pytest.raises(StoreUnavailableError):
            desk.line.send_due()
    assert len(desk.post.taken) == 1
    desk.store.is_full = False
    desk.line.send_due()
    assert sorted(set(desk.post.taken)) == sorted(desk.post.taken)
    assert len(desk.post.taken) == 2


def test_of_two_servers_one_sends(desk):
    other = Line(desk.store, desk.post, rendered, desk.clocks.wall, desk.clocks.elapsed)
    decide(desk.store, *(notice(number) for number in range(10)))
    desk.line.send_due()
    decide(desk.store, *(notice(number) for number in range(10, 20)))
    other.send_due()
    assert len(desk.post.taken) == 10
    desk.line.send_due()
    assert len(desk.post.taken) == 20


def test_a_channel_that_hangs_holds_up_no_other_and_not_the_end_for_long():
    store, quick, never = MemoryStore(), Post("quick"), threading.Event()

    class Hanging(Post):
        def send(self, message: Message, recipient: str) -> None:
            self.tried.append((message.key, recipient))
            never.wait()

    hanging = Hanging("hanging")
    dispatcher = Dispatcher(store, [hanging, quick], rendered)
    dispatcher.start()
    decide(store, notice(1, channel="hanging"), notice(2, channel="quick"))
    dispatcher.wake()
    wait_until(lambda: quick.taken and hanging.tries, "the quick one")
    assert not dispatcher.close(0.1)
    never.set()
    assert dispatcher.close(10)


def test_pauses_grow_to_a_quarter_of_an_hour_and_differ_by_their_key():
    pauses = [pause("a", tries) for tries in range(40)]
    assert pauses == sorted(pauses)
    assert 900 <= pauses[-1] <= 1_080
    assert pause("a", 3) != pause("b", 3)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.sampled_from(["send", "fail", "full", "restart", "wait", "put back"]), max_size=40))
def test_whatever_fails_each_is_sent_and_once_unless_a_process_ended_before_it_could_write_so(story):
    desk = Desk()
    store = desk.store
    decide(store, *(notice(number) for number in range(4)))
    repeatable = 0
    for act in story:
        desk.post.failure = DeliveryError("no") if act == "fail" else None
        store.is_full = act == "full"
        if act == "restart":
            repeatable += 1
            desk.clocks.seconds += 60  # until the lease of the one that was killed is over
            desk.restart()
        elif act == "put back":
            decide(store, *(notice(number) for number in range(4)))
        elif act == "wait":
            desk.clocks.seconds += 1_000
        try:
            desk.line.send_due()
        except StoreUnavailableError:
            assert store.is_full
        desk.clocks.seconds += 2
    desk.post.failure, store.is_full = None, False
    desk.passes(3_000, step=30)
    keys = [key for key, _ in desk.post.taken]
    assert set(keys) == {notice(number).key for number in range(4)}
    assert len(keys) - 4 <= repeatable
    assert len(ended(store)) == 4


@pytest.fixture
def dispatch():
    """Start dispatchers, which are closed after the test."""
    with ExitStack() as stack:

        def make(store, *channels, **named) -> Dispatcher:
            made = Dispatcher(store, channels, rendered, **named)
            made.start()
            stack.callback(made.close, 10)
            return made

        yield make


def test_what_another_server_has_decided_is_sent_without_being_told(dispatch):
    store, post = MemoryStore(), Post()
    dispatch(store, post)
    decide(store, notice(1))
    wait_until(lambda: post.taken, "the message")


@pytest.mark.slow
def test_of_two_dispatchers_over_one_store_none_sends_what_the_other_has_sent(dispatch):
    store, post = MemoryStore(), Post()
    first, second = dispatch(store, post), dispatch(store, post)
    for number in range(0, 100, 10):
        decide(store, *(notice(number + at) for at in range(10)))
        first.wake()
        second.wake()
    wait_until(lambda: len(post.taken) == 100, "the messages")
    assert first.close(10)
    decide(store, notice(100))
    wait_until(lambda: len(post.taken) == 101, "the message that the second one sends")
    assert len({key for key, _ in post.taken}) == 101
    assert sum(one.stats()[0].delivered for one in (first, second)) == 101


def test_a_store_that_is_away_for_a_while_ends_no_thread(dispatch):
    class Away(MemoryStore):
        error: Exception | None = None

        def scan(self, *arguments, **named):
            if self.error is not None:
                asked.set()
                raise self.error
            return super().scan(*arguments, **named)

    store, post, asked = Away(), Post(), threading.Event()
    store.error = StoreUnavailableError("The database is away.")
    dispatcher = dispatch(store, post)
    decide(store, notice(1))
    dispatcher.wake()
    assert asked.wait(PATIENCE)
    store.error = None
    wait_until(lambda: post.taken, "the message")


def test_the_end_does_not_wait_for_pauses(dispatch):
    store, post = MemoryStore(), Post()
    post.failure = DeliveryError("no")
    decide(store, notice(1), notice(2, "ben"))
    dispatcher = dispatch(store, post)
    wait_until(lambda: dispatcher.stats()[0].failing_since, "the failure")
    began = time.monotonic()
    assert dispatcher.close(10)
    assert time.monotonic() - began < 5


def test_figures_are_read_while_others_change_them(dispatch):
    store, post = MemoryStore(), Post()
    post.failure = KeyError("never mind")
    decide(store, *(notice(number, f"p{number}") for number in range(50)))
    clocks = Clocks()
    dispatcher = dispatch(store, post, clock=clocks.wall, elapsed=clocks.elapsed)

    def looked_at() -> bool:
        clocks.seconds += 100
        dispatcher.wake()
        (health,) = dispatcher.stats()
        return health.waiting == 50 and post.tries > 20

    wait_until(looked_at, "some tries")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_has_stopped_by_a_mistake_of_ours_is_told(dispatch):
    class Mistaken(MemoryStore):
        def scan(self, *arguments, **named):
            raise ZeroDivisionError

    dispatcher = dispatch(Mistaken(), Post())
    wait_until(lambda: dispatcher.stats()[0].failing_since, "the end of the thread")
    assert dispatcher.stats()[0].detail == "What sends over it has stopped. Restart the server."
    assert dispatcher.close(1)


def test_a_dispatcher_without_channels_begins_and_ends():
    dispatcher = Dispatcher(MemoryStore(), [], rendered)
    dispatcher.start()
    dispatcher.wake()
    assert dispatcher.stats() == []
    assert dispatcher.close(1)
    assert Dispatcher(MemoryStore(), [Post()], rendered).close(1)
