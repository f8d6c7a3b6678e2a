"""A rule goes through the days of a lab: thirty healthy ones, and one on which something hangs."""

from __future__ import annotations

import random
from collections.abc import Iterator
from heapq import merge
from typing import Any

import pytest

from madsci.common.types.alert_rules import AlertRule
from madsci.event_manager.alerts.defaults import default_rules
from madsci.event_manager.alerts.preview import PreviewJob, Replay
from madsci.event_manager.model.budget import Budget
from madsci.event_manager.model.feed import Entry
from madsci.event_manager.model.stored_event import StoredEvent, encode_json
from madsci.event_manager.stores.memory import MemoryStore

SECOND = 1_000_000
MINUTE = 60 * SECOND
DAY = 1_440 * MINUTE
START = 1_780_012_800 * SECOND
NODES = ("arm", "reader", "washer")
HANG = START + 20 * DAY + 11 * 60 * MINUTE
STUCK = {rule.name: rule for rule in default_rules(40)}["stuck-actions"]
SILENT = AlertRule(
    name="silent", kind="absence", selector={"event_type": "node_status_update"}, within="20m"
)


def heartbeats(node: str, days: int, chance: random.Random, ends: int | None) -> Iterator[StoredEvent]:
    """A sign of life about every five minutes, day and night."""
    at = START
    while at < START + days * DAY and (ends is None or at < ends):
        yield made(at, "node_status_update", node)
        at += round(chance.uniform(3, 7) * MINUTE)


def actions(node: str, days: int, chance: random.Random, hangs: int | None) -> Iterator[StoredEvent]:
    """Actions all day from 8 to 18, each about as long as others of its kind."""
    usual = {"grip": 40, "wash": 400, "read": 90}
    for day in range(days):
        at = START + day * DAY + 8 * 60 * MINUTE
        while at < START + day * DAY + 18 * 60 * MINUTE:
            name = chance.choice(list(usual))
            names = {"action_id": f"{node}-{at}", "action_name": name}
            yield made(at, "action_start", node, **names)
            if hangs is not None and at >= hangs:
                return
            at += round(usual[name] * chance.lognormvariate(0, 0.15) * SECOND)
            yield made(at, "action_complete", node, **names)
            at += round(chance.uniform(10, 600) * SECOND)


def made(at: int, event_type: str, node: str, **data: Any) -> StoredEvent:
    return StoredEvent(
        f"{event_type}-{node}-{at}", event_type, 20, False, at, at, {"node_id": node}, encode_json(data)
    )


def lab(days: int, silent: int | None = None, hangs: int | None = None) -> list[StoredEvent]:
    """Its days, in which the washer may fall silent, and the arm hang, from a time on."""
    chance = random.Random(days)
    streams = [
        stream
        for node in NODES
        for stream in (
            heartbeats(node, days, chance, silent if node == "washer" else None),
            actions(node, days, chance, hangs if node == "arm" else None),
        )
    ]
    return list(merge(*streams, key=lambda one: one.received_at))


def replayed(rule: AlertRule, events: list[StoredEvent], until: int) -> Any:
    replay = Replay(rule)
    replay.show([Entry("lane", number, one) for number, one in enumerate(events, 1)])
    replay.go_on_to(until)
    return replay.result(until, is_whole=True)


def of_rule(rule: AlertRule, events: list[StoredEvent]) -> list[StoredEvent]:
    is_absence = rule.name == "silent"
    return [one for one in events if (one.event_type == "node_status_update") == is_absence]


@pytest.mark.slow
@pytest.mark.parametrize("rule", [STUCK, SILENT], ids=["stuck", "absence"])
def test_thirty_healthy_days_alert_nobody(rule):
    events = of_rule(rule, lab(30))
    found = replayed(rule, events, START + 30 * DAY)
    assert (found.opened, found.events) == (0, len(events))


def test_an_action_that_hangs_is_told_within_its_window():
    events = of_rule(STUCK, lab(21, None, HANG))
    found = replayed(STUCK, events, START + 21 * DAY)
    (alert,) = found.alerts
    began = next(
        one
        for one in events
        if one.received_at >= HANG
        and (one.event_type, one.source["node_id"]) == ("action_start", "arm")
    )
    assert alert.opened_at - began.received_at < 3 * 700 * SECOND  # thrice the longest there is
    assert began.event_id in alert.reason


def test_a_node_that_falls_silent_is_told_within_its_window():
    events = of_rule(SILENT, lab(21, HANG))
    found = replayed(SILENT, events, START + 21 * DAY)
    (alert,) = found.alerts
    assert alert.group == {"node": "washer"}
    assert alert.opened_at <= HANG + 20 * MINUTE


def test_a_preview_reads_what_is_stored_from_a_time_on():
    store = MemoryStore()
    store.append(lab(3))
    errors = AlertRule(name="starts", selector={"event_type": "action_start"}, group_by=[])
    job = PreviewJob(errors, START + DAY, START + 3 * DAY, store.head())
    found = job.run(store, Budget(60))
    assert found.is_whole
    assert found.events == sum(
        one.event_type == "action_start" and one.received_at >= START + DAY for one in lab(3)
    )
    assert found.opened >= 2


def test_a_preview_whose_time_is_up_says_how_far_it_came():
    store = MemoryStore()
    store.append(lab(10))

    class Short(Budget):
        looks = 0

        @property
        def is_over(self):
            self.looks += 1
            return self.looks > 3

    class Ordered(MemoryStore):
        def before_time(self, time, budget):
            return store.before_time(time)

        def since(self, position, limit, until, selector, budget):
            budget.check()
            return store.since(position, limit, until, selector)

    rule = AlertRule(name="all", selector={})
    found = PreviewJob(rule, START, START + 10 * DAY, store.head()).run(Ordered(), Short(3_600))
    assert not found.is_whole
    assert START < found.until < START + 10 * DAY
    assert 0 < found.events < len(lab(10))
