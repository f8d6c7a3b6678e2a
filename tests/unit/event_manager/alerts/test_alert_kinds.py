"""Rules that wait: too many, nothing, not finished, stuck; and what never makes them fire."""

from __future__ import annotations

import json
import random
from itertools import pairwise

import pytest

from madsci.client.spool import losses_event
from madsci.client.spool.losses import Losses
from support.alert_nights import SECOND, Night

RATE = {"name": "many", "kind": "rate", "selector": {"log_level": 30}, "more_than": 5, "within": "10m"}
SILENCE = {
    "name": "silent", "kind": "absence", "selector": {"event_type": "node_status_update"},
    "within": "10m", "severity": "error",
}  # fmt: skip
UNFINISHED = {
    "name": "slow-workflows", "kind": "unfinished", "selector": {"event_type": "workflow_start"},
    "ended_by": {"event_type": {"$in": ["workflow_complete", "workflow_abort"]}}, "same": "workflow",
    "within": "2h",
}  # fmt: skip


def titles(night: Night) -> list[str]:
    return [f"{one.occasion.value}: {one.subject.title}" for one in night.notices()]


def test_more_events_than_may_come_within_a_time_fire_once_for_each_group():
    night = Night(RATE)
    for number in range(6):
        assert night.told() == []
        night.happens(log_level=30, node="n1", message="warm")
        night.happens(log_level=30, node=f"other {number}", message="warm")
        night.passes(60)
    assert titles(night) == ["opened: More than 5 events within 10 min from n1: many"]
    night.passes(2_000)
    assert night.told() == ["opened", "resolved"]
    assert night.documents()["timers"] == 0


def test_as_many_events_over_a_longer_time_do_not_fire():
    night = Night(RATE)
    for _ in range(20):
        night.happens(log_level=30, node="n1", message="warm")
        night.passes(125)
    assert night.told() == []


def test_what_a_client_had_spooled_is_counted_by_when_it_was_logged():
    night = Night(RATE)
    night.passes(10)
    for number in range(20):
        when = night.now - number * 300 * SECOND
        night.happens(log_level=30, node="n1", message="warm", event_timestamp=when)
    assert night.told() == []


def test_a_node_that_falls_silent_is_told_within_its_time_and_when_it_is_back():
    night = Night(SILENCE)
    for _ in range(10):
        night.happens("node_status_update", node="n1")
        night.happens("node_status_update", node="n2")
        night.passes(60)
    for _ in range(12):
        night.happens("node_status_update", node="n2")
        night.passes(60)
    assert titles(night) == ["opened: Nothing from n1 for 10 min: silent"]
    night.happens("node_status_update", node="n1")
    assert night.told() == ["opened", "resolved"]


def test_a_silence_goes_on_being_told_less_and_less_often_until_somebody_sees_to_it():
    night = Night(SILENCE)
    night.happens("node_status_update", node="n1")
    night.passes(3 * 86_400)
    times = [one.made_at for one in night.notices()]
    assert night.told()[:2] == ["opened", "again"]
    assert 5 <= len(times) <= 10
    distances = [later - earlier for earlier, later in pairwise(times)]
    assert distances == sorted(distances)


@pytest.mark.parametrize("hours", [1, 14, 80])
def test_nobody_is_silent_because_the_server_was_off(hours):
    night = Night(SILENCE, UNFINISHED)
    night.happens("node_status_update", node="n1")
    night.happens("workflow_start", workflow_id="w1", message="PCR")
    night.is_off_for(hours * 3_600)
    night.passes(300)
    night.happens("node_status_update", node="n1")
    night.passes(500)
    assert night.told() == []
    night.passes(200)
    assert titles(night) == ["opened: Nothing from n1 for 10 min: silent"]


@pytest.mark.parametrize("hours", [-80, -2, 2, 80])
def test_nobody_is_silent_because_the_clock_was_set_and_silence_is_still_noticed(hours):
    night = Night(SILENCE)
    night.happens("node_status_update", node="n1")
    night.passes(300)
    night.now += hours * 3_600 * SECOND
    night.passes(200)
    assert night.told() == []
    night.passes(200)
    assert night.told() == ["opened"]


