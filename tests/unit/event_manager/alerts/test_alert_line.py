"""What waits in the outbox leaves it once, whatever ends meanwhile: over every store."""

from __future__ import annotations

import logging

import msgspec
import pytest

from madsci.common.errors import DeliveryError, StoreUnavailableError
from madsci.event_manager.alerts.delivery import Delivery, State, encode_delivery
from madsci.event_manager.alerts.notice import DELIVERIES, OUTBOX
from madsci.event_manager.model.tables import MAX_VALUE, put
from madsci.event_manager.stores.memory import MemoryStore
from madsci.event_manager.stores.mongo.store import MongoStore
from madsci.event_manager.stores.sqlite.store import SqliteStore
from support.alert_posts import (
    DAY,
    SUBJECT,
    ClockedStore,
    Clocks,
    Office,
    decide,
    ended,
    keys_of,
    notice,
    waiting,
)

SILENT = DeliveryError("The mail server said nothing for 15 s.")


class AnyStore:
    """A store that can be opened anew, as a server does that starts again."""

    def __init__(self, engine: str, open_store) -> None:
        self.engine = engine
        self._open = open_store
        self.store = open_store()

    def reopen(self):
        if self.engine != "memory":
            self.store.close()
            self.store = self._open()
        return self.store


@pytest.fixture(params=["memory", "sqlite", "mongo"])
def anywhere(request, tmp_path):
    def open_store():
        if request.param == "memory":
            return MemoryStore()
        if request.param == "sqlite":
            return SqliteStore(tmp_path / "events.db")
        url = request.getfixturevalue("mongo_url")
        return MongoStore(url, database=request.getfixturevalue("mongo_database"))

    made = AnyStore(request.param, open_store)
    yield made
    made.store.close()


@pytest.fixture
def office():
    return Office()


class Dying(Exception):  # noqa: N818 - no error: the power goes
    """The process ends here."""


def test_each_is_sent_once_also_where_the_server_stops_half_way_and_starts_again(anywhere):
    office = Office(anywhere.store)
    everything = [notice(number) for number in range(10)]
    office.decide(*everything)

    def stop_after_five(message, recipient):
        type(office.post).send(office.post, message, recipient)
        if office.post.tries == 5:
            office.line.stop()

    office.post.send = stop_after_five
    office.send()
    assert len(office.post.taken) == 5
    office.line.end()
    office.store = anywhere.reopen()
    del office.post.send
    office.line = office.another()
    office.send()
    assert [key for key, _ in office.post.taken] == keys_of(everything)
    assert waiting(office.store) == []
    assert {(one.state, one.tries) for one in ended(office.store)} == {(State.DELIVERED, 1)}


def test_one_that_was_sent_and_appears_again_is_removed_and_not_sent(anywhere):
    office = Office(anywhere.store)
    office.decide(notice(1))
    office.send()
    office.decide(notice(1))
    office.line.end()
    office.store = anywhere.reopen()
    office.line = office.another()
    office.send()
    assert waiting(office.store) == []
    assert len(office.post.taken) == 1
    assert len(ended(office.store)) == 1


def test_after_an_hour_without_a_mail_server_everything_is_sent_in_order(anywhere):
    office = Office(anywhere.store)
    office.post.failure = SILENT
    everything = [notice(number) for number in range(12)]
    office.decide(*everything)
    office.passes(3_600, step=30)
    assert office.post.taken == []
    assert waiting(office.store)[0].detail == SILENT.message
    office.post.failure = None
    office.passes(1_200, step=30)
    assert [key for key, _ in office.post.taken] == keys_of(everything)
    assert waiting(office.store) == []


def test_of_two_servers_of_a_store_only_one_sends_until_it_stops(anywhere):
    office = Office(anywhere.store)
    other = office.another()
    office.decide(notice(1), notice(2))
    office.send()
    office.decide(notice(3))
    assert not other.send_due()
    assert len(office.post.taken) == 2
    office.line.end()
    office.clocks.seconds += 6
    other.send_due()
    assert [key for key, _ in office.post.taken] == keys_of([notice(1), notice(2), notice(3)])


def test_a_server_that_was_killed_is_followed_by_another_after_half_a_minute(office):
    office.decide(notice(1))
    office.send()
    other = office.another()
    office.decide(notice(2))
    office.clocks.seconds += 25
    other.send_due()
    assert len(office.post.taken) == 1
    office.clocks.seconds += 6
    other.send_due()
    assert len(office.post.taken) == 2


