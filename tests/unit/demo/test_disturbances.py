"""On their way events come late, twice or not at all: as many as said, and nothing else changes."""

from __future__ import annotations

from datetime import timedelta

import pytest

from madsci.demo.disturbances import disturb, undisturbed

HOUR = 3_600_000_000


def content(happening):
    return {**happening.as_event(), "event_id": None}


def test_without_disturbances_everything_arrives_once_when_it_happens(life):
    disturbed = disturb(life, 1)
    assert disturbed == undisturbed(life)
    assert [one.happening for one in disturbed.deliveries] == life.happenings
    assert all(one.arrives == one.happening.at for one in disturbed.deliveries)
    assert not any(one.is_repeat for one in disturbed.deliveries)
    assert disturbed.without_end == set()


def test_the_same_seed_disturbs_in_the_same_way_and_another_one_in_another(life):
    shares = {"late": 0.1, "duplicates": 0.1, "missing_ends": 0.1}
    assert disturb(life, 1, **shares) == disturb(life, 1, **shares)
    assert disturb(life, 1, **shares).without_end != disturb(life, 2, **shares).without_end


def test_late_events_arrive_within_the_longest_delay_and_none_is_lost(life):
    disturbed = disturb(life, 1, late=0.2, longest_delay=timedelta(hours=3))
    arrivals = [one.arrives for one in disturbed.deliveries]
    assert arrivals == sorted(arrivals)
    delays = [one.arrives - one.happening.at for one in disturbed.deliveries]
    assert 0 <= min(delays) < max(delays) <= 3 * HOUR
    share = sum(delay > 0 for delay in delays) / len(delays)
    assert share == pytest.approx(0.2, abs=0.03)
    ids = {one.happening.event_id for one in disturbed.deliveries}
    assert ids == {one.event_id for one in life.happenings}


def test_a_repeat_says_the_same_under_another_id_after_the_first_time(life):
    disturbed = disturb(life, 1, late=0.3, duplicates=0.1)
    firsts = [one for one in disturbed.deliveries if not one.is_repeat]
    repeats = [one for one in disturbed.deliveries if one.is_repeat]
    assert {one.happening.event_id for one in firsts} == {one.event_id for one in life.happenings}
    assert len(repeats) / len(firsts) == pytest.approx(0.1, abs=0.03)
    ids = {one.happening.event_id for one in disturbed.deliveries}
    assert len(ids) == len(disturbed.deliveries)
    by_instant = {}
    for one in firsts:
        by_instant.setdefault(one.happening.at, []).append(one)
    for repeat in repeats:
        assert any(
            content(first.happening) == content(repeat.happening) and first.arrives <= repeat.arrives
            for first in by_instant[repeat.happening.at]
        )


def test_missing_ends_are_those_of_actions_steps_workflows_and_experiments_and_are_named(life):
    disturbed = disturb(life, 1, missing_ends=0.25)
    kept = {one.happening.event_id for one in disturbed.deliveries}
    missing = [one for one in life.happenings if one.event_id not in kept]
    assert {one.ended_id() for one in missing} == disturbed.without_end
    assert None not in disturbed.without_end
    ends = sum(one.ended_id() is not None for one in life.happenings)
    assert len(missing) / ends == pytest.approx(0.25, abs=0.04)
    truth = life.truth
    for things in (truth.actions, truth.steps, truth.workflows, truth.experiments):
        assert disturbed.without_end & {one.id for one in things}
    never_told = {one.id for one in truth.actions if not one.told_end}
    assert not disturbed.without_end & never_told


def test_all_ends_may_be_missing_and_all_beginnings_stay(life):
    disturbed = disturb(life, 1, missing_ends=1.0)
    left = [one.happening for one in disturbed.deliveries]
    assert left == [one for one in life.happenings if one.ended_id() is None]
