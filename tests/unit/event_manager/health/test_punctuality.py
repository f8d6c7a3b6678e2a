"""Whose events do not come when they happen, and what is said of it."""

from __future__ import annotations

import pytest

from madsci.event_manager.health import punctuality
from madsci.event_manager.health.punctuality import Punctuality
from madsci.event_manager.model.stored_event import StoredEvent

NOW = 1_800_000_000_000_000
MINUTE = 60_000_000


class Lab:
    """Senders, and a clock that goes on as a test says."""

    def __init__(self) -> None:
        self.minutes = 0.0
        self.punctuality = Punctuality(lambda: self.minutes * 60)

    def send(self, *late: float, name: str = "arm", source: dict | None = None) -> None:
        """Have events come so many minutes after their time, in one transaction."""
        self.punctuality.see([event(one, name=name, source=source) for one in late])

    def go_on(self, minutes: int, *, late: float, by: float = 0.0, name: str = "arm") -> None:
        """Have one come each minute, each later than the one before by so many minutes."""
        for number in range(minutes):
            self.send(late + number * by, name=name)
            self.minutes += 1

    def told(self) -> list[str]:
        return [one.sentence for one in self.punctuality.findings()]


def event(late: float, *, name: str = "arm", source: dict | None = None) -> StoredEvent:
    sender = None if source is not None else f'{{"name":"{name}"}}'
    moment = NOW - round(late * MINUTE)
    return StoredEvent("a", "log", 20, False, moment, NOW, source or {}, "{}", sender=sender)


@pytest.fixture
def lab():
    return Lab()


def test_of_punctual_senders_nothing_is_told_or_remembered(lab):
    lab.go_on(60, late=0.1)
    lab.send(4.9, -4.9, 0.0)
    assert (lab.told(), len(lab.punctuality._senders)) == ([], 0)


def test_a_clock_that_is_behind_is_told_after_ten_minutes(lab):
    lab.go_on(10, late=40)
    assert lab.told() == []
    lab.go_on(1, late=40)
    (sentence,) = lab.told()
    assert sentence.startswith("Events of arm come 40 min after their time, all alike: its clock")


def test_a_clock_that_is_ahead_is_told(lab):
    lab.go_on(12, late=-1440 * 3)
    (sentence,) = lab.told()
    assert sentence.startswith("Events of arm are from the future, by 3 d: its clock")


def test_a_spool_that_grows_is_told_with_how_late_it_is_now(lab):
    lab.go_on(12, late=6, by=0.5)
    (sentence,) = lab.told()
    assert "come 11 min 30 s after their time, and ever later" in sentence


def test_a_spool_that_is_worked_off_is_not_told_however_long_that_takes(lab):
    lab.go_on(100, late=300, by=-2)
    assert lab.told() == []


def test_a_spool_that_grew_and_is_worked_off_now_is_no_longer_told(lab):
    lab.go_on(20, late=6, by=2)
    assert lab.told()
    lab.go_on(3, late=40, by=-2)
    assert lab.told() == []


def test_what_was_spooled_in_an_outage_and_comes_at_once_is_not_told(lab):
    for late in (300, 200, 100):
        lab.send(late)
    lab.minutes = 30
    assert lab.told() == []


def test_one_punctual_event_ends_it(lab):
    lab.go_on(12, late=40)
    assert lab.told()
    lab.send(0)
    assert (lab.told(), len(lab.punctuality._senders)) == ([], 0)


def test_old_events_of_another_program_beside_punctual_ones_are_not_told(lab):
    """As those are of a program that has ended, which a client sends beside its own."""
    for _ in range(20):
        lab.send(40, 0)
        lab.minutes += 1
    assert lab.told() == []


def test_a_clock_that_was_set_from_behind_to_ahead_begins_anew(lab):
    lab.go_on(9, late=40)
    lab.go_on(9, late=-40)
    assert lab.told() == []
    lab.go_on(3, late=-40)
    assert "from the future" in lab.told()[0]


def test_of_the_events_of_one_transaction_the_one_nearest_to_now_counts(lab):
    for _ in range(12):
        lab.send(90, 40, 70)
        lab.minutes += 1
    assert "come 40 min after" in lab.told()[0]


def test_a_sender_of_whom_nothing_comes_any_more_is_forgotten_after_an_hour(lab):
    lab.go_on(12, late=40)
    lab.minutes += 58
    assert lab.told()
    lab.minutes += 1
    assert (lab.told(), len(lab.punctuality._senders)) == ([], 0)


def test_senders_without_a_name_are_told_apart_by_their_source(lab):
    for _ in range(12):
        lab.send(40, source={"node_id": "one"})
        lab.send(0, source={"node_id": "other"})
        lab.minutes += 1
    (sentence,) = lab.told()
    assert sentence.startswith("Events of one come")


def test_of_many_senders_the_first_are_told_and_the_others_counted(lab):
    for number in range(8):
        lab.go_on(12, late=-40, name=f"arm-{number}")
        lab.minutes -= 12
    lab.minutes += 12
    told = lab.told()
    assert [sentence.split()[2] for sentence in told[:5]] == [f"arm-{number}" for number in range(5)]
    assert told[5].startswith("3 further senders")
    topics = [one.topic for one in lab.punctuality.findings()]
    assert len(set(topics)) == len(topics)


def test_so_many_senders_are_remembered_and_no_more(lab, monkeypatch):
    monkeypatch.setattr(punctuality, "_MOST", 3)
    for number in range(5):
        lab.send(40, name=f"arm-{number}")
    assert len(lab.punctuality._senders) == 3
