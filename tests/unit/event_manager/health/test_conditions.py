"""The log tells when trouble begins and when it has ended, once each."""

from __future__ import annotations

import logging

import pytest

from madsci.event_manager.health.conditions import CALM, Conditions, Finding

FULL = Finding("writing", "The disk is full: 3 MB are free.")
LATER = Finding("writing", "The disk is full: 2 MB are free.")
SOON = Finding("space", "The disk will be full.", is_trouble=False)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def conditions(clock, caplog):
    caplog.set_level(logging.WARNING, "madsci")
    return Conditions(clock=clock)


def told(caplog) -> list[tuple[str, str]]:
    return [(record.levelname, record.getMessage()) for record in caplog.records]


def test_nothing_is_told_while_all_is_well(conditions, caplog):
    for _ in range(3):
        conditions.update([])
    assert told(caplog) == []


def test_trouble_is_told_when_it_begins_and_when_it_has_ended(conditions, clock, caplog):
    for finding in (FULL, LATER, LATER):
        conditions.update([finding])
        clock.now += 30
    conditions.update([])
    assert told(caplog) == [
        ("ERROR", FULL.sentence),
        ("WARNING", f"This is over after 60 s: {FULL.sentence}"),
    ]


def test_what_comes_and_goes_is_told_as_one(conditions, clock, caplog):
    for number in range(40):
        conditions.update([FULL] if number % 2 else [])
        clock.now += CALM / 3
    assert told(caplog) == [("ERROR", FULL.sentence)]


def test_what_comes_again_after_its_end_is_told_again(conditions, clock, caplog):
    for findings in ([FULL], [], [FULL]):
        conditions.update(findings)
        clock.now += CALM
    assert [level for level, _ in told(caplog)] == ["ERROR", "WARNING", "ERROR"]


def test_what_the_log_has_already_is_told_when_it_has_ended(conditions, clock, caplog):
    conditions.update([Finding("task", "The task failed.", is_told=True)])
    clock.now += CALM
    conditions.update([])
    assert told(caplog) == [("WARNING", "This is over after 0 s: The task failed.")]


def test_topics_begin_and_end_apart_and_warnings_are_no_errors(conditions, clock, caplog):
    conditions.update([FULL, SOON])
    clock.now += CALM
    conditions.update([SOON])
    assert told(caplog) == [
        ("ERROR", FULL.sentence), ("WARNING", SOON.sentence),
        ("WARNING", f"This is over after 0 s: {FULL.sentence}"),
    ]  # fmt: skip


def test_what_lasts_alarms_people_once(conditions, clock):
    alarms = []
    for _ in range(100):
        conditions.update([FULL])
        alarms += conditions.lasting()
        clock.now += 2
    assert alarms == [FULL]


def test_what_is_over_within_a_minute_alarms_nobody(conditions, clock):
    for number in range(100):
        conditions.update([FULL] if number % 25 < 20 else [])
        assert conditions.lasting() == []
        clock.now += 2
