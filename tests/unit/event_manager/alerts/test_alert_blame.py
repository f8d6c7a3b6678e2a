"""Whose fault a failed try is: nobody waits for longer than for what is his."""

from __future__ import annotations

import pytest

from madsci.common.errors import DeliveryError, InvalidInputError
from madsci.event_manager.alerts.blame import Blame
from madsci.event_manager.alerts.channel import Message
from support.alert_posts import Office, keys_of, notice, rendered, waiting

BUSY = DeliveryError("450 mailbox busy")
SILENT = DeliveryError("The mail server said nothing for 15 s.")
HOUR = 3_600.0


@pytest.fixture
def office():
    return Office()


def seconds_until_taken(office: Office, key: str) -> float:
    """Return how long it takes until a message is sent."""
    since = office.clocks.seconds
    while key not in [one for one, _ in office.post.taken]:
        assert office.clocks.seconds - since < 24 * HOUR
        office.passes(1)
    return office.clocks.seconds - since


def test_after_a_failure_the_next_try_is_for_somebody_else(office):
    office.post.refused["anna"] = BUSY
    office.decide(notice(1, "anna"), notice(2, "anna"), notice(3, "ben"), notice(4, "ben"))
    office.send()
    assert office.post.tried == [(notice(1).key, "anna"), *office.post.taken]
    assert office.post.taken_by("ben") == keys_of([notice(3, "ben"), notice(4, "ben")])


def test_two_who_fail_one_after_the_other_have_the_whole_channel_rest(office):
    office.post.failure = SILENT
    office.decide(*(notice(number, name) for number, name in enumerate("abcdef")))
    office.send()
    assert [whom for _, whom in office.post.tried] == ["a", "b"]
    office.passes(0.9, step=0.1)
    assert office.post.tries == 2
    office.passes(0.5, step=0.1)
    assert office.post.tries == 3


def test_a_channel_that_is_down_is_asked_once_in_each_pause_and_the_pauses_grow(office):
    office.post.failure = SILENT
    office.decide(*(notice(number, name) for number in range(20) for name in ("anna", "ben")))
    office.passes(HOUR, step=2)
    assert 8 <= office.post.tries <= 14
    office.passes(24 * HOUR, step=60)
    assert office.post.tries <= 14 + 24 * 4


def test_a_channel_of_one_recipient_that_is_down_is_asked_a_few_times_an_hour():
    office = Office(None, "")
    office.post.failure = SILENT
    office.decide(*(notice(number, "") for number in range(40)))
    office.passes(HOUR, step=2)
    assert office.post.tries <= 16
    office.post.failure = None
    office.passes(HOUR, step=30)
    assert office.post.taken_by("") == keys_of(notice(number, "") for number in range(40))


def test_full_mailboxes_hold_up_nobody_however_many_they_are_and_however_long_it_lasts(office):
    full = ["ada", "bob", "cid"]
    office.post.refused = dict.fromkeys(full, BUSY)
    office.decide(*(notice(number, name) for number, name in enumerate([*full, "good"])))
    assert seconds_until_taken(office, notice(3, "good").key) <= 10
    for hours in range(1, 12):
        office.passes(HOUR, step=30)
        number = hours * 10
        late = notice(number, "good", at=office.clocks.wall())
        office.decide(*(notice(number + 1 + at, name) for at, name in enumerate(full)), late)
        assert seconds_until_taken(office, late.key) <= 1


def until_tried(office: Office) -> None:
    """Let time pass until the next try."""
    tries = office.post.tries
    while office.post.tries == tries:
        office.passes(1)


def test_where_only_full_mailboxes_were_asked_a_third_recipient_waits_two_minutes_at_most(office):
    office.post.refused = {"ada": BUSY, "bob": BUSY}
    office.decide(notice(1, "ada"), notice(2, "bob"))
    office.passes(12 * HOUR, step=30)
    until_tried(office)
    office.decide(notice(3, "good"))
    assert seconds_until_taken(office, notice(3, "good").key) <= 121
    for number in range(4, 10):
        until_tried(office)
        office.decide(notice(number, "good"))
        assert seconds_until_taken(office, notice(number, "good").key) <= 1


def test_two_who_are_refused_but_not_one_after_the_other_say_nothing_of_the_channel(office):
    office.post.refused = {"ada": BUSY, "cid": BUSY}
    office.decide(*(notice(number, name) for number, name in enumerate(["ada", "bob", "cid", "dan"])))
    office.send()
    assert [whom for _, whom in office.post.taken] == ["bob", "dan"]


def test_one_recipient_who_is_refused_is_asked_in_pauses_that_grow(office):
    office.post.refused["anna"] = BUSY
    office.decide(*(notice(number) for number in range(30)))
    office.passes(24 * HOUR, step=60)
    assert office.post.tries <= 24 * 4 * 2
    office.post.refused.clear()
    office.passes(1_100, step=5)
    assert office.post.taken_by("anna") == keys_of(notice(number) for number in range(30))