def test_no_other_server_sends_while_a_call_lasts_which_ends_after_two_minutes(office):
    other = office.another()
    office.decide(notice(1))
    taken_meanwhile: list[float] = []

    def slow(message, recipient):
        del office.post.send
        for _ in range(60):
            office.clocks.seconds += 5
            office.line.stay()  # as the thread does that keeps the leases
            other.send_due()
            if office.post.taken and not taken_meanwhile:
                taken_meanwhile.append(office.clocks.seconds)

    office.post.send = slow
    office.send()
    assert 120 <= taken_meanwhile[0] <= 160


class Breaking(ClockedStore):
    """A store that raises the next time that something is changed; then it works again."""

    def __init__(self, clocks: Clocks) -> None:
        super().__init__(clocks)
        self.errors: list[Exception] = []
        self.makes_first = False
        """Whether the first of the changes is made nevertheless, as without transactions."""

    def apply(self, changes, step=None):
        if self.errors:
            error = self.errors.pop()
            if self.makes_first:
                super().apply(changes[:1], step)
            raise error
        return super().apply(changes, step)


@pytest.fixture
def breaking():
    office = Office()
    office.store = Breaking(office.clocks)
    office.line = office.another()
    return office


@pytest.mark.parametrize("makes_first", [False, True])
def test_what_was_handed_over_before_the_store_failed_is_written_down_before_anything_else(
    breaking, makes_first
):
    breaking.decide(notice(1), notice(2))
    breaking.store.makes_first = makes_first
    breaking.store.errors = [StoreUnavailableError("The disk is full.")] * 3
    for _ in range(3):
        with pytest.raises(StoreUnavailableError):
            breaking.line.send_due()
        assert keys_of(waiting(breaking.store)) == keys_of([notice(1), notice(2)])
    breaking.send()
    assert [key for key, _ in breaking.post.taken] == keys_of([notice(1), notice(2)])
    assert waiting(breaking.store) == []
    assert breaking.line.stats().delivered == 2


def test_what_could_not_be_put_back_is_not_tried_again_before_its_pause_is_over(breaking):
    breaking.decide(notice(1))
    breaking.post.failure = SILENT
    breaking.store.errors = [StoreUnavailableError("The disk is full.")]
    with pytest.raises(StoreUnavailableError):
        breaking.line.send_due()
    breaking.send()
    assert breaking.post.tries == 1
    assert waiting(breaking.store)[0].tries == 1


def test_where_the_process_ends_between_sending_and_writing_it_is_sent_again_under_its_key(breaking):
    breaking.decide(notice(1))
    breaking.store.errors = [Dying()]
    with pytest.raises(Dying):
        breaking.line.send_due()
    breaking.clocks.seconds += 31
    breaking.line = breaking.another()
    breaking.send()
    assert breaking.post.taken == [(notice(1).key, "anna")] * 2
    assert len(ended(breaking.store)) == 1


def test_a_server_that_stops_says_what_it_could_not_write_down(breaking, caplog):
    breaking.decide(notice(1))
    breaking.store.errors = [StoreUnavailableError("The disk is full.")] * 2
    with pytest.raises(StoreUnavailableError):
        breaking.line.send_due()
    breaking.line.end()
    assert "could not be written down, and may be sent again: The disk is full." in caplog.text


def test_that_it_was_delivered_is_kept_whatever_another_server_says_and_not_the_other_way_round(office):
    one, other = notice(1), notice(2)
    for told in (one, other):
        decide(office.store, told)
    given_up = Delivery.of(one, State.GIVEN_UP, 5, "too late")
    office.store.apply([put(DELIVERIES, one.key, encode_delivery(given_up))])
    office.line._outbox.settle(Delivery.of(one, State.DELIVERED, 6))
    office.line._outbox.settle(Delivery.of(other, State.DELIVERED, 7))
    office.line._outbox.settle(Delivery.of(other, State.GIVEN_UP, 8, "too late"))
    assert [delivery.state for delivery in ended(office.store)] == [State.DELIVERED] * 2
    assert waiting(office.store) == []


def test_whoever_starts_tries_at_once_what_failed_before(office):
    office.post.failure = SILENT
    office.decide(notice(1), notice(2))
    office.passes(3_600, step=30)
    office.restart()
    office.post.failure = None
    office.send()
    assert len(office.post.taken) == 2


@pytest.mark.parametrize("years", [-10, 10])
def test_no_pause_and_no_end_comes_from_setting_the_clock(office, years):
    office.post.failure = SILENT
    office.decide(notice(1), notice(2))
    office.passes(60)
    office.clocks.set_by = years * 365 * DAY
    office.passes(60)
    assert ended(office.store) == []
    office.post.failure = None
    office.passes(120)
    assert len(office.post.taken) == 2


