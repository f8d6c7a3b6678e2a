"""Turns of tasks, on every engine: each slot is done once, by one holder."""

from __future__ import annotations

import threading

import pytest

from madsci.common.clock import iso, parse_instant
from madsci.event_manager.tasks.turn import Turn, last_done

DAY = 86_400_000_000
TODAY = parse_instant("2026-01-02T00:00:00Z")


@pytest.fixture
def turn(store):
    """Make turns of a holder whose clock says what it wants."""

    def make(slot: int = TODAY, holder="me", *, task="backup", now=None, seconds=60.0) -> Turn:
        moment = slot if now is None else now
        return Turn(store, task, iso(slot), holder, seconds=seconds, clock=lambda: moment)

    return make


def do(turn: Turn) -> None:
    assert turn.take()
    turn.give_back(done=True)


def test_a_slot_is_done_once_and_no_earlier_one_after_it(turn):
    first = turn()
    assert first.take()
    assert first.take()  # to keep it longer
    first.give_back(done=True)
    assert not turn().take()
    assert not turn(TODAY - DAY, now=TODAY).take()
    assert turn(TODAY + DAY).take()


def test_while_one_has_it_no_other_gets_it(turn):
    assert turn(holder="one").take()
    assert not turn(holder="other").take()
    assert turn(holder="other", task="retention").take()


def test_what_was_given_back_undone_is_given_again(turn, store):
    one = turn()
    assert one.take()
    one.give_back(done=False)
    assert last_done(store, "backup") is None
    assert turn(holder="other").take()


def test_what_was_done_last_is_told_for_each_task(turn, store):
    assert last_done(store, "backup") is None
    do(turn())
    assert last_done(store, "backup") == iso(TODAY)
    later = turn(TODAY + DAY)
    assert later.take()
    assert last_done(store, "backup") == iso(TODAY)
    later.give_back(done=False)
    assert last_done(store, "backup") == iso(TODAY)
    assert last_done(store, "retention") is None


def test_what_a_clock_that_was_ahead_has_done_does_not_count(turn, store):
    ahead = TODAY + 3650 * DAY
    do(turn(ahead))
    assert last_done(store, "backup") == iso(ahead)
    assert not turn(ahead - DAY, now=ahead).take()
    do(turn(TODAY))
    assert last_done(store, "backup") == iso(TODAY)
    assert not turn(TODAY).take()
    assert turn(TODAY + DAY).take()


def test_a_later_slot_of_a_clock_that_is_a_little_ahead_counts(turn, store):
    do(turn(TODAY, "quick"))
    assert not turn(TODAY - DAY, "slow", now=TODAY - 60_000_000).take()
    assert last_done(store, "backup") == iso(TODAY)


def test_who_lost_his_turn_while_another_did_a_later_slot_says_nothing(turn, store):
    slow = turn(TODAY, "slow", now=TODAY + DAY)
    assert slow.take()
    store.let_go("task/backup", "slow")  # as when it ends by itself
    do(turn(TODAY + DAY, "other"))
    slow.give_back(done=True)
    assert last_done(store, "backup") == iso(TODAY + DAY)


def test_who_lost_his_turn_to_one_that_is_at_it_says_nothing(turn, store):
    slow = turn(holder="slow")
    assert slow.take()
    store.let_go("task/backup", "slow")
    assert turn(holder="other").take()
    slow.give_back(done=True)
    assert last_done(store, "backup") is None
    assert not turn(holder="third").take()


def test_of_many_that_ask_at_once_one_gets_it(turn):
    for day in range(4):
        got: list[Turn] = []
        begun = threading.Barrier(4)

        def ask(one: Turn, begun=begun, got=got) -> None:
            begun.wait(10)
            if one.take():
                got.append(one)

        threads = [
            threading.Thread(target=ask, args=[turn(TODAY + day * DAY, str(number))])
            for number in range(4)
        ]
        for one in threads:
            one.start()
        for one in threads:
            one.join(30)
        (holder,) = got
        holder.give_back(done=True)
