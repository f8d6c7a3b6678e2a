"""Alerts: what a thousand rules cost, and whether those who send feel a mail server that hangs."""

from __future__ import annotations

import json
import socket
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import http_load
import servers
from events import stored_events
from plan import Plan
from table import Goal, Row, Series

from madsci.common.types.alert_rules import AlertRule
from madsci.event_manager.alerts.calendar import Audience, Calendar
from madsci.event_manager.alerts.defaults import default_rules
from madsci.event_manager.alerts.follower import AlertFollower
from madsci.event_manager.alerts.shelf import Shelf
from madsci.event_manager.model.feed import START, Entries
from madsci.event_manager.model.stored_event import StoredEvent
from madsci.event_manager.model.tables import Step
from madsci.event_manager.stores.sqlite.store import SqliteStore

GROUP = "alerts"
_CONNECTIONS = 64
_EVENTS = 20_000
_STEP = 250
"""Entries of a step: what comes in a quarter of a second at a thousand a second."""
_PER_SECOND = 1_000
_MANY = 1_000


def measure(plan: Plan) -> list[Row]:
    """Return the rows of this group."""
    return [*_rules(plan), *_hanging(plan)]


def _rules(plan: Plan) -> list[Row]:
    many = Series(f"the follower of {_MANY:,} rules, of a core at {_PER_SECOND:,} events/s", "%")
    few = Series("the follower of the default rules", "%")
    events = list(stored_events(_EVENTS))
    for repeat in range(plan.repeats):
        for series, rules in ((many, _many_rules(events)), (few, [])):
            folder = plan.folder / f"alerts-{len(rules)}-{repeat}"
            folder.mkdir()
            with closing(SqliteStore(folder / "events.db")) as store:
                series.samples.append(_share_of_a_core(store, rules, events))
    return [Row(GROUP, many, None, Goal("<=", 50, on_value=True)), Row(GROUP, many, few)]


def _many_rules(events: list[StoredEvent]) -> list[AlertRule]:
    """A lab's own: by node, by type and text, rates, silences, and what begins and ends."""
    nodes = sorted({str(one.source["node_id"]) for one in events if "node_id" in one.source})
    kinds: list[dict[str, Any]] = [
        {"selector": {"source.node_id": "NODE", "log_level": {"$gte": 40}}},
        {"selector": {"event_type": "log_info", "event_data.message": {"$regex": "jammed|stuck NODE"}}},
        {"kind": "rate", "selector": {"source.node_id": "NODE", "log_level": {"$gte": 30}},
         "more_than": 50, "within": "10m"},
        {"kind": "absence", "selector": {"source.node_id": "NODE"}, "within": "30m"},
        {"kind": "unfinished", "same": "workflow", "within": "2h",
         "selector": {"event_type": "workflow_step_start", "source.node_id": "NODE"},
         "ended_by": {"event_type": "workflow_step_complete", "source.node_id": "NODE"}},
    ]  # fmt: skip
    rules = []
    for number in range(_MANY):
        text = json.dumps(kinds[number % len(kinds)])
        # Most are about nodes that send nothing just now, as in a lab that grew.
        node = nodes[number % len(nodes)] if number % 10 < len(kinds) else f"node {number}"
        rules.append(AlertRule(name=f"rule-{number}", **json.loads(text.replace("NODE", node))))
    return rules


def _share_of_a_core(store: SqliteStore, rules: list[AlertRule], events: list[StoredEvent]) -> float:
    """Return percents: what concluding from the events, and keeping it, took of this thread."""
    shelf = Shelf(default_rules(40), rules)
    follower = AlertFollower(shelf.rulebook, Audience(Calendar(), []))
    follower.conclude([], store, 0)
    first = time.time_ns() // 1_000
    store.append([_received(one, first + number * 1_000) for number, one in enumerate(events)])
    position, spent = START, 0.0
    while True:
        part: Entries = store.since(position, _STEP)
        if not part.entries:
            return spent / len(events) * _PER_SECOND * 100
        now = part.entries[-1].event.received_at
        begin = time.thread_time()
        concluded = follower.conclude(part.entries, store, now)
        store.apply(concluded.changes, Step(follower.name, position, part.next))
        spent += time.thread_time() - begin
        position = part.next


def _received(event: StoredEvent, at: int) -> StoredEvent:
    members = {name: getattr(event, name) for name in event.__struct_fields__}
    return StoredEvent(**{**members, "received_at": at, "event_timestamp": at})


def _hanging(plan: Plan) -> list[Row]:
    templates = http_load.write_templates(plan.folder)
    hanging = Series(f"POST /event p99, {_CONNECTIONS} connections, the mail server hangs", "ms")
    alone = Series("nobody is told of alerts", "ms")
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        mail = {"smtp_server": "127.0.0.1", "smtp_port": silent.getsockname()[1], "use_tls": False}
        told = {"EVENT_EMAIL_ALERTS": json.dumps({**mail, "email_addresses": ["anna@example.org"]})}
        ways: list[tuple[Series, dict[str, str]]] = [(hanging, told), (alone, {})]
        for repeat in range(plan.repeats):
            for series, settings in ways if repeat % 2 else ways[::-1]:
                folder = plan.folder / f"alerts-{series.unit}-{bool(settings)}-{repeat}"
                series.samples.append(_p99(plan, folder, templates, settings))
    return [Row(GROUP, hanging, alone, Goal("<=", 1.2))]


def _p99(plan: Plan, folder: Path, templates: Path, settings: dict[str, str]) -> float:
    with servers.event_manager(folder, **settings) as server:
        http_load.post_events(server.port, 16, 1, plan.max_requests, templates)
        load = http_load.post_events(
            server.port, _CONNECTIONS, plan.load_seconds, plan.max_requests, templates
        )
        return load.p99
