"""Alerts open, people are told once, in time, and hear when it is over."""

from __future__ import annotations

import pytest

from madsci.event_manager.alerts.records import STATES
from support.alert_nights import Night


@pytest.fixture
def night():
    return Night()


def test_below_the_level_nobody_is_told(night):
    night.happens(log_level=30, node="n1", message="warm")
    night.passes(7_200)
    assert night.told() == []
    assert night.alerts() == []


def test_at_the_level_each_person_is_told_once_with_what_happened(night):
    event = night.happens("node_error", log_level=40, node="n1", message="The gripper is stuck")
    assert night.told("anna@lab.org") == night.told("ben@lab.org") == ["opened"]
    (notice,) = night.notices()
    assert notice.subject.event_id == event.event_id
    assert notice.subject.severity == 40
    assert notice.subject.title == "node_error (ERROR) from n1: The gripper is stuck"
    assert notice.subject.group == {"node": "n1"}


def test_an_event_that_asks_for_people_is_told_below_the_level_and_nothing_has_to_clear(night):
    night.happens(log_level=10, node="n1", alert=True, message="Come and see")
    night.passes(7_200)
    assert night.told() == ["opened"]
    assert [one.state.value for one in night.alerts()] == ["resolved"]


def test_the_same_event_posted_again_is_told_once(night):
    event = night.happens(log_level=40, node="n1", message="stuck")
    for _ in range(5):
        night.store.append([event])
        night.follow()
    assert night.told() == ["opened"]
    assert [one.count for one in night.alerts()] == [1]


@pytest.mark.parametrize("level", [20, 40])
def test_an_event_that_is_logged_first_and_then_alerted_on_is_told_once(night, level):
    event = night.happens(log_level=level, node="n1", message="stuck")
    night.asks_for_people(event)
    assert night.told() == ["opened"]
    assert [one.count for one in night.alerts()] == [1]


def test_asking_for_people_is_heard_though_the_node_has_an_alert_already(night):
    night.happens(log_level=40, node="n1", message="stuck")
    counted = night.happens(log_level=40, node="n1", message="still stuck")
    assert night.told() == ["opened"]
    night.asks_for_people(counted)
    assert night.told() == ["opened", "again"]
    assert night.notices()[1].subject.event_id == counted.event_id
    assert [one.count for one in night.alerts()] == [2]


def test_asking_a_hundred_times_is_told_ten_times_and_then_in_a_summary(night):
    for number in range(100):
        night.happens(node="n1", alert=True, message=f"Come {number}")
    assert len(night.told()) == 10
    night.passes(3_600 * 24)
    assert night.told()[10:] == ["again"]
    assert night.notices()[-1].since_last == 90


def test_a_burst_of_errors_is_one_notice_one_summary_and_the_news_that_it_is_over(night):
    for number in range(500):
        night.happens(log_level=40, node="n1", message=f"failure {number}")
        night.now += 120_000
    night.passes(400)
    assert night.told() == ["opened", "again"]
    assert night.notices()[1].since_last == 499
    night.passes(3_600)
    assert night.told() == ["opened", "again", "resolved"]
    assert night.notices()[2].subject.count == 500
    night.passes(24 * 3_600)
    assert len(night.told()) == 3
    states = [key for key, _ in night.store.scan(STATES)]
    assert states == ["clock", "opened/alerts"]
    assert night.documents()["timers"] == 0


def test_nodes_have_alerts_of_their_own(night):
    night.happens(log_level=40, node="n1", message="stuck")
    night.happens(log_level=40, node="n2", message="stuck")
    assert night.told() == ["opened", "opened"]
    assert len({one.subject.alert_id for one in night.notices()}) == 2


def test_what_gets_worse_is_told_at_once(night):
    night.happens(log_level=40, node="n1", message="warm")
    night.happens(log_level=40, node="n1", message="warm")
    night.happens(log_level=50, node="n1", message="fire")
    assert night.told() == ["opened", "again"]
    assert night.notices()[1].subject.severity == 50
    assert "fire" in night.notices()[1].subject.title


def test_after_it_was_over_the_next_error_is_told_again(night):
    night.happens(log_level=40, node="n1", message="stuck")
    night.passes(1_000)
    night.happens(log_level=40, node="n1", message="stuck")
    assert night.told() == ["opened", "resolved", "opened"]
    assert len(night.alerts()) == 2


def test_what_was_received_before_alerts_began_is_told_to_nobody():
    night = Night()
    night.happens(log_level=50, node="n1", received_at=night.now - 1, message="old")
    assert night.told() == []


def test_imported_events_are_told_to_nobody(night):
    night.passes(60)
    night.happens(node="n1", message="now")
    night.happens(log_level=50, node="n1", received_at=night.now - 901_000_000, message="old")
    assert night.told() == []


def test_what_a_server_that_was_killed_shows_late_is_told(night):
    night.passes(60)
    night.happens(node="n1", message="now")
    night.happens(log_level=50, node="n1", received_at=night.now - 59_000_000, message="late")
    assert night.told() == ["opened"]


@pytest.mark.parametrize("hours", [1, 9_000])
def test_after_a_clock_was_set_back_people_are_told_as_before(night, hours):
    night.happens(node="n1", message="now")
    night.passes(30)
    night.now += hours * 3_600_000_000
    night.happens(node="n1", message="ahead")
    night.now -= hours * 3_600_000_000
    night.happens(log_level=50, node="n1", message="fire")
    assert night.told() == ["opened"]
    night.passes(1_000)
    assert night.told() == ["opened", "resolved"]


def test_in_maintenance_nobody_is_told_and_the_alert_is_there(night):
    night.people.silenced = {"n1"}
    night.happens(log_level=50, node="n1", message="opened")
    night.passes(3_600)
    assert night.told() == []
    assert [one.is_silenced for one in night.alerts()] == [True]


def test_a_quiet_time_delays_what_is_told(night):
    night.people.quiet_until = night.now + 5
    night.happens(log_level=40, node="n1", message="stuck")
    assert [one.not_before for one in night.notices()] == [night.people.quiet_until]


def test_a_server_that_was_off_tells_of_what_came_before_it_stopped(night):
    night.store.append([])
    night.passes(30)
    night.happens(log_level=40, node="n1", message="stuck")
    night.is_off_for(3_600)
    assert night.told() == ["opened"]
    night.passes(1_000)
    assert night.told() == ["opened", "resolved"]


def test_of_a_crowd_of_alerts_of_one_rule_people_hear_of_twenty_in_an_hour(night):
    for number in range(200):
        night.happens(log_level=40, node=f"n{number}", message="no network")
    assert night.told() == ["opened"] * 20
    last = [one for one in night.notices() if "not told one by one" in one.subject.reason]
    assert len(last) == 1
    assert len(night.alerts()) == 200
    night.passes(2_000)
    assert night.told().count("resolved") == 20
    night.passes(2_000)
    night.happens(log_level=40, node="n7", message="no network again")
    assert night.told()[-1] == "opened"