def test_a_rule_without_groups_waits_for_the_first_event_ever():
    night = Night({**SILENCE, "group_by": []})
    night.happens(node="n1", message="something else")
    night.passes(700)
    assert titles(night) == ["opened: Nothing from anybody for 10 min: silent"]


def test_a_workflow_that_does_not_end_in_time_is_told_and_when_it_does():
    night = Night(UNFINISHED)
    night.happens("workflow_start", workflow_id="w1", message="PCR", node="n1")
    night.happens("workflow_start", workflow_id="w2", message="PCR", node="n1")
    night.passes(3_600)
    night.happens("workflow_complete", workflow_id="w2")
    night.passes(3_700)
    assert titles(night) == ["opened: Not finished after 2 h: n1: PCR"]
    night.happens("workflow_abort", workflow_id="w1")
    assert night.told() == ["opened", "resolved"]
    assert night.documents()["timers"] == 0


def run_action(night: Night, number: int, seconds: float, *, ends: bool = True) -> None:
    names = {"action_id": f"a{number}", "action_name": "grip", "node": "n1"}
    night.happens("action_start", **names)
    night.passes(seconds)
    if ends:
        night.happens("action_complete", **names)


def test_an_action_that_takes_far_longer_than_others_before_is_stuck():
    night = Night()
    chance = random.Random(1)
    for number in range(40):
        run_action(night, number, chance.uniform(60, 120))
    run_action(night, 41, 340)
    assert night.told() == []
    run_action(night, 42, 1_100, ends=False)
    assert [one.subject.rule for one in night.notices()] == ["stuck-actions"]
    night.happens("action_failed", action_id="a42", node="n1")
    assert night.told() == ["opened", "resolved"]


def test_of_what_is_known_too_little_nothing_is_stuck():
    night = Night()
    for number in range(19):
        run_action(night, number, 30)
    run_action(night, 20, 86_400, ends=False)
    assert night.told() == []


def test_what_was_stuck_once_does_not_make_the_next_one_usual():
    night = Night()
    for number in range(30):
        run_action(night, number, 60)
    run_action(night, 31, 36_000)
    told = len(night.told())
    run_action(night, 32, 700, ends=False)
    assert night.told()[told:] == ["opened"]


def test_history_teaches_what_is_usual():
    night = Night()
    night.now += SECOND
    old = night.now - 30 * 86_400 * SECOND
    for number in range(30):
        names = {"action_id": f"old{number}", "action_name": "grip", "node": "n1"}
        began = old + number * 600 * SECOND
        for kind, at in (("action_start", began), ("action_complete", began + 60 * SECOND)):
            night.happens(kind, event_timestamp=at, received_at=at, **names)
    run_action(night, 1, 400, ends=False)
    assert [one.subject.rule for one in night.notices()] == ["stuck-actions"]


def test_what_waits_for_a_human_is_told_below_the_level_until_it_goes_on():
    night = Night()
    night.happens("workflow_step_failed", workflow_id="w1", message="No tips left")
    assert [one.subject.rule for one in night.notices()] == ["needs-a-human"]
    night.happens("workflow_step_start", workflow_id="w1")
    assert night.told() == ["opened", "resolved"]


def test_a_step_that_fails_at_the_level_of_alerts_is_told_once():
    night = Night()
    night.happens("workflow_step_failed", log_level=40, workflow_id="w1", message="No tips left")
    assert night.told() == ["opened"]


def test_a_sender_that_lost_events_is_told_of_with_how_many():
    night = Night()
    told = json.loads(losses_event(Losses(3, night.now - SECOND, night.now)))
    night.happens(told["event_type"], log_level=told["log_level"], **told["event_data"])
    assert [one.subject.rule for one in night.notices()] == ["lost-events"]
    assert "3 events were lost before they could be sent" in titles(night)[0]
