"""People see to alerts: what they do is recorded, takes effect in order, and cannot be forged."""

from __future__ import annotations

import pytest

from madsci.common.errors import AlertNotFoundError, ConflictError, InvalidInputError, NotFoundError
from madsci.event_manager.alerts.acts import ACTS, MEMBER, Act, Deed
from madsci.event_manager.alerts.records import AlertState
from madsci.event_manager.alerts.service import Alerts
from support.alert_nights import SECOND, Night

HOUR = 3_600


class Desk:
    """A night with the service that people use; its events are committed as any others."""

    def __init__(self, *rules) -> None:
        self.night = Night(*rules)
        self.alerts = Alerts(self.night.store, self.night.shelf, [], self, lambda: self.night.now)
        self.said: list[str] = []

    def keep(self, event_type, level, message, **members) -> str:
        self.said.append(message)
        event = self.night.happens(event_type.value, log_level=int(level), message=message, **members)
        return event.event_id

    def does(self, deed: Deed, **more) -> None:
        (alert,) = self.alerts.listed(1)
        self.alerts.act(Act(deed, alert.id, "Anna", self.night.now, **more))

    @property
    def alert(self):
        (alert,) = self.alerts.listed(1)
        return alert


@pytest.fixture
def desk():
    desk = Desk({
        "name": "silent", "kind": "absence", "selector": {"event_type": "node_status_update"},
        "within": "10m", "severity": "error",
    })  # fmt: skip
    desk.night.happens("node_status_update", node="n1")
    desk.night.passes(700)
    assert desk.night.told() == ["opened"]
    return desk


def test_what_somebody_sees_to_is_not_told_again_until_it_is_over(desk):
    desk.night.passes(60)
    desk.does(Deed.ACKNOWLEDGE, note="On my way")
    assert desk.alert.state is AlertState.ACKNOWLEDGED
    assert (desk.alert.acknowledged_by, desk.alert.note) == ("Anna", "On my way")
    assert desk.alert.acknowledged_at == desk.night.now
    assert desk.said[-1].startswith(f"Anna sees to the alert {desk.alert.id}: Nothing from n1")
    desk.night.passes(48 * HOUR)
    assert desk.night.told() == ["opened"]
    desk.night.happens("node_status_update", node="n1")
    assert desk.night.told() == ["opened", "resolved"]
    assert desk.night.notices()[1].subject.acknowledged_by == "Anna"


def test_what_is_snoozed_is_told_again_when_that_is_over(desk):
    desk.does(Deed.SNOOZE, until=desk.night.now + 5 * HOUR * SECOND)
    desk.night.passes(5 * HOUR - 60)
    assert desk.night.told() == ["opened"]
    desk.night.passes(120)
    assert desk.night.told() == ["opened", "again"]


def test_what_is_over_while_it_is_snoozed_is_told(desk):
    desk.does(Deed.SNOOZE, until=desk.night.now + 5 * HOUR * SECOND)
    desk.night.happens("node_status_update", node="n1")
    assert desk.night.told() == ["opened", "resolved"]


def test_what_somebody_ends_is_over_until_the_next_event_of_its_kind(desk):
    desk.does(Deed.RESOLVE)
    assert (desk.alert.state, desk.alert.resolved_by) == (AlertState.RESOLVED, "Anna")
    desk.night.passes(10 * HOUR)
    assert desk.night.told() == ["opened", "resolved"]
    desk.night.happens("node_status_update", node="n1")
    desk.night.passes(700)
    assert desk.night.told() == ["opened", "resolved", "opened"]


def test_what_is_over_cannot_be_seen_to(desk):
    desk.does(Deed.RESOLVE)
    with pytest.raises(ConflictError, match="is over already, since"):
        desk.does(Deed.ACKNOWLEDGE)


def test_an_alert_that_is_not_there_is_said(desk):
    with pytest.raises(AlertNotFoundError, match="no alert with the id 'x'"):
        desk.alerts.act(Act(Deed.ACKNOWLEDGE, "x", "Anna", 0))


def test_a_snooze_needs_a_time_that_comes(desk):
    with pytest.raises(InvalidInputError, match="Until when"):
        desk.does(Deed.SNOOZE, until=desk.night.now)


@pytest.mark.parametrize("forged", ["01M84HX3CTDS9P8A5QKCMA1TVT", 7, None, {"a": 1}])
def test_an_event_in_the_likeness_of_an_act_does_nothing(desk, forged):
    members = {"alert_id": desk.alert.id, MEMBER: forged}
    desk.night.happens(message="Mallory sees to it", **members)
    assert desk.alert.state is AlertState.OPEN


def test_an_act_takes_effect_once(desk):
    desk.does(Deed.ACKNOWLEDGE)
    assert desk.night.store.scan(ACTS) == []


def test_rules_are_added_changed_and_removed_while_the_server_runs(desk):
    rule = {"name": "plates", "selector": {"event_data.plate": "P7"}}
    desk.alerts.put_rule(desk.alerts.shelf.read(rule))
    desk.night.happens(plate="P7", node="n7", message="dropped")
    assert desk.night.notices()[-1].subject.rule == "plates"
    desk.alerts.put_rule(desk.alerts.shelf.read({**rule, "enabled": False}))
    told = len(desk.night.told())
    desk.night.happens(plate="P7", node="n8", message="dropped")
    assert len(desk.night.told()) == told
    assert ("plates", "api") in [(one.rule.name, one.origin) for one in desk.alerts.rules()]
    desk.alerts.remove_rule("plates")
    assert "plates" not in [one.rule.name for one in desk.alerts.rules()]
    assert [one.partition(" was ")[2] for one in desk.said] == ["added", "changed", "removed"]


def test_what_a_removed_rule_had_opened_is_over(desk):
    desk.alerts.put_rule(desk.alerts.shelf.read({"name": "silent", "enabled": False, "selector": {}}))
    desk.night.passes(2 * HOUR)
    assert desk.alert.state is AlertState.RESOLVED


def test_a_rule_in_the_place_of_a_default_one_is_in_force_until_it_is_removed(desk):
    desk.alerts.put_rule(desk.alerts.shelf.read({"name": "alerts", "selector": {"alert": True}}))
    desk.night.happens(log_level=50, node="n5", message="fire")
    assert desk.night.told() == ["opened"]
    desk.alerts.remove_rule("alerts")
    desk.night.happens(log_level=50, node="n5", message="fire")
    assert desk.night.told() == ["opened", "opened"]


def test_a_default_rule_cannot_be_removed_and_the_way_to_switch_it_off_is_said(desk):
    with pytest.raises(ConflictError, match=r'one of the default\. Put .* "enabled": false'):
        desk.alerts.remove_rule("stuck-actions")


def test_a_rule_that_is_not_there_is_said_with_the_nearest_one(desk):
    with pytest.raises(NotFoundError, match=r"no rule 'alrts'\. Did you mean alerts\?"):
        desk.alerts.remove_rule("alrts")


def test_a_drill_without_anybody_says_whom_to_name(desk):
    with pytest.raises(ConflictError, match="email_addresses"):
        desk.alerts.drill()
