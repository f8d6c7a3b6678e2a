"""The life of a lab is concluded alike on every engine, in whatever steps and by whichever server."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime, time, timedelta, timezone
from functools import cache

import pytest

from madsci.common.clock import to_us
from madsci.demo.disturbances import disturb
from madsci.demo.lab import LabPlan, Shifts
from madsci.demo.life import simulate
from madsci.event_manager.analytics.follower import NAME, UtilizationFollower
from madsci.event_manager.analytics.form import noted, removals
from madsci.event_manager.analytics.shelves import FORM, MARKS, PROGRESS, STATES
from madsci.event_manager.feed.course import Course
from madsci.event_manager.feed.follower import Conclusion, Kept
from madsci.event_manager.model.feed import Entry
from madsci.event_manager.model.stored_event import StoredEvent
from madsci.event_manager.model.tables import delete, put
from madsci.event_manager.stores.memory import MemoryStore
from support.lab_runs import documents, go_on, runs_at_once, runs_in, stored, throw_away

PLAN = LabPlan(
    seed=11,
    begin=datetime(2026, 3, 3, tzinfo=timezone.utc),
    days=2,
    nodes_per_workcell=2,
    workflows_per_hour=1.5,
    shifts=(Shifts(time(22), time(3)),),
    fault_every=timedelta(hours=2),
    crash_every=timedelta(hours=3),
)
BEGIN = to_us(PLAN.begin)
HOUR = 3_600_000_000
WINDOW = (BEGIN - 24 * HOUR, BEGIN + 5 * 24 * HOUR)
AT_ONCE = 150
"""Events that are appended before the follower goes on."""


@cache
def events() -> list[StoredEvent]:
    """Two days of a lab, in the order in which they come: some late, some twice, some ends never."""
    on_the_way = disturb(simulate(PLAN), 5, late=0.1, duplicates=0.05, missing_ends=0.05)
    return [stored(one) for one in on_the_way.deliveries]


@cache
def expected() -> list[bytes]:
    return runs_at_once(events())


class Clock:
    """Says what it was set to."""

    def __init__(self) -> None:
        self.now = BEGIN

    def __call__(self) -> int:
        return self.now


class OvertakenFollower(UtilizationFollower):
    """Concludes so slowly that another server goes on in the meantime, whenever it is told to."""

    def __init__(self, other: Course) -> None:
        self.other = other
        self.is_overtaken = False

    def conclude(self, entries: Sequence[Entry], kept: Kept, now: int) -> Conclusion:
        concluded = super().conclude(entries, kept, now)
        if self.is_overtaken:
            go_on(self.other)
        return concluded


@pytest.fixture
def clock():
    return Clock()


def in_parts() -> list[list[StoredEvent]]:
    every = events()
    return [every[place : place + AT_ONCE] for place in range(0, len(every), AT_ONCE)]


def append(store, clock: Clock, part: list[StoredEvent]) -> None:
    store.append(part)
    clock.now = max(clock.now, part[-1].received_at)


def test_the_lab_of_these_tests_has_all_that_happens(store):
    """So that the others do not compare nothing with nothing."""
    runs = expected()
    assert len(events()) > 400
    for thing in "snewtaf":
        assert any(f'"thing":"{thing}"'.encode() in one for one in runs), thing
    assert any(b'"end":null' in one for one in runs)
    assert runs_in(store, WINDOW) == []


def test_events_as_they_come_tell_what_they_tell_when_all_are_there(store, clock):
    course = Course(UtilizationFollower(), store, clock=clock)
    for part in in_parts():
        append(store, clock, part)
        go_on(course)
    assert course.lag == 0
    assert runs_in(store, WINDOW) == expected()
    clock.now += 48 * HOUR
    go_on(course)
    assert runs_in(store, WINDOW) == expected()


def test_a_follower_that_comes_when_all_is_there_concludes_the_same(store, clock):
    for part in in_parts():
        append(store, clock, part)
    go_on(Course(UtilizationFollower(), store, clock=clock))
    assert runs_in(store, WINDOW) == expected()


def test_what_was_concluded_can_be_thrown_away_and_made_again(store, clock):
    course = Course(UtilizationFollower(), store, clock=clock)
    for part in in_parts():
        append(store, clock, part)
    go_on(course)
    throw_away(store)
    assert documents(store) == {}
    assert runs_in(store, WINDOW) == []
    go_on(Course(UtilizationFollower(), store, clock=clock))
    assert runs_in(store, WINDOW) == expected()


def test_servers_that_take_turns_conclude_the_same(store, clock):
    chance = random.Random(3)
    courses = [Course(UtilizationFollower(), store, clock=clock) for _ in range(2)]
    for part in in_parts():
        append(store, clock, part)
        for _ in range(3):
            chance.choice(courses).advance()
    for one in courses:
        go_on(one)
    assert runs_in(store, WINDOW) == expected()


def test_a_step_that_another_server_has_overtaken_changes_nothing(store, clock):
    quick = Course(UtilizationFollower(), store, clock=clock)
    follower = OvertakenFollower(quick)
    slow = Course(follower, store, clock=clock)
    overtaken = 0
    for number, part in enumerate(in_parts()):
        append(store, clock, part)
        follower.is_overtaken = number % 2 == 1
        if not follower.is_overtaken:
            go_on(slow)
            continue
        assert not slow.advance()
        after = documents(store)
        assert after["followers", NAME] is not None
        assert slow.lag is None, "it does not know where it is any more"
        go_on(quick)
        assert documents(store) == after, "all was concluded by the quick one"
        overtaken += 1
    follower.is_overtaken = False
    go_on(slow)
    assert overtaken > 2
    assert runs_in(store, WINDOW) == expected()


def test_what_a_former_version_kept_is_concluded_anew(store, clock):
    append(store, clock, in_parts()[0])
    go_on(Course(UtilizationFollower(), store, clock=clock))
    assert (as_it_was := documents(store))
    marks = [put(MARKS, f"{number:08d}/last", '{"rows":[1]}') for number in range(300)]
    store.apply([*marks, delete(STATES, FORM)])
    go_on(Course(UtilizationFollower(), store, clock=clock))
    assert documents(store) == as_it_was


@pytest.mark.parametrize("form", [None, '"another"'])
def test_a_form_that_is_not_ours_is_noticed_whatever_else_is_kept(form):
    store = MemoryStore()
    assert noted(store) is not None
    changes = [put(STATES, PROGRESS, "{}")] + ([] if form is None else [put(STATES, FORM, form)])
    store.apply(changes)
    assert noted(store) is None
    while noted(store) is None:
        store.apply(removals(store))
    assert store.scan(STATES) == []
