"""What is old is removed, and what nobody can send is given up; both within bounds."""

from __future__ import annotations

import pytest

from madsci.event_manager.alerts.delivery import Delivery, State, encode_delivery
from madsci.event_manager.alerts.line import lease_of
from madsci.event_manager.alerts.notice import DELIVERIES, OUTBOX
from madsci.event_manager.alerts.tidying import TidyingTask
from madsci.event_manager.model.tables import put
from madsci.event_manager.stores.memory import MemoryStore
from madsci.event_manager.tasks.task import Task
from support.alert_posts import EVENING, Post, decide, ended, keys_of, notice, waiting

DAY_US = 86_400_000_000


@pytest.fixture
def store():
    return MemoryStore()


def tidy(store, *channels: str, at: int = EVENING) -> None:
    task: Task = TidyingTask(store, [Post(name) for name in channels], lambda: at)
    task.run(lambda: True)


def kept(store, *numbers: int, at: int = EVENING) -> None:
    store.apply(
        [
            put(DELIVERIES, one.key, encode_delivery(Delivery.of(one, State.DELIVERED, at)))
            for one in map(notice, numbers)
        ]
    )


def test_what_waits_for_a_channel_that_is_gone_is_given_up_with_the_names_of_those_there_are(store):
    decide(store, notice(1, channel="mail"), notice(2, channel="slack", tries=3), notice(3))
    tidy(store, "mail", "pager")
    assert keys_of(waiting(store)) == [notice(1).key]
    assert [(one.state, one.tries, one.detail) for one in ended(store)] == [
        (
            State.GIVEN_UP,
            3,
            "There is no channel 'slack' any more. There are: mail, pager.",
        ),
        (
            State.GIVEN_UP,
            0,
            "There is no channel 'post' any more. There are: mail, pager.",
        ),
    ]
    decide(store, notice(4))
    tidy(store)
    assert ended(store)[-1].detail == "There is no channel 'post' any more. There are: none."


def test_what_another_server_sends_is_left_to_it(store):
    decide(store, notice(1))
    assert store.hold(lease_of("post"), "another server", 60)
    tidy(store, "mail")
    assert len(waiting(store)) == 1
    store.let_go(lease_of("post"), "another server")
    tidy(store, "mail")
    assert waiting(store) == []
    assert store.hold(lease_of("post"), "a new server", 60)


def test_a_quarter_after_it_was_sent_it_is_removed_from_the_log(store):
    kept(store, 1, at=EVENING - 91 * DAY_US)
    kept(store, 2, at=EVENING - 89 * DAY_US)
    tidy(store)
    assert keys_of(ended(store)) == [notice(2).key]


def test_the_log_has_ten_thousand_entries_at_most_the_last_ones(store):
    kept(store, *range(12_345))
    tidy(store)
    keys = [key for table in (store.scan(DELIVERIES, limit=20_000),) for key, _ in table]
    assert keys == keys_of(map(notice, range(2_345, 12_345)))


def test_what_a_later_release_has_written_is_left_to_it(store):
    store.apply([put(OUTBOX, "0", '{"key":"0"}'), put(DELIVERIES, "0", '{"key":"0"}')])
    tidy(store, at=EVENING + 400 * DAY_US)
    assert store.read(OUTBOX, "0") is not None
    assert store.read(DELIVERIES, "0") is not None