@pytest.mark.slow
def test_three_days_after_it_was_decided_it_is_given_up_with_the_last_reason(office):
    office.post.failure = SILENT
    office.decide(notice(1), *(notice(number, "ben") for number in range(2, 150)))
    office.passes(3 * DAY - 120, step=60)
    assert ended(office.store) == []
    office.passes(300, step=60)
    assert waiting(office.store) == []
    assert {(one.state, one.detail) for one in ended(office.store)} == {
        (State.GIVEN_UP, SILENT.message)
    }
    assert office.line.stats().given_up == 149
    assert office.post.tries < 400


def test_what_is_old_when_the_server_starts_is_tried_for_a_quarter_of_an_hour(office):
    office.clocks.set_by = 10 * DAY
    office.post.failure = SILENT
    office.decide(notice(1), notice(2))
    office.passes(600)
    assert ended(office.store) == []
    office.passes(1_200)
    assert [one.state for one in ended(office.store)] == [State.GIVEN_UP] * 2


def test_a_clock_that_was_set_back_for_years_does_not_have_it_tried_for_ever(office):
    office.clocks.set_by = -10 * 365 * DAY
    office.post.failure = SILENT
    office.decide(notice(1, tries=998))
    office.passes(120)
    assert [(one.state, one.tries) for one in ended(office.store)] == [(State.GIVEN_UP, 1_000)]


def test_a_notice_of_a_later_release_holds_up_no_other_and_stays(office, caplog):
    office.store.apply([put(OUTBOX, "0", '{"key":"0","occasion":"sung"}')])
    office.decide(notice(1))
    office.send()
    assert len(office.post.taken) == 1
    assert [key for key, _ in office.store.scan(OUTBOX)] == ["0"]
    assert "cannot be read" in caplog.text


def test_a_notice_as_large_as_a_document_may_be_is_sent_once_and_kept_in_short(office):
    empty = len(msgspec.json.encode(notice(1)))
    subject = msgspec.structs.replace(SUBJECT, group={"node": "x" * (MAX_VALUE - empty - 20)})
    office.decide(msgspec.structs.replace(notice(1), subject=subject))
    office.post.failure = DeliveryError("no " * 400)
    office.send()
    office.post.failure = None
    office.passes(10)
    assert len(office.post.taken) == 1
    (done,) = ended(office.store)
    assert done.subject.title == SUBJECT.title
    assert done.subject.group == {}
    assert waiting(office.store) == []


def test_what_is_looked_at_says_how_much_waits_and_when_it_is_due(office):
    in_the_morning = office.clocks.wall() + 100_000_000
    office.decide(notice(1, not_before=in_the_morning), notice(2, channel="other"))
    office.send()
    health = office.line.stats()
    assert (health.name, health.waiting, health.failing_since) == ("post", 1, None)
    assert health.next_try_at == "2027-01-15T08:01:40.000000Z"
    assert office.line.rest() == pytest.approx(100)


def test_who_has_lost_the_place_knows_of_nothing_any_more(office):
    office.post.failure = SILENT
    office.decide(notice(1), notice(2, "ben"))
    office.send()
    assert office.line.stats().waiting == 2
    office.clocks.seconds += 31
    other = office.another()
    other.send_due()
    office.send()
    health = office.line.stats()
    assert (health.waiting, health.failing_since, health.detail) == (0, None, None)
    assert other.stats().waiting == 2


def test_messages_past_the_store_are_tried_again_in_pauses_and_not_for_ever(office):
    office.post.failure = SILENT
    for number in range(200):
        office.line.send_at_once(notice(number, at=office.clocks.wall()))
    for _ in range(600):
        office.clocks.seconds += 1
        office.line.send_urgent()
    assert office.post.tries < 30
    assert len(office.line._urgent) == 100
    office.clocks.seconds += 3 * DAY
    office.line.send_urgent()
    assert len(office.line._urgent) == 99
    office.post.failure = None
    for _ in range(1_200):
        office.clocks.seconds += 1
        office.line.send_urgent()
    assert len(office.post.taken) == 99


def test_many_that_are_refused_cost_one_look_each_hundred(office, caplog):
    caplog.set_level(logging.ERROR)
    office.post.refused["anna"] = DeliveryError("550 no such user", is_final=True)
    office.decide(*(notice(number) for number in range(250)))
    office.send()
    assert office.post.tries == 250
    assert len(ended(office.store)) == 250