def test_a_message_that_nobody_takes_holds_its_recipient_up_for_some_seconds_only(office):
    bad = notice(1)
    office.post.refused[bad.key] = DeliveryError("552 the message is too large")
    office.decide(bad, *(notice(number) for number in range(2, 20)))
    office.passes(30)
    assert office.post.taken_by("anna") == keys_of(notice(number) for number in range(2, 20))
    office.decide(notice(50))
    assert seconds_until_taken(office, notice(50).key) <= 1
    assert keys_of(waiting(office.store)) == [bad.key]
    assert office.line.stats().failing_since is None


def test_only_messages_of_one_moment_are_compared_so_that_what_comes_later_keeps_its_place(office):
    office.post.failure = SILENT
    office.decide(notice(1))
    while office.post.tries < 4:
        office.passes(0.5, step=0.5)
    office.post.failure = None
    office.decide(notice(2))
    office.passes(20, step=0.5)
    assert office.post.taken_by("anna") == keys_of([notice(1), notice(2)])


def test_a_message_that_cannot_be_rendered_waits_alone_and_has_no_part_in_what_is_said_of_others():
    bad = [notice(1, "anna"), notice(2, "ben")]

    def render(one):
        if one.key in keys_of(bad):
            raise InvalidInputError("The template has no such member.")
        return rendered(one)

    office = Office(render=render)
    office.decide(*bad, notice(3, "anna"), notice(4, "ben"))
    office.send()
    assert office.post.taken == [(notice(3).key, "anna"), (notice(4, "ben").key, "ben")]
    assert [(one.tries, one.detail) for one in waiting(office.store)] == [
        (1, "The template has no such member.")
    ] * 2
    assert office.line.stats().failing_since is None
    assert office.line.stats().detail == "The template has no such member."


def test_that_the_channel_works_again_is_known_to_all_at_once_and_everybody_s_messages_are_in_order(
    office,
):
    names = ("ada", "bob", "cid")
    office.post.failure = SILENT
    decided = [notice(number, names[number % 3]) for number in range(60)]
    office.decide(*decided)
    office.passes(HOUR, step=2)
    office.post.failure = None
    while not office.post.taken:
        office.passes(1)
    office.send()
    assert len(office.post.taken) == 60
    for name in names:
        assert office.post.taken_by(name) == keys_of(one for one in decided if one.recipient == name)


def test_what_is_refused_for_good_says_nothing_of_others(office):
    office.post.refused = {
        name: DeliveryError("550 no such user", is_final=True) for name in ("ada", "bob", "cid")
    }
    office.decide(*(notice(number, name) for number, name in enumerate(["ada", "bob", "cid", "good"])))
    office.send()
    assert [whom for _, whom in office.post.taken] == ["good"]
    assert office.line.stats().next_try_at is None


def test_a_channel_fails_as_long_as_nothing_was_sent_since_a_try_failed(office):
    office.post.refused["anna"] = BUSY
    office.decide(notice(1, "anna"))
    office.send()
    assert office.line.stats().failing_since is not None
    office.decide(notice(2, "ben"))
    office.send()
    assert office.line.stats().failing_since is None  # it is Anna's mailbox
    office.post.refused["ben"] = BUSY
    office.passes(1)
    office.decide(notice(3, "ben"))
    office.send()
    health = office.line.stats()
    assert health.failing_since is not None
    assert health.detail == "450 mailbox busy"
    assert health.next_try_at is not None
    office.post.refused.clear()
    office.passes(10)
    health = office.line.stats()
    assert (health.waiting, health.delivered) == (0, 3)
    assert (health.failing_since, health.detail, health.next_try_at) == (None, None, None)


def test_what_is_known_of_recipients_and_messages_has_a_bound():
    blame = Blame(lambda: 0.0)
    for number in range(3_000):
        blame.failed(notice(number, f"r{number}"), is_of_message=True)
        blame.failed(notice(number + 10_000, f"r{number}"))
        blame.worked(notice(number + 20_000, "good"))
    assert len(blame._messages) <= 1_000
    assert len(blame._recipients) <= 1_000
    blame.failed(notice(1, "x"))
    blame.failed(notice(1, "y"))
    for number in range(3_000):
        blame.failed(notice(number, f"s{number}"))
    assert len(blame._asked) <= 1_000


def test_a_channel_that_raises_what_it_should_not_is_tried_again_and_the_log_has_the_traceback(caplog):
    class Broken:
        name, recipients = "post", ("anna",)
        is_broken = True

        def send(self, message: Message, recipient: str) -> None:
            if self.is_broken:
                raise KeyError("token")

    office = Office()
    office.post = Broken()
    office.line = office.another()
    office.decide(notice(1))
    office.send()
    assert "failed in an unexpected way: KeyError('token')" in office.line.stats().detail
    assert "Traceback" in caplog.text
    office.post.is_broken = False
    office.passes(5)
    assert waiting(office.store) == []
